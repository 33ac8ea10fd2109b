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
  /** @type {Set<Element>} those that are not seen and come after what is */
  #beyond = new Set();
  #observer;

  /** @param {HTMLElement} grid scrolls when not all tiles fit */
  constructor(grid) {
    this.#grid = grid;
    this.#observer = new IntersectionObserver((entries) => this.#onEntries(entries), { root: grid, threshold: SEEN_SHARE });
    this.#button.onclick = () => this.#goOn();
  }

  /** @param {HTMLElement} tile */
  watch(tile) {
    this.#observer.observe(tile);
  }

  /** @param {HTMLElement} tile */
  forget(tile) {
    this.#observer.unobserve(tile);
    this.#beyond.delete(tile);
    this.#render();
  }

  close() {
    this.#observer.disconnect();
    this.#button.hidden = true;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #onEntries(entries) {
    for (const { target, intersectionRatio, boundingClientRect: tile, rootBounds: view } of entries) {
      const after = view !== null && (tile.bottom > view.bottom + 1 || tile.right > view.right + 1);
      if (intersectionRatio < SEEN_SHARE && after) this.#beyond.add(target);
      else this.#beyond.delete(target);
    }
    this.#render();
  }

  #render() {
    this.#button.hidden = this.#beyond.size === 0;
    element('more-words', HTMLElement).textContent = moreWords(this.#beyond.size);
  }

  #goOn() {
    const next = [...this.#grid.children].find((tile) => this.#beyond.has(tile));
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    next?.scrollIntoView({ behavior: calm ? 'auto' : 'smooth', block: 'start', inline: 'start' });
  }
}
