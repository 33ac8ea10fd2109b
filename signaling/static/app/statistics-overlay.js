/** Shows on every tile what the browser measures of it, once a second, while it is switched on. */

import { connectionLine, Figures } from './figures.js';
import { element } from './page.js';

/** @typedef {import('../client/client.js').Room} Room */

const INTERVAL_MS = 1000;

export class StatisticsOverlay {
  #room;
  #board;
  #line = element('connection-figures', HTMLElement);
  #figures = new Figures();
  #timer = 0;
  #reading = false;

  /**
   * @param {Room} room
   * @param {import('./board.js').Board} board
   */
  constructor(room, board) {
    this.#room = room;
    this.#board = board;
  }

  /** @param {boolean} on */
  show(on) {
    if (on === this.#timer > 0) return;
    clearInterval(this.#timer);
    this.#timer = on ? setInterval(() => void this.#read(), INTERVAL_MS) : 0;
    this.#line.hidden = !on;
    this.#line.textContent = '';
    // Rates are since the reading before: the first one is not for showing.
    if (on) void this.#room.statistics().catch(() => undefined);
    else this.#board.showFigures(null);
  }

  async #read() {
    if (this.#reading) return; // a busy browser takes longer than a second
    this.#reading = true;
    const statistics = await this.#room.statistics().catch(() => null);
    this.#reading = false;
    if (!statistics || !this.#timer) return;
    this.#board.showFigures(this.#figures.read(statistics));
    this.#line.textContent = connectionLine(statistics);
  }
}
