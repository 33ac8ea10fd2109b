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
const LARGEST_SIDE = 16384; // PROTOCOL.md

/** @typedef {import('../client/types.js').Tile} Tile */
/** @typedef {{figure: HTMLElement, track: string, onStage: boolean}} Shown one tile, and the track of video in it */

export class Showing {
  #show;
  /** @type {Shown[]} */
  #shown = [];
  /** @type {Set<Element>} what has just come is in sight until we hear otherwise */
  #outOfSight = new Set();
  #told = '';
  #timer = 0;
  #closing = new AbortController();
  #intersection = new IntersectionObserver((entries) => this.#onSight(entries), { rootMargin: AHEAD });
  #resize = new ResizeObserver(() => this.#soon());

  /** @param {(layout: {tiles: Tile[]}) => Promise<void>} show tells the server */
  constructor(show) {
    this.#show = show;
    const { signal } = this.#closing;
    document.addEventListener('visibilitychange', () => this.#soon(), { signal });
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
      this.#outOfSight.delete(figure);
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
    for (const { target, isIntersecting } of entries) this.#outOfSight[isIntersecting ? 'delete' : 'add'](target);
    this.#soon();
  }

  #soon() {
    clearTimeout(this.#timer);
    const wait = document.visibilityState === 'hidden' ? HIDDEN_AFTER_MS : PAUSE_MS;
    this.#timer = setTimeout(() => this.#tell(), this.#told ? wait : 0);
  }

  #tell() {
    const tiles = this.#shown.filter(({ figure }) => this.#isSeen(figure)).map(tileOf);
    const text = JSON.stringify(tiles);
    if (text === this.#told) return;
    this.#told = text;
    this.#show({ tiles }).catch(() => (this.#told = '')); // with the next change, then
  }

  /** @param {HTMLElement} figure */
  #isSeen(figure) {
    if (figure.contains(document.pictureInPictureElement)) return true;
    return document.visibilityState === 'visible' && !this.#outOfSight.has(figure);
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
