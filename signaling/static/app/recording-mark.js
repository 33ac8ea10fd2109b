/** That the call is recorded: a mark for as long as it is so, words when it begins and ends, and the question whether we may be. */

import { moderationWords } from './moderation-words.js';
import { announce, element } from './page.js';
import { recordingWords } from './words.js';

/** @typedef {import('../client/client.js').Room} Room */

const CONSENT_WORDS = 'This call is being recorded. May your sound and picture be in it? Until you say so, they are not.';

export class RecordingMark {
  #room;
  #mark = element('recording', HTMLElement);
  #words = element('recording-words', HTMLElement);
  #change = element('recording-change', HTMLButtonElement);
  #question = element('consent', HTMLElement);
  #asks = element('consent-words', HTMLElement);
  #isRecorded = false;
  #isPaused = false;
  #isAsking = false;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    element('consent-give', HTMLButtonElement).onclick = () => this.#answer(true);
    element('consent-refuse', HTMLButtonElement).onclick = () => this.#answer(false);
    this.#change.onclick = () => this.#ask();
    this.render();
  }

  render() {
    const { you, moderation } = this.#room;
    const { recording, recording_paused: paused, recording_consent: needsConsent } = moderation.state;
    this.#mark.hidden = !recording;
    this.#mark.dataset.paused = String(paused);
    const words = recordingWords(paused, needsConsent, you.consent);
    if (this.#words.textContent !== words) this.#words.textContent = words;
    const isOpen = recording && needsConsent && (this.#isAsking || you.consent === null);
    this.#change.hidden = !needsConsent || isOpen;
    this.#question.hidden = !isOpen;
    // The question says it as well, where a toast would lie over it. Written when it opens, it is read out.
    const asks = isOpen ? CONSENT_WORDS : '';
    if (this.#asks.textContent !== asks) this.#asks.textContent = asks;
    if (recording !== this.#isRecorded && !isOpen) announce(recording ? 'This call is being recorded' : 'The recording has ended');
    else if (recording && paused !== this.#isPaused) announce(paused ? 'The recording is paused' : 'The recording goes on');
    this.#isRecorded = recording;
    this.#isPaused = paused;
  }

  close() {
    this.#mark.hidden = this.#question.hidden = true;
  }

  #ask() {
    this.#isAsking = true;
    this.render();
    element('consent-give', HTMLButtonElement).focus();
  }

  /** @param {boolean} given */
  async #answer(given) {
    try {
      await this.#room.moderation.setConsent(given);
    } catch (error) {
      announce(moderationWords(error));
    }
    this.#isAsking = false;
    this.render();
  }
}
