/** What the page remembers of a person between calls, in this browser only, and what the address asks of the camera. */

/**
 * Device ids are the browser's own, per site; '' is the system's choice.
 * @typedef {object} Preferences
 * @property {string} name
 * @property {string} camera
 * @property {string} microphone
 * @property {string} speaker
 * @property {boolean} cameraOn
 * @property {boolean} microphoneOn
 * @property {boolean} shortcuts one letter per button
 * @property {boolean} pushToTalk Space talks while muted
 * @property {boolean} statistics shown on every tile
 * @property {boolean} speakerView who has the floor is shown large
 * @property {boolean} soundOnly no pictures of others
 * @property {number} mostPictures of others at once; 0: all
 * @property {number} saverBps so much is received at most; 0: as much as there is
 */

/** @typedef {import('../client/types.js').VideoCodec} VideoCodec */

const CODECS = /** @type {VideoCodec[]} */ (['VP8', 'H264', 'VP9', 'AV1']);
const KEY = 'sfu.preferences';

/** @type {Preferences} */
const DEFAULTS = {
  name: '',
  camera: '',
  microphone: '',
  speaker: '',
  cameraOn: true,
  microphoneOn: true,
  shortcuts: true,
  pushToTalk: true,
  statistics: false,
  speakerView: false,
  soundOnly: false,
  mostPictures: 0,
  saverBps: 0,
};

/** @returns {Preferences} */
export function readPreferences() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') };
  } catch {
    return { ...DEFAULTS };
  }
}

/** @param {Preferences} preferences */
export function keepPreferences(preferences) {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // Storage may be forbidden; then nothing is remembered.
  }
}

/**
 * `?video=640x360@15` asks for that capture size and rate, `?layers=3` for so many simulcast layers, `?codec=vp9` for
 * that codec (vp8, h264, vp9, av1): for slow uplinks and for tests.
 * @param {string} search
 * @returns {{width?: number, height?: number, frameRate?: number, simulcast?: number, codec?: VideoCodec}}
 */
export function captureWish(search) {
  const parameters = new URLSearchParams(search);
  const [, width, height, rate] = /^(\d+)x(\d+)(?:@(\d+))?$/.exec(parameters.get('video') ?? '') ?? [];
  const layers = Number(parameters.get('layers'));
  const codec = CODECS.find((name) => name === parameters.get('codec')?.toUpperCase());
  return {
    ...(width && height ? { width: Number(width), height: Number(height) } : {}),
    ...(rate ? { frameRate: Number(rate) } : {}),
    ...(layers ? { simulcast: layers } : {}),
    ...(codec ? { codec } : {}),
  };
}
