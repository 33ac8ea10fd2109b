/**
 * All tiles of the call. `render` makes the page agree with the room, whatever happened in between, so that no
 * sequence of events can leave a ghost.
 */

import { Explainer } from './explainer.js';
import { MoreTiles } from './more-tiles.js';
import { element } from './page.js';
import { gridLayout, stageLayout, stripLayout } from './layout.js';
import { boundedLayout, chosenPictures } from './receiving.js';
import { Showing } from './showing.js';
import { onStage } from './stage.js';
import { tileKey, tileStates } from './tile-states.js';
import { Tile } from './tiles.js';
import { qualityWords, whySentWords, whySilentWords, whySparedWords, whyWords } from './why.js';

/** @typedef {import('./tiles.js').TileState} TileState */
/** @typedef {import('../client/types.js').Explanation} Explanation */
/** @typedef {import('../client/types.js').Sending} Sending */
/** @typedef {import('../client/client.js').Room} Room */
/** @typedef {import('./preferences.js').Preferences} Preferences */

const NARROW = '(max-width: 760px)'; // as in call.css
// What clientWidth may have been rounded up by, where the page is zoomed: so much too wide, and the last tile wraps.
const ROUNDING = 0.5;

export class Board {
  #room;
  #onModerate;
  #board = element('board', HTMLElement);
  #stage = element('stage', HTMLElement);
  #grid = element('grid', HTMLElement);
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {TileState[]} what the tiles show, in their order */
  #states = [];
  /** @type {string | null} the tile that is to stay large */
  #pinned = null;
  #preferences;
  #more = new MoreTiles(this.#grid);
  #showing;
  #explainer;
  #listening = new AbortController();
  #resize = new ResizeObserver(() => this.#layout());
  #scheduled = false;
  #closed = false;
  /** @type {import('../client/types.js').Tile[] | null} what the server was told last */
  #shown = null;
  #bounds = ''; // of that

