/**
 * What went wrong, in words for the person before the page: what it is, and what to do. Why a picture looks as it does:
 * why.js. Pure.
 */

/** @type {Record<string, string>} */
const SESSION_WORDS = {
  offline: 'This computer is offline. Connect it to a network, then try again.',
  unreachable: 'The server does not answer. Check your connection and try again.',
  disconnected: 'The connection to the server was lost.',
  timeout: 'The server took too long to answer. Try again.',
  token_invalid: 'This invitation is not valid. Ask for a new link.',
  token_expired: 'This invitation has expired. Ask for a new link.',
  token_wrong_room: 'This invitation is for another room.',
  not_granted: 'Your invitation does not allow this.',
  room_not_found: 'There is no such room, and your invitation does not allow to open it.',
  banned: 'You are banned from this call.',
  removed: 'A moderator removed you from this call. To come back you need another invitation.',
  denied: 'You were not admitted to this call.',
  room_deleted: 'This call was closed.',
  room_locked: 'This call is locked: nobody new can come in.',
  room_full: 'This call is full. Try again when somebody has left.',
  muted_by_moderator: 'A moderator has muted you. You can unmute when they ask you to.',
  identity_in_use: 'You are already in this call, in another window or on another device.',
  replaced: 'You joined this call again somewhere else, so it ended here.',
  rate: 'This page sent too much at once, and the server ended the call. Join again.',
  transport_lost: 'Sound and picture no longer got through to the server, so the call ended. Try again, or another network.',
  server_shutdown: 'The server is shutting down. Come back in a moment.',
  internal: 'Something went wrong on the server. Join again; its log says more.',
  insecure_page: 'Browsers give cameras and microphones only to secure pages: open this one over https, or on localhost.',
  unsupported: 'This browser cannot make calls, or WebRTC is switched off in it. Use a current Firefox, Chrome, Edge or Safari.',
  need_invitation:
    'You need an invitation: a link that carries a token. Whoever runs this server makes one with “sfu token”.',
};

/**
 * @param {unknown} error an SfuError, or anything else
 * @returns {string}
 */
export function sessionWords(error) {
  const { code, message, reason } = /** @type {{code?: string, message?: string, reason?: string}} */ (error ?? {});
  // A limit names itself: the room is full, too many tracks, …
  return SESSION_WORDS[code ?? ''] ?? `It did not work: ${reason || message || String(error)}.`;
}

/**
 * @param {unknown} error from getUserMedia or getDisplayMedia, or an SfuError
 * @param {'camera' | 'microphone' | 'screen' | 'camera and microphone'} device
 * @returns {string}
 */
export function deviceWords(error, device) {
  switch (/** @type {{name?: string}} */ (error ?? {}).name) {
    case 'NotAllowedError':
      return notAllowedWords(String(/** @type {{message?: string}} */ (error).message), device);
    case 'NotFoundError':
      return `No ${device.replace(' and ', ' or ')} was found. Plug one in, or go on without.`;
    case 'NotReadableError':
    case 'AbortError':
      return `Your ${device} could not be opened. Another program may be using it: close that one, then try again.`;
    case 'NotSupportedError':
      return `This browser cannot use your ${device} here.`;
    default:
      return sessionWords(error);
  }
}

/**
 * Browsers tell the three refusals apart only in the message, and only some do.
 * @param {string} message
 * @param {string} device
 */
function notAllowedWords(message, device) {
  if (/by system/i.test(message)) {
    return `The system keeps the browser from using your ${device}. Allow it in the system's privacy settings, then try again.`;
  }
  if (/dismissed/i.test(message)) return `The browser's question went unanswered. Try again, and allow it to use your ${device}.`;
  return `The browser is not allowed to use your ${device}. Allow it beside the page's address, then try again.`;
}

/**
 * @param {string} name
 * @param {string} reason
 */
export function leftWords(name, reason) {
  if (reason === 'moved') return `${name} was moved to another room`;
  if (reason === 'timeout' || reason === 'disconnected') return `${name} lost the connection`;
  return reason === 'removed' ? `${name} was removed` : `${name} left`;
}

/**
 * @param {number} others
 * @param {number} [viewers] of whom only the number is known
 */
export function countWords(others, viewers = 0) {
  const here = others === 0 ? 'Only you' : `${others + 1} people`;
  return viewers === 0 ? here : `${here}, ${viewers} watching`;
}

/** @param {number} tiles out of sight */
export function moreWords(tiles) {
  return `${tiles} more`;
}

/**
 * How the connection is, and what to do when it does not come. `slow`: it has been so for longer than it should.
 * @param {'connecting' | 'connected' | 'reconnecting' | 'closed'} state
 * @param {boolean} online whether the computer has a network at all
 * @param {boolean} slow
 * @returns {{short: string, long: string}} `long` is empty when there is nothing to do
 */
export function connectionWords(state, online, slow) {
  if (!online && state !== 'closed') {
    return { short: 'Offline', long: 'This computer is offline. The call goes on once the network is back.' };
  }
  const short = CONNECTION_WORDS[state];
  const long = slow ? (SLOW_WORDS[state] ?? '') : '';
  return { short, long };
}

const CONNECTION_WORDS = {
  connecting: 'Connecting…',
  connected: 'Connected',
  reconnecting: 'Connection trouble, trying again…',
  closed: 'Ended',
};

/** @type {Record<string, string>} */
const SLOW_WORDS = {
  connecting:
    'Sound and picture do not get through yet. A firewall may block UDP: try another network, or ask whoever runs this one.',
  reconnecting: 'Still no connection. If this lasts, move closer to the access point or try another network.',
};

/**
 * Of a call that is recorded.
 * @param {boolean} paused
 * @param {boolean} needsConsent
 * @param {boolean | null} consent ours; null: we have not said
 */
export function recordingWords(paused, needsConsent, consent) {
  if (paused) return 'Recording paused';
  if (!needsConsent) return 'Recording';
  return consent ? 'Recording, with you' : 'Recording, without you';
}

/** What the button of who may record does, or waits for. @param {import('./record-control.js').RecordState} state */
export function recordWords(state) {
  return {
    off: 'Record this call',
    starting: 'The recording is starting',
    stopping: 'The recording is ending',
    recording: 'Stop the recording',
    paused: 'Stop the recording',
  }[state];
}

/** @type {Record<string, string>} */
const RECORD_TROUBLE = {
  recording_disabled: 'This server records nothing.',
  recording_not_found: 'It has been deleted.',
  unknown_file: 'It is in the storage, and not on this server any more.',
  end_to_end_encrypted: 'This call is end-to-end encrypted: it cannot be recorded here.',
  limit: 'The server has as many recordings as it may. Stop another first.',
  unavailable: 'The server cannot do this at the moment. Try again.',
};

/** @param {unknown} error an SfuError, or anything else */
export function recordTroubleWords(error) {
  const { code = '' } = /** @type {{code?: string}} */ (error ?? {});
  return RECORD_TROUBLE[code] ?? sessionWords(error);
}

/** @param {number} inS how long the invitation is still good */
export function expiringWords(inS) {
  return `Your invitation ends in ${Math.round(inS)} seconds, and the call with it. Ask for a new link.`;
}
