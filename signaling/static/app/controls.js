/**
 * The buttons of a call: microphone, camera, screen, view, statistics, link, leave; and talking while Space is held.
 *
 * A button does nothing while what it started is under way, but keeps the focus. Failures become words in the call's own
 * line.
 */

import { canShareScreen } from '../client/client.js';
import { Keys, tellKeys } from './keys.js';
import { announce, element, roomAddress, setFace } from './page.js';
import { PushToTalk } from './push-to-talk.js';
import { deviceWords } from './words.js';

/** @typedef {import('../client/client.js').Room} Room */
/** @typedef {import('../client/types.js').CameraOptions} CameraOptions */
/** @typedef {import('./preferences.js').Preferences} Preferences */

export class Controls {
  #room;
  #preferences;
  #openOptions;
  #pushToTalk;
  #keys;
  #microphone = element('toggle-microphone', HTMLButtonElement);
  #camera = element('toggle-camera', HTMLButtonElement);
  #screen = element('toggle-screen', HTMLButtonElement);
  #view = element('toggle-view', HTMLButtonElement);
  #statistics = element('toggle-statistics', HTMLButtonElement);
  #talking = element('talking', HTMLElement);
  #trouble = element('call-trouble', HTMLElement);
  #listening = new AbortController();

  /**
   * @param {Room} room
   * @param {Preferences} preferences read anew by every `render`
   * @param {() => {camera: CameraOptions, microphone: {deviceId: string}}} openOptions how to open a device now
   * @param {(option: 'speakerView' | 'statistics') => void} toggle an option that has a button
   */
  constructor(room, preferences, openOptions, toggle) {
    this.#room = room;
    this.#preferences = preferences;
    this.#openOptions = openOptions;
    this.#pushToTalk = new PushToTalk(this.#microphoneToHold(), (trouble) => {
      if (trouble) this.#trouble.textContent = deviceWords(trouble, 'microphone');
      this.render();
    });
    this.#keys = new Keys(preferences, this.#pushToTalk);
    const { signal } = this.#listening;
    this.#microphone.addEventListener('click', () => void this.#toggleMicrophone(), { signal });
    this.#camera.addEventListener('click', () => void this.#toggleCamera(), { signal });
    this.#screen.addEventListener('click', () => void this.#toggleScreen(), { signal });
    this.#view.addEventListener('click', () => toggle('speakerView'), { signal });
    this.#statistics.addEventListener('click', () => toggle('statistics'), { signal });
    element('leave', HTMLButtonElement).addEventListener('click', () => void room.leave(), { signal });
    for (const id of ['copy-link', 'alone-copy', 'settings-copy']) {
      element(id, HTMLButtonElement).addEventListener('click', () => void this.#copyLink(), { signal });
    }
    this.#trouble.textContent = '';
    this.render();
  }

  render() {
    const { you } = this.#room;
    this.#microphone.hidden = !mayPublish(this.#room, 'microphone');
    this.#camera.hidden = !mayPublish(this.#room, 'camera');
    this.#screen.hidden = !mayPublish(this.#room, 'screen') || !canShareScreen();
    tellKeys(this.#preferences.shortcuts);
    const heard = on(you.track('microphone'));
    const seen = on(you.track('camera'));
    const sharing = you.track('screen') !== null;
    setFace(this.#microphone, {
      icon: heard ? 'microphone' : 'microphone-off',
      label: heard ? 'Mute your microphone' : 'Unmute your microphone',
      on: heard,
    });
    if (!heard && this.#preferences.pushToTalk) this.#microphone.title += ', or hold Space to talk';
    this.#talking.hidden = !this.#pushToTalk.talking;
    setFace(this.#camera, {
      icon: seen ? 'camera' : 'camera-off',
      label: seen ? 'Turn your camera off' : 'Turn your camera on',
      on: seen,
    });
    setFace(this.#screen, {
      icon: sharing ? 'screen-off' : 'screen',
      label: sharing ? 'Stop sharing your screen' : 'Share your screen',
      sharing,
    });
    const { speakerView, statistics } = this.#preferences;
    setFace(this.#view, { icon: 'speaker-view', label: 'Show who speaks large', sharing: speakerView });
    this.#view.ariaPressed = String(speakerView);
    setFace(this.#statistics, {
      icon: 'statistics',
      label: statistics ? 'Hide statistics' : 'Show statistics',
      sharing: statistics,
    });
  }

  close() {
    this.#keys.close();
    this.#listening.abort();
  }

  #toggleMicrophone() {
    return this.#while(this.#microphone, 'microphone', async () => {
      const track = this.#room.you.track('microphone');
      if (!track) await this.#room.publishMicrophone(this.#openOptions().microphone);
      else await (track.muted ? track.unmute() : track.mute());
    });
  }

  /** @returns {import('./push-to-talk.js').Microphone} */
  #microphoneToHold() {
    const track = () => this.#room.you.track('microphone');
    return {
      isOn: () => on(track()),
      turn: async (on) => {
        if (this.#room.grants.publish && on && !track()) await this.#room.publishMicrophone(this.#openOptions().microphone);
        else await (on ? track()?.unmute() : track()?.mute());
      },
      cut: () => {
        const mediaTrack = track()?.mediaTrack;
        if (mediaTrack) mediaTrack.enabled = false;
      },
    };
  }

  #toggleCamera() {
    return this.#while(this.#camera, 'camera', async () => {
      const track = this.#room.you.track('camera');
      if (!track) await this.#room.publishCamera(this.#openOptions().camera);
      else await (track.muted ? track.unmute() : track.mute());
    });
  }

  #toggleScreen() {
    return this.#while(this.#screen, 'screen', async () => {
      const shared = [this.#room.you.track('screen'), this.#room.you.track('screen_audio')];
      if (!shared[0]) await this.#room.publishScreen();
      else await Promise.all(shared.map((track) => track && this.#room.unpublish(track)));
    });
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {'microphone' | 'camera' | 'screen'} device
   * @param {() => Promise<void>} step
   */
  async #while(button, device, step) {
    if (button.ariaDisabled === 'true') return;
    button.ariaDisabled = 'true';
    this.#trouble.textContent = '';
    try {
      await step();
    } catch (error) {
      const chosenNone = device === 'screen' && error instanceof DOMException && error.name === 'NotAllowedError';
      if (!chosenNone) this.#trouble.textContent = deviceWords(error, device);
    }
    button.ariaDisabled = 'false';
    this.render();
  }

  async #copyLink() {
    const address = roomAddress(this.#room.name);
    const copied = navigator.clipboard?.writeText(address) ?? Promise.reject(new Error('no clipboard'));
    await copied.then(
      () => announce('Link copied'),
      () => (this.#trouble.textContent = `The link to this room is ${address}`),
    );
  }
}

/**
 * @param {Room} room
 * @param {import('../client/types.js').Source} source
 */
function mayPublish({ grants }, source) {
  return grants.publish && !grants.hidden && (grants.sources === null || grants.sources.includes(source));
}

/** @param {{muted: boolean} | null} track */
function on(track) {
  return track !== null && !track.muted;
}
