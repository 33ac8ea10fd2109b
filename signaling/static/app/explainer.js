/**
 * Asks why a picture looks as it does, while somebody points at its tile: at most once a second, and not at all otherwise.
 * Only about that tile: in a large room, what there is to say of all of them is a hundred times as much.
 */

const INTERVAL_MS = 1000;
// A pointer on its way across the page rests on no tile for so long.
const MOVED_MS = 250;
// A pointer that has not moved for so many answers was left there, and nobody reads.
const ANSWERS = 10;

/** @template Told */
export class Explainer {
  #explain;
  #tell;
  /** @type {string | null} the tile that is pointed at */
  #tile = null;
  #left = 0;
  /** @type {ReturnType<typeof setTimeout> | 0} until the next question may be asked */
  #timer = 0;

  /**
   * @param {(tile: string) => Promise<Told>} explain asks
   * @param {(tile: string | null, told: Told | null) => void} tell of this tile and no other; null: of none, not yet
   */
  constructor(explain, tell) {
    this.#explain = explain;
    this.#tell = tell;
  }

  /** @param {string} tile that is pointed at, or has the focus in it */
  look(tile) {
    this.#left = ANSWERS;
    const asked = this.#timer !== 0;
    if (tile !== this.#tile) {
      this.#tile = tile;
      this.#tell(tile, null);
      clearTimeout(this.#timer);
      if (asked) this.#timer = setTimeout(() => this.#onPause(), MOVED_MS);
    }
    if (!asked) this.#ask(tile);
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

  /** @param {string} tile */
  #ask(tile) {
    this.#left--;
    this.#timer = setTimeout(() => this.#onPause(), INTERVAL_MS);
    this.#explain(tile).then(
      (told) => {
        if (tile === this.#tile) this.#tell(tile, told);
      },
      () => undefined, // without a connection the page says so, and nothing needs explaining
    );
  }

  #onPause() {
    this.#timer = 0;
    if (this.#left <= 0) this.lookAway();
    if (this.#tile !== null) this.#ask(this.#tile);
  }
}
