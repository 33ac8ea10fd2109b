/** The dialog of a call: devices, keys, speaker view, statistics. What is chosen is used at once and remembered. */

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
    this.#onOption = onOption;
  }

  #onOption;

  /**
   * @param {'pushToTalk' | 'shortcuts' | 'speakerView' | 'statistics'} option
   * @param {boolean} on
   */
  set(option, on) {
    this.#preferences[option] = on;
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
