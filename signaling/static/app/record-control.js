/** Two buttons beside the mark of a recording, for who may record: one begins and ends it, one pauses it. */

import { announce, element } from './page.js';
import { recordTroubleWords, recordWords } from './words.js';

/** @typedef {import('../client/client.js').Room} Room */
/** @typedef {'off' | 'starting' | 'recording' | 'paused' | 'stopping'} RecordState */

export class RecordControl {
  #room;
  #group = element('record', HTMLElement);
  #toggle = element('record-toggle', HTMLButtonElement);
  #pause = element('record-pause', HTMLButtonElement);
  /** @type {'starting' | 'stopping' | null} what we have asked for, until the room says that it is so */
  #asked = null;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    this.#toggle.onclick = () => void this.#startOrStop();
    this.#pause.onclick = () => void this.#pauseOrResume();
    this.render();
  }

  render() {
    const { grants, moderation } = this.#room;
    const { recording, recording_paused: paused, end_to_end_encrypted: isSecret } = moderation.state;
    this.#group.hidden = !grants.record || (isSecret && !recording);
    if (this.#asked === (recording ? 'starting' : 'stopping')) this.#asked = null;
    /** @type {RecordState} */
    const state = this.#asked ?? (!recording ? 'off' : paused ? 'paused' : 'recording');
    this.#group.dataset.state = state;
    this.#toggle.textContent = { off: 'Record', starting: 'Starting…', stopping: 'Ending…', recording: 'Stop', paused: 'Stop' }[state];
    // Beside the mark one word is enough to see; who does not see it is told which recording.
    this.#toggle.setAttribute('aria-label', recordWords(state));
    this.#toggle.ariaDisabled = String(this.#asked !== null);
    this.#pause.hidden = !recording || this.#asked !== null;
    this.#pause.textContent = paused ? 'Resume' : 'Pause';
    this.#pause.setAttribute('aria-label', paused ? 'Resume the recording' : 'Pause the recording');
  }

  close() {
    this.#group.hidden = true;
  }

  #startOrStop() {
    if (this.#asked) return;
    const { recordings, moderation } = this.#room;
    this.#asked = moderation.state.recording ? 'stopping' : 'starting';
    return this.#do(() => (this.#asked === 'starting' ? recordings.start() : recordings.stop()));
  }

  #pauseOrResume() {
    const { recordings, moderation } = this.#room;
    return this.#do(() => (moderation.state.recording_paused ? recordings.resume() : recordings.pause()));
  }

  /** @param {() => Promise<unknown>} step */
  async #do(step) {
    this.render();
    try {
      await step();
    } catch (error) {
      this.#asked = null;
      announce(recordTroubleWords(error));
    }
    this.render();
  }
}
