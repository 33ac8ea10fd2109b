/** What moderators do to us, in words and with what can be done about it: muted, asked to unmute, stopped, moved. */

import { askedWords, mutedWords } from './moderation-words.js';
import { announce, element } from './page.js';
import { deviceWords } from './words.js';

/** @typedef {import('../client/client.js').Room} Room */

export class Moderated {
  #room;
  #banner = element('asked', HTMLElement);
  #words = element('asked-words', HTMLElement);
  #accept = element('asked-accept', HTMLButtonElement);
  #stop;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    this.#banner.hidden = true;
    element('asked-dismiss', HTMLButtonElement).onclick = () => this.#hide();
    this.#stop = [
      room.on('mutedby', ({ track, by }) => {
        this.#hide();
        announce(mutedWords(this.#nameOf(by), track?.source));
      }),
      room.on('unmuterequested', ({ source, by }) => this.#ask(source, this.#nameOf(by))),
      room.on('trackstopped', ({ track, by }) => {
        const what = track.source === 'screen' ? 'your screen' : `your ${track.source}`;
        announce(`${this.#nameOf(by) || 'A moderator'} stopped ${what}`);
      }),
      room.on('moved', () => {
        this.#hide();
        announce(`You are in ${room.name} now`);
      }),
    ];
  }

  close() {
    this.#stop.forEach((each) => each());
    this.#hide();
  }

  /**
   * @param {import('../client/types.js').Source} source
   * @param {string} by
   */
  #ask(source, by) {
    const track = this.#room.you.track(source);
    if (!track?.muted) return;
    this.#words.textContent = askedWords(by, source);
    this.#accept.textContent = source === 'camera' ? 'Turn it on' : 'Unmute';
    this.#accept.onclick = () => {
      this.#hide();
      track.unmute().catch((error) => {
        element('call-trouble', HTMLElement).textContent = deviceWords(error, source === 'camera' ? source : 'microphone');
      });
    };
    this.#banner.hidden = false;
  }

  #hide() {
    this.#banner.hidden = true;
    this.#words.textContent = '';
  }

  /** @param {string} identity */
  #nameOf(identity) {
    return this.#room.participants.get(identity)?.name ?? '';
  }
}