  /**
   * @param {Room} room
   * @param {Preferences} preferences read anew by every `render`
   * @param {(identity: string) => void} onModerate
   */
  constructor(room, preferences, onModerate) {
    this.#room = room;
    this.#onModerate = onModerate;
    this.#preferences = preferences;
    this.#showing = new Showing(({ tiles }) => this.#show(tiles));
    this.#explainer = new Explainer(
      (tile) => this.#explain(tile),
      (tile, told) => this.#showWhy(tile, told),
    );
    this.#resize.observe(this.#board);
    this.#watchLooks();
    this.render();
  }

  /** Renders once, soon, however many events came together. */
  renderSoon() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (!this.#closed) this.render();
    });
  }

  render() {
    const isStaged = (/** @type {TileState} */ state) => this.#stage.contains(this.#tiles.get(tileKey(state))?.figure ?? null);
    this.#states = chosenPictures(tileStates(this.#room), this.#preferences, isStaged, this.#room.view.speakers.recent);
    const wanted = new Set(this.#states.map(tileKey));
    for (const [key, tile] of this.#tiles) {
      if (wanted.has(key)) continue;
      tile.remove();
      this.#tiles.delete(key);
    }
    if (this.#pinned !== null && !wanted.has(this.#pinned)) this.#pinned = null;
    for (const state of this.#states) {
      const key = tileKey(state);
      const tile = this.#tiles.get(key) ?? this.#newTile(key, state);
      tile.update(state, { pinned: key === this.#pinned, moderated: this.#room.grants.administer && !state.own });
    }
    this.#place();
    element('alone', HTMLElement).hidden = this.#room.participants.size > 0;
    this.#layout();
    this.#showing.update(
      this.#states.flatMap((state) => {
        const figure = this.#tiles.get(tileKey(state))?.figure;
        const { track, own, spared } = state;
        return figure && track && !own && !spared ? [{ figure, track, onStage: this.#stage.contains(figure) }] : [];
      }),
    );
    // The same tiles, and other bounds.
    if (this.#shown && this.#bounds !== boundsOf(this.#preferences)) void this.#show(this.#shown).catch(() => undefined);
  }

  /**
   * @param {import('../client/types.js').Tile[]} tiles
   * @returns {Promise<void>}
   */
  #show(tiles) {
    this.#shown = tiles;
    this.#bounds = boundsOf(this.#preferences);
    return this.#room.view.show(boundedLayout(tiles, this.#preferences));
  }

  /** @param {Map<string, string[]> | null} figures lines by tile (`identity source`); null: none are wanted */
  showFigures(figures) {
    for (const [key, tile] of this.#tiles) tile.showFigures(figures && (figures.get(key) ?? []));
  }

  close() {
    this.#closed = true;
    this.#listening.abort();
    this.#explainer.close();
    this.#more.close();
    this.#showing.close();
    this.#resize.disconnect();
    for (const tile of this.#tiles.values()) tile.remove();
  }

  /**
   * @param {string} key
   * @param {TileState} state
   */
  #newTile(key, state) {
    const onPin = () => {
      this.#pinned = this.#pinned === key ? null : key;
      this.render();
    };
    const tile = new Tile(state, { onResize: () => this.#layout(), onPin, onModerate: () => this.#onModerate(state.identity) });
    this.#tiles.set(key, tile);
    return tile;
  }

  /** Brings every tile to the stage or into the grid, in its order; those that are there already are not touched. */
  #place() {
    const tiles = this.#states.map((state) => ({ ...state, key: tileKey(state) }));
    const before = tiles.filter(({ key }) => this.#stage.contains(this.#tiles.get(key)?.figure ?? null));
    const wishes = {
      pinned: this.#pinned,
      speakerView: this.#preferences.speakerView,
      recent: this.#room.view.speakers.recent,
    };
    const staged = onStage(tiles, wishes, before.map(({ key }) => key));
    const focused = document.activeElement;
    const next = { stage: this.#stage.firstElementChild, grid: this.#grid.firstElementChild };
    for (const { key } of tiles) {
      const figure = this.#tiles.get(key)?.figure;
      if (!figure) continue;
      // What fills the screen, or floats, would come back into the page by being moved.
      const stays = figure.isConnected && (figure.contains(document.fullscreenElement) || figure.contains(document.pictureInPictureElement));
      const where = (stays ? this.#stage.contains(figure) : staged.includes(key)) ? 'stage' : 'grid';
      if (figure === next[where]) next[where] = figure.nextElementSibling;
      else this.#move(figure, where, next);
    }
    if (focused instanceof HTMLElement && this.#board.contains(focused)) focused.focus({ preventScroll: true });
  }

  /**
   * @param {HTMLElement} figure
   * @param {'stage' | 'grid'} where
   * @param {Record<'stage' | 'grid', Element | null>} next the tile before which it goes
   */
  #move(figure, where, next) {
    for (const place of /** @type {const} */ (['stage', 'grid'])) {
      if (next[place] === figure) next[place] = figure.nextElementSibling;
    }
    (where === 'stage' ? this.#stage : this.#grid).insertBefore(figure, next[where]);
  }

  /** Somebody points at a tile, or came to its buttons by the keyboard: why does it look as it does? */
  #watchLooks() {
    const { signal } = this.#listening;
    const look = (/** @type {Event} */ { target }) => {
      const key = this.#states.map(tileKey).find((each) => this.#tiles.get(each)?.figure.contains(/** @type {Node} */ (target)));
      if (key === undefined) this.#explainer.lookAway();
      else this.#explainer.look(key);
    };
    for (const name of ['pointerover', 'pointermove', 'focusin']) this.#board.addEventListener(name, look, { signal });
    for (const name of ['pointerleave', 'focusout']) {
      this.#board.addEventListener(name, () => this.#explainer.lookAway(), { signal });
    }
    // What was not moved while it filled the screen goes where it belongs now.
    document.addEventListener('fullscreenchange', () => this.renderSoon(), { signal });
    document.addEventListener('leavepictureinpicture', () => this.renderSoon(), { signal, capture: true });
  }

  /**
   * @param {string} tile
   * @returns {Promise<{sending?: Sending, explanation?: Explanation}>} one's own is asked of the browser
   */
  async #explain(tile) {
    const state = this.#states.find((each) => tileKey(each) === tile);
    const { track = null, voice = null, own = false } = state ?? {};
    const local = own && track !== null ? this.#room.you.tracks.get(track) : null;
    if (local) return local.muted ? {} : { sending: await local.sending() };
    const tracks = [track, voice].filter((id) => id !== null);
    return tracks.length > 0 ? { explanation: await this.#room.view.explain(tracks) } : {};
  }

  /**
   * @param {string | null} looked key of the tile that is looked at
   * @param {{sending?: Sending, explanation?: Explanation} | null} told
   */
  #showWhy(looked, told) {
    const { saverBps } = this.#preferences;
    const of = (/** @type {string | null} */ id) => told?.explanation?.tracks.find(({ track }) => track === id);
    for (const state of this.#states) {
      const tile = this.#tiles.get(tileKey(state));
      const isLooked = tileKey(state) === looked;
      const [picture, voice, sending] = isLooked ? [of(state.track), of(state.voice), told?.sending] : [];
      const trouble = isLooked && state.quality && state.quality.level !== 'good' ? qualityWords(state.quality, state.own) : '';
      const words = [
        sending && whySentWords(sending),
        isLooked && state.spared && whySparedWords(state.spared),
        picture && !state.spared && whyWords(picture, tile?.lines ?? 0, told?.explanation?.budget_bps === saverBps),
        voice && whySilentWords(voice),
        trouble,
      ];
      tile?.showWhy(words.filter(Boolean).join('. '));
    }
  }

  #layout() {
    const staged = this.#stage.childElementCount;
    this.#stage.hidden = staged === 0;
    this.#board.dataset.stage = String(staged > 0);
    const across = matchMedia(NARROW).matches;
    const shapes = (/** @type {HTMLElement} */ container) =>
      [...this.#tiles.values()].flatMap(({ figure, ratio }) => (ratio && container.contains(figure) ? [ratio] : []));
    if (staged) setTileSize(this.#stage, (width, height, gap) => stageLayout(staged, width, height, gap, shapes(this.#stage)));
    setTileSize(this.#grid, (width, height, gap) =>
      staged
        ? stripLayout(width, height, across)
        : gridLayout(this.#grid.childElementCount, width, height, gap, shapes(this.#grid)),
    );
    this.#more.update();
  }
}

/**
 * @param {HTMLElement} container
 * @param {(width: number, height: number, gap: number) => import('./layout.js').TileSize} layout
 */
function setTileSize(container, layout) {
  const style = getComputedStyle(container);
  const padding = parseFloat(style.paddingLeft) * 2;
  const { tileWidth, tileHeight } = layout(
    container.clientWidth - padding - ROUNDING,
    container.clientHeight - padding - ROUNDING,
    parseFloat(style.columnGap) || 0,
  );
  container.style.setProperty('--tile-width', `${tileWidth}px`);
  container.style.setProperty('--tile-height', `${tileHeight}px`);
}

/** @param {Preferences} preferences */
function boundsOf({ soundOnly, mostPictures, saverBps }) {
  return JSON.stringify({ soundOnly, mostPictures, saverBps });
}
