/**
 * Says how many tiles lie beyond the edge of the grid, so that nobody is out of sight unnoticed, and leads there.
 */

import { element } from './page.js';
import { moreWords } from './words.js';

// A tile counts as seen from here on: less than that is a forehead.
const SEEN_SHARE = 0.5;

export class MoreTiles {
  #grid;
  #button = element('more-tiles', HTMLButtonElement);
  #frame = 0;
  #scrolling = new AbortController();

  /** @param {HTMLElement} grid scrolls when not all tiles fit; `update` is told when they change */
  constructor(grid) {
    this.#grid = grid;
    grid.addEventListener('scroll', () => this.update(), { signal: this.#scrolling.signal, passive: true });
    this.#button.onclick = () => this.#goOn();
  }

  /** Counts anew, once before the next picture. (An observer would not hear of a tile that was beyond and is now before.) */
  update() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const count = this.#beyond().length;
      this.#button.hidden = count === 0;
      element('more-words', HTMLElement).textContent = moreWords(count);
    });
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.#scrolling.abort();
    this.#button.hidden = true;
  }

  /** Those that are not seen and come after what is. */
  #beyond() {
    const view = this.#grid.getBoundingClientRect();
    return [...this.#grid.children].filter((each) => {
      const tile = each.getBoundingClientRect();
      const width = Math.min(tile.right, view.right) - Math.max(tile.left, view.left);
      const height = Math.min(tile.bottom, view.bottom) - Math.max(tile.top, view.top);
      const isSeen = Math.max(width, 0) * Math.max(height, 0) >= SEEN_SHARE * tile.width * tile.height;
      return !isSeen && (tile.bottom > view.bottom + 1 || tile.right > view.right + 1);
    });
  }

  #goOn() {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#beyond()[0]?.scrollIntoView({ behavior: calm ? 'auto' : 'smooth', block: 'start', inline: 'start' });
  }
}
