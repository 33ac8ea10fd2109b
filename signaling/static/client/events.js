/**
 * Two small things that everything else stands on: typed events, and steps that run one after another.
 */

/**
 * An EventTarget whose events carry a typed `detail`.
 * @template {object} Events event name to detail
 */
export class Emitter extends EventTarget {
  /**
   * Like `addEventListener`, with the detail itself. Returns the way to stop listening.
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {(detail: Events[Name]) => void} listener
   * @returns {() => void}
   */
  on(name, listener) {
    const onEvent = (/** @type {Event} */ event) => listener(/** @type {CustomEvent} */ (event).detail);
    this.addEventListener(name, onEvent);
    return () => this.removeEventListener(name, onEvent);
  }

  /**
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {Events[Name]} detail
   */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Runs asynchronous steps one after another, in the order in which they were asked for; a failed step stops no other. */
export class Serial {
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @template Result
   * @param {() => Promise<Result> | Result} step
   * @returns {Promise<Result>} settles as the step does
   */
  run(step) {
    const result = this.#last.then(step);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** A request declined, or a session that ended. `code` is one of PROTOCOL.md's, or `unreachable`, `disconnected`, `timeout`, `left`. */
export class SfuError extends Error {
  /**
   * @param {string} code
   * @param {string} reason
   */
  constructor(code, reason) {
    super(reason || code);
    this.name = 'SfuError';
    this.code = code;
  }
}
