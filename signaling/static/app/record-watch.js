/**
 * A button beside those of a recording, for who may record: plays the room's latest one in a tab of its own. Files are made
 * when a recording has ended, so it waits for them.
 */

import { announce, element } from './page.js';
import { recordTroubleWords } from './words.js';

/** @typedef {import('../client/client.js').Room} Room */
/** @typedef {import('../client/recordings.js').Recording} Recording */

// Copied files are made within seconds, decoded ones as long as some hundredths of the recording.
const LOOK_EVERY_MS = 3000;

export class RecordWatch {
  #room;
  #button = element('record-watch', HTMLButtonElement);
  /** @type {Recording | null} the latest whose files are made */
  #ready = null;
  #isMaking = false;
  #wasRecorded = false;
  #looking = 0;
  #closed = false;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    this.#button.onclick = () => void this.#play();
    if (room.grants.record) void this.#look();
    this.render();
  }

  render() {
    const { grants, moderation } = this.#room;
    if (this.#wasRecorded && !moderation.state.recording && grants.record) void this.#look();
    this.#wasRecorded = moderation.state.recording;
    this.#button.hidden = !grants.record || !(this.#ready || this.#isMaking);
    this.#button.ariaDisabled = String(this.#isMaking);
    this.#button.textContent = this.#isMaking ? 'Preparing…' : 'Watch';
    this.#button.setAttribute('aria-label', this.#isMaking ? 'The recording is being prepared' : 'Watch the last recording in another tab');
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#looking);
    this.#button.hidden = true;
  }

  /** What is there to be watched, and again in a while if more is being made. */
  async #look() {
    clearTimeout(this.#looking);
    const { recordings } = this.#room;
    try {
      const [making, ready] = await Promise.all([recordings.latest('finishing'), recordings.latest('ready')]);
      if (this.#isMaking && !making && ready) announce('The recording can be watched');
      [this.#isMaking, this.#ready] = [making !== null, ready];
    } catch {
      this.#isMaking = false; // nothing is recorded here, or the server is away: it is looked at after the next recording
    }
    if (this.#closed) return;
    if (this.#isMaking) this.#looking = setTimeout(() => void this.#look(), LOOK_EVERY_MS);
    this.render();
  }

  async #play() {
    if (this.#isMaking || !this.#ready) return;
    const tab = open('', '_blank'); // at once: later, browsers take it for an advertisement
    try {
      const address = await this.#room.recordings.play(this.#ready.id);
      if (tab) tab.location.href = address;
      else announce('The browser has opened no tab: allow this page to.');
    } catch (error) {
      tab?.close();
      announce(recordTroubleWords(error));
    }
  }
}
