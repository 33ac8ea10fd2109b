/**
 * Before the call: who am I, how do I look, is my microphone heard. Ends with a Choice.
 *
 * Opens the camera and microphone for the preview and hands them over, so that joining is immediate.
 */

import { MicrophoneLevel } from '../client/client.js';
import { DevicePickers, openWished } from './devices.js';
import { announce, element, setFace } from './page.js';
import { captureWish, keepPreferences, readPreferences } from './preferences.js';

/** @typedef {import('./preferences.js').Preferences} Preferences */

/**
 * @typedef {object} Choice
 * @property {string} room
 * @property {Preferences} preferences the name is in here
 * @property {MediaStreamTrack | null} camera
 * @property {MediaStreamTrack | null} microphone
 */

const METER_INTERVAL_MS = 60;

export class Lobby {
  #preferences = readPreferences();
  /** @type {MediaStreamTrack | null} */
  #camera = null;
  /** @type {MediaStreamTrack | null} */
  #microphone = null;
  /** @type {MicrophoneLevel | null} */
  #level = null;
  #open = false;
  #publishes;
  /** @type {Set<import('./devices.js').Device>} being opened */
  #busy = new Set();
  #opening = Promise.resolve();
  #form = element('lobby-form', HTMLFormElement);
  #name = element('lobby-name', HTMLInputElement);
  #room = element('lobby-room', HTMLInputElement);
  #join = element('lobby-join', HTMLButtonElement);
  #trouble = element('lobby-trouble', HTMLElement);
  #meter = element('lobby-meter', HTMLMeterElement);
  #video = element('preview-video', HTMLVideoElement);
  #words = element('preview-words', HTMLElement);
  #retry = element('preview-retry', HTMLButtonElement);
  #pickers;

