/** The dialog of a call: devices, keys, what is received, speaker view, statistics. What is chosen is used at once and remembered. */

import { DevicePickers } from './devices.js';
import { keysOfButtons } from './keys.js';
import { element } from './page.js';
import { keepPreferences } from './preferences.js';

/** @typedef {import('./preferences.js').Preferences} Preferences */
/** @typedef {import('./devices.js').Device} Device */

/** The boxes of the dialog, and what each is remembered as. */
const OPTIONS = /** @type {const} */ ([
  ['option-talk', 'pushToTalk'],
  ['option-keys', 'shortcuts'],
  ['option-speaker', 'speakerView'],
  ['option-statistics', 'statistics'],
  ['option-sound', 'soundOnly'],
]);
/** The same of its lists, whose values are numbers. */
const CHOICES = /** @type {const} */ ([
  ['choice-saver', 'saverBps'],
  ['choice-pictures', 'mostPictures'],
]);

export class Settings {
  #dialog = element('settings', HTMLDialogElement);
  #keys = element('settings-keys', HTMLElement);
  #preferences;
  #pickers;
  #listening = new AbortController();

  /**
   * @param {Preferences} preferences
   * @param {(device: Device, deviceId: string) => void} onDevice
   * @param {() => void} onOption another option is chosen, and kept
   */
  constructor(preferences, onDevice, onOption) {
    this.#preferences = preferences;
    this.#pickers = new DevicePickers(element('settings-devices', HTMLElement), preferences, onDevice);
    const { signal } = this.#listening;
    element('open-settings', HTMLButtonElement).addEventListener('click', () => void this.#open(), { signal });
    for (const [id, option] of OPTIONS) {
      const box = element(id, HTMLInputElement);
      box.addEventListener('change', () => this.set(option, box.checked), { signal });
    }
    for (const [id, choice] of CHOICES) {
      const list = element(id, HTMLSelectElement);
      list.addEventListener('change', () => this.set(choice, Number(list.value)), { signal });
    }
    this.#onOption = onOption;
  }

  #onOption;

  /**
   * @template {(typeof OPTIONS)[number][1] | (typeof CHOICES)[number][1]} Option
   * @param {Option} option
   * @param {Preferences[Option]} value
   */
  set(option, value) {
    this.#preferences[option] = value;
    keepPreferences(this.#preferences);
    this.#onOption();
  }

  close() {
    this.#listening.abort();
    this.#pickers.close();
    this.#dialog.close();
  }

  async #open() {
    for (const [id, option] of OPTIONS) element(id, HTMLInputElement).checked = this.#preferences[option];
    for (const [id, choice] of CHOICES) element(id, HTMLSelectElement).value = String(this.#preferences[choice]);
    this.#keys.replaceChildren(...keysOfButtons().flatMap(([key, label]) => [keyCap(key), ` ${label}`, document.createElement('br')]));
    await this.#pickers.refresh();
    this.#dialog.showModal();
  }
}

/** @param {string} key */
function keyCap(key) {
  const cap = document.createElement('kbd');
  cap.textContent = key;
  return cap;
}
