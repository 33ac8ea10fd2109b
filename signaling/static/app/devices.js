/** Lists of cameras, microphones and speakers to choose from, and opening what was chosen. */

import { openCamera, openCameraAndMicrophone, openMicrophone } from '../client/client.js';
import { announce, fromTemplate } from './page.js';
import { playSpeakerTest } from './speaker-test.js';
import { deviceWords } from './words.js';

/** @typedef {import('../client/types.js').CameraOptions} CameraOptions */
/** @typedef {'camera' | 'microphone' | 'speaker'} Device */

/** @type {Record<string, {device: Device, word: string}>} */
const KINDS = {
  videoinput: { device: 'camera', word: 'Camera' },
  audioinput: { device: 'microphone', word: 'Microphone' },
  audiooutput: { device: 'speaker', word: 'Speaker' },
};

/** Selects for the devices there are, kept up to date when one is plugged in. */
export class DevicePickers {
  #container;
  #chosen;
  #listening = new AbortController();

  /**
   * @param {HTMLElement} container is filled
   * @param {Record<Device, string>} chosen device ids
   * @param {(device: Device, deviceId: string) => void} onChoice
   */
  constructor(container, chosen, onChoice) {
    this.#container = container;
    this.#chosen = chosen;
    container.replaceChildren(fromTemplate('device-pickers'));
    const { signal } = this.#listening;
    const changed = (/** @type {Event} */ event) => {
      const select = /** @type {HTMLSelectElement} */ (event.target);
      const kind = KINDS[select.dataset.device ?? ''];
      if (kind) onChoice(kind.device, select.value);
    };
    container.addEventListener('change', changed, { signal });
    const test = container.querySelector('.test-speaker');
    if (test instanceof HTMLButtonElement) test.onclick = () => void this.#testSpeaker(test);
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.refresh(), { signal });
  }

  close() {
    this.#listening.abort();
  }

  /** @param {HTMLButtonElement} button */
  async #testSpeaker(button) {
    button.disabled = true;
    await playSpeakerTest(this.#chosen.speaker).catch(() => announce('This speaker could not be used.'));
    button.disabled = false;
  }

  /** Reads the devices anew; labels appear once a permission was given. */
  async refresh() {
    const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    for (const select of this.#container.querySelectorAll('select')) this.#fill(select, devices);
  }

  /**
   * @param {HTMLSelectElement} select
   * @param {MediaDeviceInfo[]} devices
   */
  #fill(select, devices) {
    const kind = KINDS[select.dataset.device ?? ''];
    if (!kind) return;
    const choosable = kind.device !== 'speaker' || 'setSinkId' in HTMLMediaElement.prototype;
    const found = choosable ? devices.filter((device) => device.kind === select.dataset.device && device.deviceId) : [];
    select.replaceChildren(...found.map((device, index) => optionFor(device, `${kind.word} ${index + 1}`)));
    const known = found.some((device) => device.deviceId === this.#chosen[kind.device]);
    if (known) select.value = this.#chosen[kind.device];
    for (const row of this.#container.children) if (row.contains(select)) row.toggleAttribute('hidden', found.length === 0);
  }
}

/**
 * Opens what is wished, with one question to the person if it can be. What fails is null, with words for it.
 * @param {CameraOptions | null} camera
 * @param {{deviceId?: string} | null} microphone
 * @returns {Promise<{camera: MediaStreamTrack | null, microphone: MediaStreamTrack | null, trouble: string}>}
 */
export async function openWished(camera, microphone) {
  if (camera && microphone) {
    try {
      return { ...(await openCameraAndMicrophone(camera, microphone)), trouble: '' };
    } catch (error) {
      // Refused: asking twice more would only annoy. Anything else may concern just one of the two.
      const name = /** @type {{name?: string}} */ (error).name;
      if (name === 'NotAllowedError' || name === 'SfuError') {
        return { camera: null, microphone: null, trouble: deviceWords(error, 'camera and microphone') };
      }
    }
  }
  const [picture, sound] = await Promise.all([
    attempt(camera && (() => openCamera(camera))),
    attempt(microphone && (() => openMicrophone(microphone))),
  ]);
  const failures = [
    picture.error && deviceWords(picture.error, 'camera'),
    sound.error && deviceWords(sound.error, 'microphone'),
  ];
  const both = picture.error && sound.error && picture.error.name === sound.error.name;
  return {
    camera: picture.track,
    microphone: sound.track,
    trouble: both ? deviceWords(picture.error, 'camera and microphone') : failures.filter(Boolean).join(' '),
  };
}

/** @param {(() => Promise<MediaStreamTrack>) | null} open */
async function attempt(open) {
  try {
    return { track: open && (await open()), error: null };
  } catch (error) {
    return { track: null, error: /** @type {Error} */ (error) };
  }
}

/**
 * @param {MediaDeviceInfo} device
 * @param {string} fallback
 */
function optionFor(device, fallback) {
  return new Option(device.label || fallback, device.deviceId);
}
