/** The smallest page that joins a call: everybody's pictures in a row, everybody's voices, nothing else. */

import { AudioPlayback, join } from '../client/client.js';

const form = /** @type {HTMLFormElement} */ (document.getElementById('form'));
const status = /** @type {HTMLElement} */ (document.getElementById('status'));
const videos = /** @type {HTMLElement} */ (document.getElementById('videos'));

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  form.hidden = true;
  try {
    await call(valueOf('name'), valueOf('room'));
  } catch (error) {
    status.textContent = String(error);
    form.hidden = false;
  }
});

/**
 * @param {string} name
 * @param {string} roomName
 */
async function call(name, roomName) {
  // Only in development mode: elsewhere your own server makes the token.
  const answer = await fetch('/v1/dev/tokens', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name, room: roomName }),
  });
  if (!answer.ok) throw new Error(`no token: ${answer.status}`);
  const room = await join(roomName, (await answer.json()).token);

  new AudioPlayback(room);
  room.on('tracksubscribed', ({ track, mediaTrack }) => track.kind === 'video' && show(track.id, mediaTrack));
  room.on('trackunsubscribed', ({ track }) => document.getElementById(track.id)?.remove());
  room.on('closed', ({ code, reason }) => (status.textContent = `${code}: ${reason}`));
  status.textContent = `In ${room.name} as ${room.you.identity}`;
  await Promise.all([room.publishMicrophone(), room.publishCamera()]);
}

/**
 * @param {string} id
 * @param {MediaStreamTrack} mediaTrack
 */
function show(id, mediaTrack) {
  const video = Object.assign(document.createElement('video'), { id, autoplay: true, muted: true, playsInline: true });
  video.srcObject = new MediaStream([mediaTrack]);
  video.width = 320;
  videos.append(video);
}

/** @param {string} id */
function valueOf(id) {
  return /** @type {HTMLInputElement} */ (document.getElementById(id)).value;
}
