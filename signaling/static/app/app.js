/** The page: lobby, call, end, and again. Everything else is in the modules it imports. */

import { join, SfuError } from '../client/client.js';
import { Call } from './call.js';
import { askForToken, forgetToken, readInvitation, renewToken } from './invitation.js';
import { Lobby } from './lobby.js';
import { element, show } from './page.js';
import { sessionWords } from './words.js';

/** @typedef {import('./lobby.js').Choice} Choice */

async function run() {
  if (typeof RTCPeerConnection === 'undefined') return refuse();
  const invitation = readInvitation();
  const lobby = new Lobby(invitation);
  for (;;) {
    show('lobby');
    const { room, choice } = await enter(lobby, invitation.token);
    if (!invitation.room) history.replaceState(null, '', `/r/${encodeURIComponent(room.name)}${location.search}`);
    room.on('tokenrefreshed', ({ token }) => {
      if (invitation.token && room.name === invitation.room) invitation.token = token; // to join again by
    });
    lobby.handOver();
    show('call');
    // For the console: `await sfuRoom.statistics()`. The page itself does not use it.
    Object.assign(window, { sfuRoom: room });
    const ending = await new Call(room, choice).run();
    await ended(ending);
  }
}

/**
 * From the lobby into a room, however many attempts it takes.
 * @param {Lobby} lobby
 * @param {string | null} token
 */
async function enter(lobby, token) {
  for (let trouble = ''; ; ) {
    const choice = await lobby.choose(trouble);
    try {
      const given = token ?? (await askForToken(choice.room, choice.preferences.name));
      const room = await waitToJoin(choice.room, given);
      return { room, choice };
    } catch (error) {
      show('lobby');
      const unreachable = error instanceof SfuError && error.code === 'unreachable';
      trouble = error instanceof SfuError && error.code === 'left' ? '' : sessionWords(unreachable && !navigator.onLine ? { code: 'offline' } : error);
      if (error instanceof SfuError && error.code.startsWith('token_')) forgetToken(choice.room);
    }
  }
}

/**
 * Joins, perhaps through the room's lobby.
 * @param {string} name of the room
 * @param {string} token
 */
async function waitToJoin(name, token) {
  const waiting = new AbortController();
  element('waiting-leave', HTMLButtonElement).onclick = () => waiting.abort();
  const onLobby = () => {
    show('waiting');
    element('waiting-title', HTMLElement).focus();
  };
  /** @type {{name: string} | undefined} where we are then: somebody may have moved us */
  let room;
  const freshToken = (/** @type {string} */ present) => renewToken(room?.name ?? name, present);
  return (room = await join(name, token, { onLobby, signal: waiting.signal, freshToken }));
}

/** A browser without WebRTC, or one in which somebody switched it off. */
function refuse() {
  element('preview', HTMLElement).hidden = element('lobby-sound', HTMLElement).hidden = true;
  element('lobby-join', HTMLButtonElement).disabled = true;
  element('lobby-trouble', HTMLElement).textContent = sessionWords({ code: 'unsupported' });
}

/**
 * Shows how the call ended, until the person wants to join again.
 * @param {{code: string, reason: string}} ending
 * @returns {Promise<void>}
 */
function ended(ending) {
  const left = ending.code === 'left';
  const title = element('ended-title', HTMLElement);
  title.textContent = left ? 'You left the call' : 'The call ended';
  element('ended-words', HTMLElement).textContent = left ? '' : sessionWords(ending);
  show('ended');
  title.focus();
  return new Promise((resolve) => {
    element('rejoin', HTMLButtonElement).onclick = () => resolve();
  });
}

void run();
