/**
 * A stream of packets that stops from one moment to the next: the first sign that a NAT or a router has given us another
 * address. Nobody tells us, and the browser asks every 2.5 s only whether its path still works.
 *
 * Being wrong is cheap (an ICE restart is two messages, and media goes on), so we are quick to suspect; but a link that
 * stutters must not restart all the time.
 */

/** @typedef {{getSynchronizationSources: () => {timestamp: number}[]}} Receiver */

const INTERVAL_MS = 100;
// Voices come every 20 ms and pictures 15 times a second: this is no pause between two of them.
const SILENT_MS = 350;
// Only what came in each of so many looks can be missed. A still screen, at two frames a second, never is.
const STEADY_LOOKS = 5;
// The second suspicion waits this long after the first, the next ones twice as long each; a quiet minute forgives.
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/** Decides; `now` is handed in, in milliseconds. */
export class SilenceDetector {
  #newest = -Infinity;
  #movedAt = 0;
  #lookedAt = -Infinity;
  #steady = 0;
  #suspectedAt = -Infinity;
  #pauseMs = 0;

  /**
   * @param {number} newest when something arrived last, by any clock; -Infinity: nothing is received
   * @param {number} now
   * @returns {boolean} true once when what came steadily has stopped
   */
  onLook(newest, now) {
    const late = now - this.#lookedAt > SILENT_MS;
    this.#lookedAt = now;
    if (newest === -Infinity) {
      this.#steady = 0;
      return false;
    }
    if (newest > this.#newest || late) {
      // After a late look (a page in the background) nobody knows what came in between.
      this.#steady = late ? 0 : this.#steady + 1;
      this.#newest = newest;
      this.#movedAt = now;
      return false;
    }
    if (this.#steady < STEADY_LOOKS) {
      this.#steady = 0;
      return false;
    }
    if (now - this.#movedAt < SILENT_MS) return false;
    this.#steady = 0;
    return this.#maySuspect(now);
  }

  /** @param {number} now */
  #maySuspect(now) {
    const since = now - this.#suspectedAt;
    if (since < this.#pauseMs) return false;
    this.#pauseMs = since > LONGEST_PAUSE_MS ? FIRST_PAUSE_MS : Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    this.#suspectedAt = now;
    return true;
  }
}

/**
 * Looks at all receivers on a timer. Returns the way to stop it.
 * @param {() => Iterable<Receiver>} receivers of what should be flowing now
 * @param {() => void} onSilence
 * @returns {() => void}
 */
export function watchSilence(receivers, onSilence) {
  const detector = new SilenceDetector();
  const timer = setInterval(() => {
    const times = [...receivers()].map((receiver) => receiver.getSynchronizationSources()[0]?.timestamp ?? -Infinity);
    if (detector.onLook(Math.max(...times), performance.now())) onSilence();
  }, INTERVAL_MS);
  return () => clearInterval(timer);
}
