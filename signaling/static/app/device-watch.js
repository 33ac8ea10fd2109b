/**
 * Devices that come and go during a call.
 *
 * A microphone or speaker that goes is replaced by the system's choice at once, and the page says so: somebody in the
 * middle of a sentence wants to be heard and to hear. A camera is not: another one may show what nobody should see, so
 * it is offered. So is everything that is plugged in.
 */

import { deviceChanges, offerWords } from './device-changes.js';
import { announce, element } from './page.js';
import { deviceWords } from './words.js';

/** @typedef {import('./device-changes.js').Device} Device */
/** @typedef {import('./preferences.js').Preferences} Preferences */
/** @typedef {import('../client/client.js').Room} Room */
/** @typedef {import('../client/client.js').LocalTrack} LocalTrack */

export class DeviceWatch {
  #room;
  #preferences;
  #choose;
  #trouble = element('call-trouble', HTMLElement);
  #notice = element('notice', HTMLElement);
  /** @type {MediaDeviceInfo[]} */
  #known = [];
  /** @type {Promise<unknown>} readings one after another, as the browser may tell several changes for one device */
  #reading;
  #listening = new AbortController();

  /**
   * @param {Room} room
   * @param {Preferences} preferences
   * @param {(device: Device, deviceId: string) => Promise<void>} choose uses a device from now on, and remembers it
   */
  constructor(room, preferences, choose) {
    this.#room = room;
    this.#preferences = preferences;
    this.#choose = choose;
    const { signal } = this.#listening;
    this.#reading = listDevices().then((devices) => (this.#known = devices));
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#onChange(), { signal });
    room.on('localtrackended', ({ track }) => void this.#onEnded(track));
    element('notice-dismiss', HTMLButtonElement).addEventListener('click', () => this.#hide(), { signal });
  }

  close() {
    this.#hide();
    this.#listening.abort();
  }

  #onChange() {
    this.#reading = this.#reading.then(async () => {
      const before = this.#known;
      this.#known = await listDevices();
      if (this.#listening.signal.aborted) return;
      const { found, gone } = deviceChanges(before, this.#known);
      if (this.#preferences.speaker && gone.includes(this.#preferences.speaker)) await this.#speakerGone();
      const [offer] = this.#room.grants.publish ? found : found.filter(({ ids }) => ids.speaker);
      if (offer) this.#offer(offerWords(offer), 'Use it', () => this.#take(offer.ids));
      else if (gone.length) this.#hide(); // what was offered may be what went
    });
  }

  async #speakerGone() {
    await this.#choose('speaker', '');
    announce('Your speaker was disconnected. You hear the others through the system’s choice.');
  }

  /** @param {LocalTrack} track whose device was taken away, by a hand or by the system */
  async #onEnded(track) {
    if (track.source !== 'microphone' && track.source !== 'camera') return;
    const wasOn = !track.muted; // the room mutes it, but only after this event
    if (track.source === 'camera') return this.#offerCamera(wasOn);
    try {
      await this.#choose('microphone', '');
      if (wasOn) await track.unmute();
      announce(`Your microphone was disconnected. You now use “${track.mediaTrack?.label || 'another one'}”.`);
    } catch (error) {
      this.#trouble.textContent = `Your microphone was disconnected, and nobody hears you. ${deviceWords(error, 'microphone')}`;
    }
  }

  /** @param {boolean} wasOn */
  async #offerCamera(wasOn) {
    const [other] = (await listDevices()).filter(({ kind }) => kind === 'videoinput');
    const gone = 'Your camera was disconnected, so your picture is off.';
    if (!other || !wasOn) this.#trouble.textContent = gone;
    else this.#offer(gone, `Use “${other.label || 'another camera'}”`, () => this.#take({ camera: other.deviceId }, true));
  }

  /**
   * @param {Partial<Record<Device, string>>} ids
   * @param {boolean} [turnOn]
   */
  async #take(ids, turnOn = false) {
    for (const [device, deviceId] of /** @type {[Device, string][]} */ (Object.entries(ids))) {
      try {
        await this.#choose(device, deviceId);
        if (turnOn) await this.#room.you.track(/** @type {'camera'} */ (device))?.unmute();
      } catch (error) {
        this.#trouble.textContent = deviceWords(error, device === 'camera' ? 'camera' : 'microphone');
      }
    }
  }

  /**
   * @param {string} words
   * @param {string} label of the button
   * @param {() => Promise<void>} accept
   */
  #offer(words, label, accept) {
    const button = element('notice-accept', HTMLButtonElement);
    this.#notice.hidden = false;
    element('notice-words', HTMLElement).textContent = words;
    button.textContent = label;
    button.onclick = () => {
      this.#hide();
      void accept();
    };
  }

  #hide() {
    this.#notice.hidden = true;
    element('notice-words', HTMLElement).textContent = '';
  }
}

async function listDevices() {
  return (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
}
