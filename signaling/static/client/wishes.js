/** What is published of cameras, microphones and screens, opened here unless they are given; and how they are opened again. */

import { openCamera, openMicrophone, openScreen } from './capture.js';

/** @typedef {import('./types.js').PublishWish} PublishWish */

/**
 * @param {import('./types.js').CameraOptions} options
 * @returns {Promise<PublishWish>}
 */
export async function cameraWish(options) {
  const track = options.track ?? (await openCamera(options));
  const { simulcast, codec, scalabilityMode, deviceId } = options;
  const open = (/** @type {string} */ id) => openCamera({ ...options, deviceId: id });
  return { track, source: 'camera', simulcast, codec, scalabilityMode, deviceId, open };
}

/**
 * @param {import('./types.js').MicrophoneOptions} options
 * @returns {Promise<PublishWish>}
 */
export async function microphoneWish(options) {
  const track = options.track ?? (await openMicrophone(options));
  const { muted, deviceId } = options;
  return { track, source: 'microphone', muted, deviceId, open: (id) => openMicrophone({ deviceId: id }) };
}

/**
 * @param {import('./types.js').ScreenOptions} options
 * @returns {Promise<PublishWish[]>} the picture, and its sound if there is any
 */
export async function screenWishes(options) {
  const { video, audio } = await openScreen(options);
  /** @type {PublishWish[]} */
  const wishes = [{ track: video, source: 'screen', codec: options.codec }];
  if (audio) wishes.push({ track: audio, source: 'screen_audio' });
  return wishes;
}
