/**
 * Talking while a key is held. Decides when the microphone is to be on; knows no keys and no tracks. Pure but for what
 * it is given.
 */

/**
 * The microphone as this needs it. `turn` settles when the others have been told; `cut` silences at once.
 * @typedef {{isOn: () => boolean, turn: (on: boolean) => Promise<void>, cut: () => void}} Microphone
 */

export class PushToTalk {
  #microphone;
  #onChange;
  #wanted = false;
  #settling = false;

  /**
   * @param {Microphone} microphone
   * @param {(trouble: unknown) => void} onChange `talking` may be another now; with what failed, or null
   */
  constructor(microphone, onChange) {
    this.#microphone = microphone;
    this.#onChange = onChange;
  }

  /** Heard only because the key is held. */
  get talking() {
    return this.#wanted && this.#microphone.isOn();
  }

  /** The key goes down. Where the microphone is on anyway, this means nothing. */
  hold() {
    if (this.#wanted || (!this.#settling && this.#microphone.isOn())) return;
    this.#wanted = true;
    void this.#settle();
  }

  /** The key comes up, or the page can no longer see it. */
  release() {
    if (!this.#wanted) return;
    this.#wanted = false;
    // Telling the server takes a round trip or more; until then nothing is to be heard.
    this.#microphone.cut();
    void this.#settle();
  }

  /** Follows the key, however fast it is: a press that is over before its turn opens nothing. */
  async #settle() {
    if (this.#settling) return;
    this.#settling = true;
    let trouble = null;
    try {
      while (this.#wanted !== this.#microphone.isOn()) {
        const asked = this.#wanted;
        await this.#microphone.turn(asked);
        if (this.#microphone.isOn() !== asked) this.#wanted = this.#microphone.isOn(); // it cannot be had
      }
    } catch (error) {
      trouble = error;
      this.#wanted = false;
    }
    this.#settling = false;
    this.#onChange(trouble);
  }
}
