/**
 * Tells the server what this page really shows: the tiles in sight, in pixels of the screen, and none while nobody looks.
 * So nobody is sent a picture larger than its tile, or one that is scrolled away or in a hidden tab.
 */

// Before a tile scrolls into sight its picture is asked for: a key frame takes about so long to come as this to scroll.
const AHEAD = '25%';
// A window that is being dragged tells its size this often.
const PAUSE_MS = 200;
// People look into another tab for a moment; each time they come back costs a key frame.
const HIDDEN_AFTER_MS = 3000;
// The browser says with its next picture which tiles are in sight. The first layout waits for all of them, lest a page that
// joins hundreds ask for all; but not for a browser that is busy for so long, or people watch avatars.
const FIRST_WITHIN_MS = 1000;
// PROTOCOL.md
const LARGEST_SIDE = 16384;
const MOST_TILES = 256;

/** @typedef {import('../client/types.js').Tile} Tile */
/** @typedef {{figure: HTMLElement, track: string, onStage: boolean}} Shown one tile, and the track of video in it */

export class Showing {
  #show;
  /** @type {Shown[]} */
  #shown = [];
  /** @type {Map<Element, boolean>} whether each is in sight, once that was said */
  #sight = new Map();
  #told = '';
  #timer = 0;
  #due = Infinity;
  /** @type {number | null} when the first layout is told at the latest */
  #firstBy = null;
  #closing = new AbortController();
  #intersection = new IntersectionObserver((entries) => this.#onSight(entries), { rootMargin: AHEAD });
  #resize = new ResizeObserver(() => this.#soon());

  /** @param {(layout: {tiles: Tile[]}) => Promise<void>} show tells the server */
  constructor(show) {
    this.#show = show;
    const { signal } = this.#closing;
    document.addEventListener('visibilitychange', () => this.#soon(true), { signal });
    for (const name of ['enterpictureinpicture', 'leavepictureinpicture']) {
      document.addEventListener(name, () => this.#soon(), { signal, capture: true });
    }
  }

  /** @param {Shown[]} shown all tiles of others, in their order; repeating what is known costs nothing */
  update(shown) {
    const before = new Set(this.#shown.map(({ figure }) => figure));
    const now = new Set(shown.map(({ figure }) => figure));
    for (const figure of before) {
      if (now.has(figure)) continue;
      this.#intersection.unobserve(figure);
      this.#resize.unobserve(figure);
      this.#sight.delete(figure);
    }
    for (const figure of now) {
      if (before.has(figure)) continue;
      this.#intersection.observe(figure);
      this.#resize.observe(figure);
    }
    this.#shown = shown;
    this.#soon();
  }

  close() {
    clearTimeout(this.#timer);
    this.#closing.abort();
    this.#intersection.disconnect();
    this.#resize.disconnect();
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #onSight(entries) {
    for (const { target, isIntersecting } of entries) this.#sight.set(target, isIntersecting);
    this.#soon();
  }

  /**
   * What is due earlier stays: in a large room something happens all the time.
   * @param {boolean} [anew] we are looked at, or not any more: the wait is another
   */
  #soon(anew = false) {
    const wait = document.visibilityState === 'hidden' ? HIDDEN_AFTER_MS : PAUSE_MS;
    this.#tellAt(performance.now() + (this.#told ? wait : 0), anew);
  }

  /**
   * @param {number} due
   * @param {boolean} anew
   */
  #tellAt(due, anew) {
    if (this.#due <= due && !anew) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.#tell(), due - performance.now());
  }

  #tell() {
    this.#due = Infinity;
    if (this.#waitsForSight()) return;
    const seen = this.#shown.filter(({ figure }) => this.#isSeen(figure));
    // By importance: of more than may be told the last are left out. Sorting keeps the order of the rest.
    const tiles = seen.sort((a, b) => Number(b.onStage) - Number(a.onStage)).slice(0, MOST_TILES).map(tileOf);
    const text = JSON.stringify(tiles);
    if (text === this.#told) return;
    this.#told = text;
    this.#show({ tiles }).catch(() => (this.#told = '')); // with the next change, then
  }

  /** Only the first does: later ones are followed by what the browser says of the tiles that are new. */
  #waitsForSight() {
    const isKnown = this.#shown.every(({ figure }) => this.#sight.has(figure));
    if (this.#told || isKnown || document.visibilityState === 'hidden') return false;
    const now = performance.now();
    this.#firstBy ??= now + FIRST_WITHIN_MS;
    if (now >= this.#firstBy) return false;
    this.#tellAt(this.#firstBy, false);
    return true;
  }

  /** @param {HTMLElement} figure */
  #isSeen(figure) {
    if (figure.contains(document.pictureInPictureElement)) return true;
    return document.visibilityState === 'visible' && this.#sight.get(figure) === true;
  }
}

/**
 * @param {Shown} shown
 * @returns {Tile}
 */
function tileOf({ figure, track, onStage }) {
  const { width, height } = figure.getBoundingClientRect();
  const pixels = (/** @type {number} */ side) => Math.min(Math.round(side * devicePixelRatio), LARGEST_SIDE);
  return { track, width: pixels(width), height: pixels(height), on_stage: onStage };
}