  /** @param {import('./invitation.js').Invitation} invitation */
  constructor(invitation) {
    this.#publishes = invitation.publishes;
    element('preview', HTMLElement).hidden = element('lobby-sound', HTMLElement).hidden = !invitation.publishes;
    this.#name.value = invitation.name ?? this.#preferences.name;
    this.#name.readOnly = invitation.name !== null;
    this.#room.value = invitation.room || 'demo';
    element('lobby-room-field', HTMLElement).hidden = invitation.room !== '';
    if (invitation.room) element('lobby-title', HTMLElement).textContent = `Join “${invitation.room}”`;
    this.#pickers = new DevicePickers(element('lobby-devices', HTMLElement), this.#preferences, (device, deviceId) => {
      this.#preferences[device] = deviceId;
      this.#reopen(device);
    });
    this.#retry.onclick = () => this.#reopen(...this.#missing());
    watchPermissions(() => this.#open && this.#missing().length && this.#reopen(...this.#missing()));
    element('lobby-camera', HTMLButtonElement).onclick = () => this.#toggle('camera');
    element('lobby-microphone', HTMLButtonElement).onclick = () => this.#toggle('microphone');
    setInterval(() => this.#open && this.#showLevel(), METER_INTERVAL_MS);
  }

  /**
   * Waits for the person to join.
   * @param {string} trouble what went wrong before, if anything
   * @returns {Promise<Choice>}
   */
  async choose(trouble) {
    this.#trouble.textContent = trouble;
    this.#join.disabled = false;
    this.#join.textContent = 'Join';
    if (!this.#open) {
      this.#open = true;
      this.#preferences = Object.assign(this.#preferences, readPreferences());
      if (this.#publishes) this.#reopen('camera', 'microphone');
      (this.#name.value ? this.#join : this.#name).focus();
    }
    await submitted(this.#form);
    this.#join.disabled = true;
    this.#join.textContent = 'Joining…';
    this.#trouble.textContent = '';
    await this.#opening;
    this.#preferences.name = this.#name.value.trim();
    keepPreferences(this.#preferences);
    return {
      room: this.#room.value.trim(),
      preferences: this.#preferences,
      camera: this.#camera,
      microphone: this.#microphone,
    };
  }

  /** The devices now belong to the call. */
  handOver() {
    this.#open = false;
    this.#camera = this.#microphone = null;
    this.#show();
  }

  /** @param {'camera' | 'microphone'} device */
  #toggle(device) {
    const track = device === 'camera' ? this.#camera : this.#microphone;
    // What was wished and did not open is tried again.
    this.#preferences[device === 'camera' ? 'cameraOn' : 'microphoneOn'] = track === null;
    this.#reopen(device);
  }

  /** @param {import('./devices.js').Device[]} devices opened anew, or closed, as the preferences say */
  #reopen(...devices) {
    this.#opening = this.#opening.then(async () => {
      const { camera, microphone, cameraOn, microphoneOn } = this.#preferences;
      if (devices.includes('camera')) this.#camera = stopped(this.#camera);
      if (devices.includes('microphone')) this.#microphone = stopped(this.#microphone);
      this.#busy = new Set(devices);
      this.#show();
      const opened = await openWished(
        devices.includes('camera') && cameraOn ? { ...captureWish(location.search), deviceId: camera } : null,
        devices.includes('microphone') && microphoneOn ? { deviceId: microphone } : null,
      );
      this.#camera ??= opened.camera;
      this.#microphone ??= opened.microphone;
      this.#trouble.textContent = opened.trouble;
      if (this.#camera) this.#camera.onended = () => this.#onEnded('camera');
      if (this.#microphone) this.#microphone.onended = () => this.#onEnded('microphone');
      this.#busy.clear();
      this.#show();
      await this.#pickers.refresh();
    });
  }

  /** What is wished and not open. */
  #missing() {
    const { cameraOn, microphoneOn } = this.#preferences;
    /** @type {import('./devices.js').Device[]} */
    const missing = [];
    if (cameraOn && !this.#camera) missing.push('camera');
    if (microphoneOn && !this.#microphone) missing.push('microphone');
    return missing;
  }

  /** @param {'camera' | 'microphone'} device taken away; the preview goes on with the system's choice */
  #onEnded(device) {
    if (!this.#open) return;
    announce(`Your ${device} was disconnected.`);
    this.#preferences[device] = '';
    this.#reopen(device);
  }

  #show() {
    const { cameraOn, microphoneOn } = this.#preferences;
    const opening = cameraOn && this.#busy.has('camera');
    this.#video.srcObject = this.#camera && new MediaStream([this.#camera]);
    this.#words.hidden = this.#camera !== null;
    this.#words.textContent = previewWords(opening, cameraOn);
    // Where the page may not ask at all, asking again is no use.
    this.#retry.hidden = !navigator.mediaDevices || this.#busy.size > 0 || this.#missing().length === 0;
    this.#level?.close();
    this.#level = this.#microphone && new MicrophoneLevel(this.#microphone);
    element('meter-row', HTMLElement).hidden = !this.#microphone;
    const seen = this.#camera !== null || opening;
    setFace(element('lobby-camera', HTMLButtonElement), {
      icon: seen ? 'camera' : 'camera-off',
      label: seen ? 'Turn camera off' : 'Turn camera on',
      on: seen,
    });
    const heard = this.#microphone !== null || (microphoneOn && this.#busy.has('microphone'));
    setFace(element('lobby-microphone', HTMLButtonElement), {
      icon: heard ? 'microphone' : 'microphone-off',
      label: heard ? 'Turn microphone off' : 'Turn microphone on',
      on: heard,
    });
  }

  #showLevel() {
    // Loudness is heard logarithmically: the root spreads a quiet voice over the lower half.
    this.#meter.value = this.#level ? Math.sqrt(this.#level.read()) : 0;
  }
}

/**
 * @param {boolean} opening
 * @param {boolean} wished
 */
function previewWords(opening, wished) {
  if (opening) return 'Opening your camera… If the browser asks, allow it.';
  return wished ? 'No picture from your camera' : 'Your camera is off';
}

/**
 * Somebody who allows the camera beside the address need not press anything more.
 * @param {() => void} onGranted
 */
function watchPermissions(onGranted) {
  for (const name of ['camera', 'microphone']) {
    // Not every browser knows these names; there, "Try again" is left.
    navigator.permissions
      ?.query({ name: /** @type {PermissionName} */ (name) })
      .then((status) => status.addEventListener('change', () => status.state === 'granted' && onGranted()))
      .catch(() => undefined);
  }
}

/** @param {MediaStreamTrack | null} track */
function stopped(track) {
  if (track) track.onended = null;
  track?.stop();
  return null;
}

/**
 * @param {HTMLFormElement} form
 * @returns {Promise<void>}
 */
function submitted(form) {
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      resolve();
    };
  });
}
