/**
 * Begins, pauses, ends and plays recordings of a room over REST, for who holds the grant `record`. That one runs, or is paused,
 * is told to everybody (`moderation.state`). The pages' own server is asked.
 */

import { SfuError } from './events.js';

/** @typedef {{id: string, state: 'recording' | 'paused' | 'finishing' | 'ready' | 'failed'}} Recording */

export class Recordings {
  #room;
  #token;

  /**
   * @param {string} room
   * @param {() => string} token the present one
   */
  constructor(room, token) {
    this.#room = room;
    this.#token = token;
  }

  /**
   * Everything, unless `options` say what (RecordingOptions of the REST API).
   * @param {object} [options]
   * @returns {Promise<Recording>}
   */
  start(options = {}) {
    return this.#ask('POST', this.#ofRoom, options);
  }

  /** @returns {Promise<void>} nothing more is taken by any that runs, for a while */
  pause() {
    return this.#each('recording', 'pause');
  }

  /** @returns {Promise<void>} */
  resume() {
    return this.#each('paused', 'resume');
  }

  /** @returns {Promise<void>} all that run end, and their files are made */
  async stop() {
    await Promise.all([this.#each('recording', 'stop'), this.#each('paused', 'stop')]);
  }

  /**
   * @param {Recording['state']} state
   * @returns {Promise<Recording | null>} of those in this state, the one that began last
   */
  async latest(state) {
    const { items } = await this.#ask('GET', `${this.#ofRoom}?state=${state}&limit=1`);
    return items[0] ?? null;
  }

  /**
   * @param {string} id of one that is ready
   * @returns {Promise<string>} the address of a page that plays it, for a while; whoever has it may watch
   */
  async play(id) {
    const { href } = await this.#ask('POST', `recordings/${id}/playback`, {});
    return href;
  }

  get #ofRoom() {
    return `rooms/${encodeURIComponent(this.#room)}/recordings`;
  }

  /**
   * @param {'recording' | 'paused'} state
   * @param {'pause' | 'resume' | 'stop'} step
   */
  async #each(state, step) {
    const { items } = await this.#ask('GET', `${this.#ofRoom}?state=${state}`);
    await Promise.all(items.map((/** @type {Recording} */ { id }) => this.#ask('POST', `recordings/${id}/${step}`)));
  }

  /**
   * @param {'GET' | 'POST'} method
   * @param {string} path below /v1
   * @param {object} [body]
   */
  async #ask(method, path, body) {
    /** @type {Record<string, string>} */
    const headers = { Authorization: `Bearer ${this.#token()}` };
    if (body) headers['Content-Type'] = 'application/json';
    const asked = fetch(`/v1/${path}`, { method, headers, body: body && JSON.stringify(body), cache: 'no-store' });
    const response = await asked.catch((error) => {
      throw new SfuError('unreachable', String(error));
    });
    const said = await response.json().catch(() => ({}));
    if (!response.ok) throw new SfuError(said.code ?? 'internal', said.detail ?? `HTTP ${response.status}`);
    return said;
  }
}
