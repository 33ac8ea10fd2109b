/**
 * One tile: a person's camera, or a shared screen.
 *
 * Its state is written on the element for styles, for assistive tools and for tests: `data-participant`, `data-source`,
 * `data-video` (on once a picture is there), `data-microphone`, `data-speaking`, `data-state`, `data-quality`.
 */

import { fromTemplate } from './page.js';
import { TileTools } from './tile-tools.js';
import { qualityWords } from './why.js';

/**
 * @typedef {object} TileState
 * @property {string} identity
 * @property {string} name as shown
 * @property {'camera' | 'screen'} source
 * @property {boolean} own
 * @property {string | null} track id of the track of video, muted or not
 * @property {string | null} voice id of the track of the microphone that is heard with it
 * @property {MediaStreamTrack | null} video
 * @property {string} videoKey another value: another picture, though the media track may be the same
 * @property {'on' | 'off' | 'none'} microphone
 * @property {boolean} speaking
 * @property {'connected' | 'reconnecting'} state
 * @property {boolean} hand raised
 * @property {boolean} onStage by a moderator's wish
 * @property {'sound_only' | 'most_pictures'} [spared] why its picture is not received, by one's own choice
 * @property {import('../client/types.js').Quality | null} quality of the call, for whose tile it is; null: not to be shown
 */

let tilesMade = 0; // names the words of each

export class Tile {
  #figure;
  #video;
  #name;
  #avatar;
  #quality;
  #figures;
  #why;
  #tools;
  #videoKey = '';

  /**
   * @param {TileState} state whose tile it is; `update` shows it
   * @param {{onResize: () => void, onPin: () => void, onModerate: () => void}} on its picture has another shape; it is to be
   *   shown large, or no more; something is to be done about whose it is
   */
  constructor(state, { onResize, onPin, onModerate }) {
    const fragment = fromTemplate('tile');
    this.#figure = find(fragment, '.tile', HTMLElement);
    this.#video = find(fragment, 'video', HTMLVideoElement);
    this.#name = find(fragment, '.tile-name', HTMLElement);
    this.#avatar = find(fragment, '.avatar', HTMLElement);
    this.#quality = find(fragment, '.tile-quality', HTMLElement);
    this.#figures = find(fragment, '.tile-figures', HTMLElement);
    this.#tools = new TileTools(this.#figure, this.#video, { onPin, onModerate });
    this.#why = find(fragment, '.tile-why', HTMLElement);
    this.#why.id = `tile-why-${++tilesMade}`;
    find(fragment, '[data-tool="pin"]', HTMLButtonElement).setAttribute('aria-describedby', this.#why.id);
    this.#figure.dataset.participant = state.identity;
    this.#figure.dataset.source = state.source;
    this.#figure.dataset.video = 'off';
    this.#figure.style.setProperty('--hue', String(hueOf(state.identity)));
    // As in a mirror: people find their own picture wrong otherwise. A screen stays as it is.
    this.#video.classList.toggle('mirrored', state.own && state.source === 'camera');
    this.#video.addEventListener('loadeddata', () => (this.#figure.dataset.video = this.#videoKey ? 'on' : 'off'));
    this.#video.addEventListener('resize', onResize);
  }

  get figure() {
    return this.#figure;
  }

  /** Width by height of the picture; null while there is none. */
  get ratio() {
    const { videoWidth, videoHeight } = this.#video;
    return this.#videoKey && videoHeight ? videoWidth / videoHeight : null;
  }

  /** How many lines its picture has, as people count them: of an upright one, across. 0 while there is none. */
  get lines() {
    return this.ratio ? Math.min(this.#video.videoWidth, this.#video.videoHeight) : 0;
  }

  /**
   * @param {TileState} state
   * @param {{pinned: boolean, moderated: boolean}} how
   */
  update(state, how) {
    this.#name.textContent = state.name;
    this.#avatar.textContent = initials(state.name);
    this.#video.setAttribute('aria-label', state.source === 'screen' ? state.name : `Camera of ${state.name}`);
    this.#figure.dataset.microphone = state.microphone;
    this.#figure.dataset.speaking = String(state.speaking);
    this.#figure.dataset.state = state.state;
    this.#figure.dataset.hand = String(state.hand);
    this.#figure.dataset.onStage = String(state.onStage);
    this.#showQuality(state);
    this.#tools.update(state.name, !state.own, how);
    this.#showVideo(state.video, state.video ? state.videoKey : '');
  }

  /** @param {string[] | null} lines of statistics; null: none are wanted */
  showFigures(lines) {
    this.#figures.hidden = lines === null;
    this.#figures.replaceChildren(
      ...(lines ?? []).map((line) => {
        const item = document.createElement('li');
        item.textContent = line;
        return item;
      }),
    );
  }

  /** @param {string} words why it looks as it does; empty: nobody wonders */
  showWhy(words) {
    if (this.#why.textContent !== words) this.#why.textContent = words;
  }

  remove() {
    this.#video.srcObject = null;
    this.#figure.remove();
  }

  /** @param {TileState} state */
  #showQuality({ quality, own }) {
    const level = quality?.level ?? '';
    const words = quality ? qualityWords(quality, own) : '';
    this.#figure.dataset.quality = level;
    this.#quality.setAttribute('aria-label', words);
    this.#quality.title = words;
  }

  /**
   * @param {MediaStreamTrack | null} video
   * @param {string} key
   */
  #showVideo(video, key) {
    if (key === this.#videoKey) return;
    this.#videoKey = key;
    this.#figure.dataset.video = 'off'; // until its first picture: no black flash
    this.#video.srcObject = video && new MediaStream([video]);
    // `autoplay` starts it; a refusal would only leave the avatar.
    if (video) this.#video.play().catch(() => undefined);
  }
}

/** @param {string} name */
function initials(name) {
  const words = name.split(/\s+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  return words
    .slice(0, 2)
    .map((word) => [...word][0]?.toUpperCase())
    .join('');
}

/**
 * The same colour for the same person, everywhere.
 * @param {string} identity
 */
function hueOf(identity) {
  return [...identity].reduce((sum, character) => (sum * 31 + (character.codePointAt(0) ?? 0)) % 360, 7);
}

/**
 * @template {Element} Kind
 * @param {ParentNode} within
 * @param {string} selector
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
function find(within, selector, kind) {
  const found = within.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`the tile template has no ${selector}`);
  return found;
}
