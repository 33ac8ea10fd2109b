/**
 * Keys of a call: one letter per button (its `data-key`), and Space to talk.
 *
 * Letters can be switched off (WCAG 2.1.4: speech input and trembling hands press them by accident), and so can Space.
 * Neither is taken from somebody who writes, chooses in a dialog, or came to a button by the keyboard.
 */

/** @typedef {import('./push-to-talk.js').PushToTalk} PushToTalk */
/** @typedef {import('./preferences.js').Preferences} Preferences */

const WRITING = 'input, select, textarea, [contenteditable]';
const PRESSED_BY_SPACE = 'button, a, summary, [role="button"]';

export class Keys {
  #preferences;
  #pushToTalk;
  #listening = new AbortController();
  /** @type {Element | null} the button last clicked: it keeps the focus, but Space is not meant for it */
  #clicked = null;

  /**
   * @param {Preferences} preferences read at every key
   * @param {PushToTalk} pushToTalk
   */
  constructor(preferences, pushToTalk) {
    this.#preferences = preferences;
    this.#pushToTalk = pushToTalk;
    const { signal } = this.#listening;
    document.addEventListener('keydown', (event) => this.#onDown(event), { signal });
    document.addEventListener('keyup', (event) => this.#onUp(event), { signal });
    document.addEventListener('pointerdown', (event) => (this.#clicked = pressable(event.target)), { signal });
    // A key that comes up elsewhere is not seen here: nobody is to be heard unawares.
    addEventListener('blur', () => this.#pushToTalk.release(), { signal });
    document.addEventListener('visibilitychange', () => this.#pushToTalk.release(), { signal });
  }

  close() {
    this.#pushToTalk.release();
    this.#listening.abort();
  }

  /** @param {KeyboardEvent} event */
  #onDown(event) {
    if (event.key === 'Tab') this.#clicked = null;
    if (event.ctrlKey || event.metaKey || event.altKey || isBusy(event.target)) return;
    if (event.code === 'Space') this.#onSpace(event);
    else if (!event.repeat && this.#preferences.shortcuts && pressButtonOf(event.key.toLowerCase())) {
      event.preventDefault(); // or the letter is written where the button has put the focus: into the chat
    }
  }

  /** @param {KeyboardEvent} event */
  #onSpace(event) {
    if (!this.#preferences.pushToTalk || !this.#isOurs(event)) return;
    event.preventDefault(); // neither scrolls nor presses the button that was clicked last
    if (!event.repeat) this.#pushToTalk.hold();
  }

  /** @param {KeyboardEvent} event */
  #onUp(event) {
    if (event.code !== 'Space') return;
    this.#pushToTalk.release();
    if (this.#preferences.pushToTalk && !isBusy(event.target) && this.#isOurs(event)) event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  #isOurs(event) {
    const button = pressable(event.target);
    return button === null || button === this.#clicked;
  }
}

/**
 * The keys there are, for people to read: pairs of key and what it does.
 * @returns {[string, string][]}
 */
export function keysOfButtons() {
  return buttonsWithKeys().map((button) => [button.dataset.key ?? '', button.getAttribute('aria-label') ?? '']);
}

/**
 * Buttons tell assistive tools their key only while it works.
 * @param {boolean} on
 */
export function tellKeys(on) {
  for (const button of buttonsWithKeys()) {
    if (on) button.setAttribute('aria-keyshortcuts', button.dataset.key ?? '');
    else button.removeAttribute('aria-keyshortcuts');
  }
}

/**
 * @param {string} key
 * @returns {boolean} whether there is one
 */
function pressButtonOf(key) {
  const button = buttonsWithKeys().find((each) => each.dataset.key === key);
  button?.click();
  return button !== undefined;
}

function buttonsWithKeys() {
  return [...document.querySelectorAll('button')].filter((button) => button.dataset.key && !button.closest('[hidden]'));
}

/** @param {EventTarget | null} target */
function isBusy(target) {
  return document.querySelector('dialog[open]') !== null || (target instanceof Element && target.closest(WRITING) !== null);
}

/** @param {EventTarget | null} target */
function pressable(target) {
  return target instanceof Element ? target.closest(PRESSED_BY_SPACE) : null;
}
