/**
 * The browser client of the server: join a room, publish, receive. ES modules, no user interface, nothing to build.
 *
 *     import { join, AudioPlayback } from '/client/client.js';
 *     const room = await join('demo', token);
 *     new AudioPlayback(room);
 *     room.on('tracksubscribed', ({ track, mediaTrack }) => …);
 *     await room.publishCamera();
 *
 * `README.md` one folder up says how a track gets from one page to another; `signaling/PROTOCOL.md` is the contract.
 */

import { Signaling } from './signaling.js';
import { Reporting } from './reporting.js';
import { Room } from './room.js';

export { canShareScreen, openCamera, openCameraAndMicrophone, openMicrophone, openScreen } from './capture.js';
export { SfuError } from './events.js';
export { MicrophoneLevel } from './levels.js';
export { LocalTrack } from './local-track.js';
export { LocalParticipant, Participant, RemoteTrack } from './participants.js';
export { AudioPlayback } from './playback.js';
export { Room } from './room.js';

const CLIENT = { name: 'sfu-js', version: '0.1.0' };

/**
 * Joins a room. Fails with an SfuError: a code of PROTOCOL.md (`token_expired`, `room_not_found`, …) or `unreachable`.
 * @param {string} room its name, or the address of its page (`https://…/r/{room}`)
 * @param {string} token
 * @param {import('./types.js').JoinOptions} [options]
 * @returns {Promise<Room>}
 */
export async function join(room, token, options = {}) {
  const { autoSubscribe = true, messages = true, patienceS, server, onLobby, signal, freshToken } = options;
  const greeting = { token, auto_subscribe: autoSubscribe, client: CLIENT };
  const signaling = new Signaling(connectUrl(room, server ?? location.origin), greeting, patienceS);
  if (onLobby) signaling.on('lobby', onLobby);
  const joined = await signaling.join(signal);
  const entered = new Room(signaling, joined, { messages, freshToken });
  new Reporting(entered, signaling);
  return entered;
}

/**
 * @param {string} room
 * @param {string} server
 */
function connectUrl(room, server) {
  const page = /^(https?:\/\/[^/]+)\/r\/([^/?#]+)/.exec(room);
  const name = page?.[2] ?? encodeURIComponent(room);
  return `${(page?.[1] ?? server).replace(/^http/, 'ws')}/v1/rooms/${name}/connect`;
}
