/**
 * Asks the server why a picture looks as it does, while somebody points at its tile: at most once a second, and not at
 * all otherwise.
 */

/** @typedef {import('../client/types.js').Explanation} Explanation */

const INTERVAL_MS = 1000;
// A pointer that has not moved for so many answers was left there, and nobody reads.
const ANSWERS = 10;

export class Explainer {
  #explain;
  #tell;
  /** @type {string | null} the tile that is pointed at */
  #tile = null;
  /** @type {Explanation | null} of the last second: it is about all tiles, so the next one has its words at once */
  #last = null;
  #left = 0;
  /** @type {ReturnType<typeof setTimeout> | 0} until the next question may be asked */
  #timer = 0;

  /**
   * @param {() => Promise<Explanation>} explain asks the server
   * @param {(tile: string | null, explanation: Explanation | null) => void} tell of this tile and no other; null: of none
   */
  constructor(explain, tell) {
    this.#explain = explain;
    this.#tell = tell;
  }

  /** @param {string} tile that is pointed at, or has the focus in it */
  look(tile) {
    this.#left = ANSWERS;
    if (tile !== this.#tile) {
      this.#tile = tile;
      this.#tell(tile, this.#last);
    }
    if (!this.#timer) this.#ask();
  }

  lookAway() {
    if (this.#tile === null) return;
    this.#tile = null;
    this.#tell(null, null);
  }

  close() {
    clearTimeout(this.#timer);
    this.#tile = null;
  }

  #ask() {
    this.#left--;
    this.#timer = setTimeout(() => this.#onPause(), INTERVAL_MS);
    this.#explain().then(
      (explanation) => this.#onAnswer(explanation),
      () => undefined, // without a connection the page says so, and nothing needs explaining
    );
  }

  #onPause() {
    this.#timer = 0;
    if (this.#left <= 0) this.lookAway();
    if (this.#tile === null) this.#last = null;
    else this.#ask();
  }

  /** @param {Explanation} explanation */
  #onAnswer(explanation) {
    if (this.#tile === null) return;
    this.#last = explanation;
    this.#tell(this.#tile, explanation);
  }
}
