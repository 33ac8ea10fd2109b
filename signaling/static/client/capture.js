/**
 * Opens cameras, microphones and screens. Decides the constraints; shows nothing and publishes nothing.
 *
 * Failures are the browser's own DOMExceptions (`NotAllowedError`, `NotFoundError`, `NotReadableError`, …), except on a
 * page that may not ask at all: SfuError `insecure_page`.
 */

import { SfuError } from './events.js';

/** @typedef {import('./types.js').CameraOptions} CameraOptions */
/** @typedef {import('./types.js').MicrophoneOptions} MicrophoneOptions */
/** @typedef {import('./types.js').ScreenOptions} ScreenOptions */

/**
 * @param {CameraOptions} [options]
 * @returns {Promise<MediaStreamTrack>}
 */
export async function openCamera(options = {}) {
  const stream = await open({ video: cameraConstraints(options) });
  return only(stream.getVideoTracks());
}

/**
 * @param {MicrophoneOptions} [options]
 * @returns {Promise<MediaStreamTrack>}
 */
export async function openMicrophone(options = {}) {
  const stream = await open({ audio: microphoneConstraints(options) });
  return only(stream.getAudioTracks());
}

/**
 * Both with one question to the person. Fails when either fails.
 * @param {CameraOptions} camera
 * @param {MicrophoneOptions} microphone
 * @returns {Promise<{camera: MediaStreamTrack, microphone: MediaStreamTrack}>}
 */
export async function openCameraAndMicrophone(camera, microphone) {
  const stream = await open({ video: cameraConstraints(camera), audio: microphoneConstraints(microphone) });
  return { camera: only(stream.getVideoTracks()), microphone: only(stream.getAudioTracks()) };
}

/**
 * Lets the person choose a screen, window or tab. Fails with `NotAllowedError` when they choose none.
 * @param {ScreenOptions} [options]
 * @returns {Promise<{video: MediaStreamTrack, audio: MediaStreamTrack | null}>}
 */
export async function openScreen({ audio = true } = {}) {
  const stream = await devices().getDisplayMedia({
    video: { frameRate: { ideal: 15, max: 30 } },
    // Shared sound is music or film: what cleans a voice would spoil it.
    audio: audio && { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  return { video: only(stream.getVideoTracks()), audio: stream.getAudioTracks()[0] ?? null };
}

/** Phones have no screen capture. */
export function canShareScreen() {
  return typeof navigator.mediaDevices?.getDisplayMedia === 'function';
}

/** @param {CameraOptions} options */
function cameraConstraints({ width = 1280, height = 720, frameRate = 30, deviceId, facingMode = 'user' }) {
  return {
    width: { ideal: width },
    height: { ideal: height },
    // `max` too: fake and virtual cameras otherwise give what they like.
    frameRate: { ideal: frameRate, max: frameRate },
    ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode }),
  };
}

/** @param {MicrophoneOptions} options */
function microphoneConstraints({ deviceId }) {
  return {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
  };
}

/**
 * A chosen device that is not there any more is no reason to have none: then the system's choice.
 * @param {{video?: MediaTrackConstraints, audio?: MediaTrackConstraints}} constraints
 */
async function open({ video, audio }) {
  try {
    return await devices().getUserMedia({ video, audio });
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'OverconstrainedError') throw error;
    const anyDevice = { deviceId: undefined };
    return devices().getUserMedia({ video: video && { ...video, ...anyDevice }, audio: audio && { ...audio, ...anyDevice } });
  }
}

function devices() {
  if (!navigator.mediaDevices) {
    throw new SfuError('insecure_page', 'browsers give cameras only to pages over HTTPS or on localhost');
  }
  return navigator.mediaDevices;
}

/** @param {MediaStreamTrack[]} tracks */
function only(tracks) {
  const track = tracks[0];
  if (!track) throw new DOMException('no such device', 'NotFoundError');
  return track;
}
