/**
 * What to do about a media connection that does not work: first new paths for it (an ICE restart), then a new one.
 *
 *     disconnected 1 s, failed, another network ─► restart ── 8 s ─► still not connected ─► reset ─► …
 *
 * Decides when; what is done is handed in. The browser's own view counts: it asks the server every few seconds whether it
 * may still send.
 */

/** @typedef {'publish' | 'subscribe'} ConnectionName */
/** @typedef {{restart: () => Promise<unknown>, reset: () => Promise<unknown>}} Cures */

// Some checks were lost: often they are heard again a moment later.
const PATIENCE_MS = 1000;
// New candidates and checks take a second or two on a bad network.
const RESTART_MS = 8000;

export class Recovery {
  #cures;
  /** @type {RTCPeerConnectionState | null} */
  #state = null;
  #busy = false;
  #timer = 0;

  /** @param {Cures} cures */
  constructor(cures) {
    this.#cures = cures;
  }

  /** @param {RTCPeerConnectionState | null} state of the present connection; null: there is none */
  onState(state) {
    this.#state = state;
    if (state === 'disconnected') this.#restartIn(PATIENCE_MS);
    else if (state === 'failed') this.#restartIn(0);
    else if (state === 'connected' || state === null || state === 'closed') this.#wait(null);
  }

  /** The network may be another one: what works is not in the way of finding better. */
  onNetwork() {
    if (this.#state !== null && this.#state !== 'new' && this.#state !== 'closed') this.#restartIn(0);
  }

  close() {
    this.#state = null;
    this.#wait(null);
  }

  /** @param {number} ms */
  #restartIn(ms) {
    if (!this.#busy) this.#wait(() => this.#restart(), ms);
  }

  async #restart() {
    this.#busy = true;
    try {
      await this.#cures.restart();
    } catch {
      // The connection is being built anew, or the session has ended: whoever asked for that goes on.
    }
    this.#busy = false;
    if (this.#broken()) this.#wait(() => this.#broken() && void this.#cures.reset().catch(() => undefined), RESTART_MS);
  }

  #broken() {
    return this.#state === 'disconnected' || this.#state === 'failed';
  }

  /**
   * The one thing to do next.
   * @param {(() => void) | null} step
   * @param {number} [ms]
   */
  #wait(step, ms = 0) {
    clearTimeout(this.#timer);
    if (step) this.#timer = setTimeout(step, ms);
  }
}
