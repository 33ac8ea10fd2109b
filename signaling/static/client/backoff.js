/** How long to wait before the next try: longer each time, and never the same for everybody. Pure. */

// A blip is over after 300 ms; five seconds is what a person waits without doubting that anything is tried at all.
const FIRST_MS = 300;
const LONGEST_MS = 5000;

export class Backoff {
  #nextMs = FIRST_MS;
  #random;

  /** @param {() => number} [random] 0 to 1 */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /** Between half of what it is this time and all of it: a server that restarts is not run down by all at once. */
  nextMs() {
    const limit = this.#nextMs;
    this.#nextMs = Math.min(2 * limit, LONGEST_MS);
    return limit * (0.5 + 0.5 * this.#random());
  }

  reset() {
    this.#nextMs = FIRST_MS;
  }
}
