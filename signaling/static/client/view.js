/**
 * What this client shows, told to the server, and what the server tells of it: who speaks, and why a track looks as it
 * does. Remembers the layout, and tells it again to a new session.
 */

import { Emitter } from './events.js';

/** @typedef {import('./types.js').Layout} Layout */
/** @typedef {import('./types.js').Explanation} Explanation */
/** @typedef {{recent: string[], speaking: boolean}} Speakers identities, the last to speak first */

/** @extends {Emitter<{speakers: Speakers}>} */
export class View extends Emitter {
  /** @type {Speakers} */
  speakers = { recent: [], speaking: false };
  #signaling;
  /** @type {Layout | null} */
  #layout = null;

  /** @param {import('./signaling.js').Signaling} signaling */
  constructor(signaling) {
    super();
    this.#signaling = signaling;
    signaling.on('event', (event) => {
      if (event.type === 'speakers') this.#onSpeakers(event);
    });
    signaling.on('rejoined', () => {
      this.#onSpeakers({ recent: [], speaking: false });
      if (this.#layout) this.show(this.#layout).catch(() => undefined);
    });
  }

  /**
   * What is shown from now on. Tracks of video without a tile are not sent; without `tiles` the server decides.
   * @param {Layout} layout sizes in CSS pixels times `devicePixelRatio`
   */
  async show(layout) {
    this.#layout = layout;
    await this.#signaling.request('layout', layout);
  }

  /**
   * @param {string[]} [tracks] by id; default: all that is to be received
   * @returns {Promise<Explanation>} why each of them looks as it does
   */
  explain(tracks) {
    return this.#signaling.request('explain', tracks ? { tracks } : {});
  }

  /** @param {Speakers} speakers */
  #onSpeakers({ recent, speaking }) {
    this.speakers = { recent, speaking };
    this.emit('speakers', this.speakers);
  }
}
