/** What browsers have and Node.js 18 (Debian 12) has not, and `setTimeout` in the hands of a test: its own is too young. */

globalThis.CustomEvent ??= class CustomEvent extends Event {
  /** @param {string} type @param {{detail?: unknown}} [options] */
  constructor(type, { detail = null } = {}) {
    super(type);
    this.detail = detail;
  }
};

const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };

export const timers = {
  now: 0,
  next: 1,
  /** @type {Map<number, {at: number, step: () => void}>} */
  waiting: new Map(),

  start() {
    this.waiting.clear();
    globalThis.setTimeout = /** @type {any} */ (
      (/** @type {() => void} */ step, ms = 0) => {
        this.waiting.set(this.next, { at: this.now + ms, step });
        return this.next++;
      }
    );
    globalThis.clearTimeout = /** @type {any} */ ((/** @type {number} */ number) => this.waiting.delete(number));
  },

  /** @param {number} ms */
  tick(ms) {
    const until = this.now + ms;
    for (;;) {
      const [due] = [...this.waiting].filter(([, { at }]) => at <= until).sort(([, one], [, other]) => one.at - other.at);
      if (!due) break;
      this.waiting.delete(due[0]);
      this.now = due[1].at;
      due[1].step();
    }
    this.now = until;
  },

  stop() {
    Object.assign(globalThis, real);
  },
};
