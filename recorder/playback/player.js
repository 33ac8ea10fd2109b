/**
 * Several media elements on one clock. The clock is ours; an element that is off by a little plays a little faster or
 * slower until it is not, one that is off by much is set.
 */

/** @typedef {{element: HTMLMediaElement, start_s: number}} Part */

/** Beyond, an element is set: playing catch-up would take too long. */
const SEEK_S = 0.3;
/** Below, nobody hears or sees it. */
const FINE_S = 0.015;
/** How much faster or slower it plays, per second that it is off. */
const PULL = 0.5;
const MOST_PULL = 0.08;
/** While somebody cannot play for want of data, everybody waits, but not for ever: a file may be broken. */
const WAIT_MS = 4000;

/**
 * How an element is to be corrected.
 *
 * @param {number} ahead_s  how much further it is than it should be
 * @returns {{seek: boolean, rate: number}} `rate`: to multiply the speed with
 */
export function correction(ahead_s) {
  if (Math.abs(ahead_s) > SEEK_S) return { seek: true, rate: 1 };
  if (Math.abs(ahead_s) < FINE_S) return { seek: false, rate: 1 };
  return { seek: false, rate: 1 - Math.max(-MOST_PULL, Math.min(MOST_PULL, ahead_s * PULL)) };
}

export class Player extends EventTarget {
  /** @type {Part[]} */
  #parts = [];
  #at_s = 0;
  #since_ms = 0;
  #waits_since_ms = 0;
  #speed = 1;
  playing = false;

  /** @param {number} duration_s */
  constructor(duration_s) {
    super();
    this.duration_s = duration_s;
  }

  /**
   * @param {HTMLMediaElement} element
   * @param {number} start_s  where its file begins in the session
   */
  add(element, start_s) {
    this.#parts.push({ element, start_s });
  }

  /** Seconds of the session. */
  get position_s() {
    const passed_s = this.playing ? ((performance.now() - this.#since_ms) / 1000) * this.#speed : 0;
    return Math.min(this.#at_s + passed_s, this.duration_s);
  }

  get speed() {
    return this.#speed;
  }

  set speed(speed) {
    this.#hold();
    this.#speed = speed;
    this.#align(true);
  }

  play() {
    if (this.position_s >= this.duration_s) this.seek(0);
    this.playing = true;
    this.#since_ms = performance.now();
    this.#align(true);
    this.dispatchEvent(new Event('change'));
  }

  pause() {
    this.#hold();
    this.playing = false;
    this.#align(true);
    this.dispatchEvent(new Event('change'));
  }

  /** @param {number} at_s */
  seek(at_s) {
    this.#at_s = Math.max(0, Math.min(at_s, this.duration_s));
    this.#since_ms = performance.now();
    this.#align(true);
    this.dispatchEvent(new Event('change'));
  }

  /** Call some times a second. */
  tick() {
    if (!this.playing) return;
    if (this.position_s >= this.duration_s) {
      this.pause();
      return;
    }
    const now = performance.now();
    if (this.#parts.some((part) => this.#isStarved(part))) {
      this.#waits_since_ms ||= now;
      if (now - this.#waits_since_ms < WAIT_MS) this.#hold();
    } else {
      this.#waits_since_ms = 0;
    }
    this.#align(false);
  }

  /** The clock stands at where it is now. */
  #hold() {
    this.#at_s = this.position_s;
    this.#since_ms = performance.now();
  }

  /** @param {Part} part */
  #isStarved({ element, start_s }) {
    const at_s = this.position_s - start_s;
    if (at_s < 0 || (element.duration && at_s >= element.duration) || element.error) return false;
    return element.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
  }

  /** @param {boolean} exactly  set every element, also one that is off by little */
  #align(exactly) {
    for (const { element, start_s } of this.#parts) {
      const at_s = this.position_s - start_s;
      const beyond = at_s < 0 || (Number.isFinite(element.duration) && at_s >= element.duration);
      if (beyond || !this.playing) {
        element.pause();
        if (!beyond && exactly) element.currentTime = at_s;
        continue;
      }
      if (element.paused) element.play().catch(() => {}); // without its data yet; the next tick tries again
      const { seek, rate } = correction(element.currentTime - at_s);
      if ((seek || exactly) && !element.seeking) element.currentTime = at_s;
      element.playbackRate = this.#speed * rate;
    }
  }
}
