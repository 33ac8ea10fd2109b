/** Pinning, full screen and picture-in-picture for one tile; a button is there only where the browser can do it. */

import { announce, setFace } from './page.js';

const CAN_FILL = document.fullscreenEnabled === true;
const CAN_FLOAT = document.pictureInPictureEnabled === true;

export class TileTools {
  #figure;
  #video;
  #pin;
  #moderate;
  #fill;
  #float;
  #name = '';

  /**
   * @param {HTMLElement} figure
   * @param {HTMLVideoElement} video
   * @param {{onPin: () => void, onModerate: () => void}} on
   */
  constructor(figure, video, { onPin, onModerate }) {
    this.#figure = figure;
    this.#video = video;
    this.#pin = tool(figure, 'pin');
    this.#moderate = tool(figure, 'moderate');
    this.#moderate.addEventListener('click', onModerate);
    this.#fill = tool(figure, 'full-screen');
    this.#float = tool(figure, 'picture');
    this.#pin.addEventListener('click', onPin);
    this.#fill.addEventListener('click', () => this.#toggleFill());
    this.#float.addEventListener('click', () => this.#toggleFloat());
    figure.addEventListener('fullscreenchange', () => this.#render());
    figure.addEventListener('dblclick', (event) => CAN_FILL && !isButton(event.target) && this.#toggleFill());
    // Without a pointer that hovers, a tap shows the buttons and another hides them.
    figure.addEventListener('click', (event) => {
      if (!isButton(event.target)) figure.dataset.tools = String(figure.dataset.tools !== 'true');
    });
    for (const name of ['enterpictureinpicture', 'leavepictureinpicture']) {
      video.addEventListener(name, () => this.#render());
    }
  }

  /**
   * @param {string} name whose picture this is
   * @param {boolean} useful one's own picture needs no larger view
   * @param {{pinned: boolean, moderated: boolean}} how `moderated`: there is something that we may do about them
   */
  update(name, useful, { pinned, moderated }) {
    this.#moderate.hidden = !moderated;
    setFace(this.#moderate, { icon: 'more', label: `What to do about ${name}` });
    this.#name = name;
    this.#pin.hidden = !useful;
    setFace(this.#pin, { icon: 'pin', label: `Keep large: ${name}`, sharing: pinned });
    this.#pin.ariaPressed = String(pinned);
    this.#fill.hidden = !useful || !CAN_FILL;
    this.#float.hidden = !useful || !CAN_FLOAT;
    this.#render();
  }

  #render() {
    const filled = document.fullscreenElement === this.#figure;
    const floating = document.pictureInPictureElement === this.#video;
    setFace(this.#fill, {
      icon: filled ? 'full-screen-off' : 'full-screen',
      label: filled ? 'Leave full screen' : `Full screen: ${this.#name}`,
    });
    setFace(this.#float, {
      icon: 'picture',
      label: floating ? 'Back into the page' : `Picture in picture: ${this.#name}`,
    });
  }

  #toggleFill() {
    const filled = document.fullscreenElement === this.#figure;
    const change = filled ? document.exitFullscreen() : this.#figure.requestFullscreen();
    change.catch(() => announce('The browser did not allow full screen.'));
  }

  #toggleFloat() {
    const floating = document.pictureInPictureElement === this.#video;
    const change = floating ? document.exitPictureInPicture() : this.#video.requestPictureInPicture();
    change.catch(() => announce('The browser did not allow picture in picture.'));
  }
}

/**
 * @param {HTMLElement} figure
 * @param {string} name
 */
function tool(figure, name) {
  const found = figure.querySelector(`[data-tool="${name}"]`);
  if (!(found instanceof HTMLButtonElement)) throw new Error(`the tile template has no tool ${name}`);
  return found;
}

/** @param {EventTarget | null} target */
function isButton(target) {
  return target instanceof Element && target.closest('button') !== null;
}
