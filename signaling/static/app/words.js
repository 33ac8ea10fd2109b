/**
 * What went wrong, in words for the person before the page: what it is, and what to do; and why a picture looks as it
 * does. Pure.
 */

import { bitrate } from './figures.js';

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

/** What keeps a picture that comes from being better, by the `reason` of PROTOCOL.md. @type {Record<string, string>} */
const SENT_WORDS = {
  nothing: 'the best there is',
  layout: 'as large as this tile needs',
  last_n: 'more pictures are shown than you asked for',
  wish: 'as you asked for',
  publisher: 'the sender sends nothing better right now',
  bandwidth: 'your connection carries no more right now',
  key_frame: 'a better picture is on its way',
};

/** Why none comes. @type {Record<string, string>} */
const UNSENT_WORDS = {
  layout: 'Paused: not on your screen',
  last_n: 'Paused: others have spoken since, and you asked for fewer pictures',
  wish: 'Paused, as you asked for',
  publisher: 'Paused: the sender sends nothing right now',
  bandwidth: 'Paused: your connection carries no more right now',
  key_frame: 'The picture is on its way',
  muted: 'Switched off by the sender',
  not_sent: 'Nothing has come from the sender yet',
  not_connected: 'Your connection is not there yet',
  codec: 'This browser cannot show what the sender sends',
};

/**
 * Why a picture looks as it does, for who wonders.
 * @param {import('../client/types.js').TrackExplanation} explanation
 * @param {number} lines how many the picture has; 0: none was shown yet
 * @returns {string}
 */
export function whyWords({ reason, rid, missing_bps: missingBps }, lines) {
  const missing = reason === 'bandwidth' && missingBps > 0 ? ` (${bitrate(missingBps)} are missing)` : '';
  if (rid === null) return (UNSENT_WORDS[reason] ?? 'Paused') + missing;
  const words = (SENT_WORDS[reason] ?? UNSENT_WORDS[reason] ?? '') + missing;
  const size = lines ? `${lines}p` : '';
  return size && words ? `${size}: ${words}` : size || sentence(words);
}

/**
 * @param {import('../client/types.js').TrackExplanation} explanation
 * @returns {string} empty when its sound comes
 */
export function whySilentWords({ reason }) {
  return reason === 'quiet' ? 'Not heard: others are louder' : '';
}

/** @param {string} words */
function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** @type {Record<import('../client/types.js').Quality['level'], string>} */
const QUALITY_WORDS = {
  good: 'Good connection',
  fair: 'Fair connection',
  poor: 'Poor connection',
  lost: 'No connection',
};

/** By the `cause` of PROTOCOL.md. @type {Record<string, string>} */
const CAUSE_WORDS = {
  loss: 'packets are lost',
  delay: 'packets take long',
  jitter: 'packets come unevenly',
  freezes: 'the picture freezes',
  frame_rate: 'the picture has few frames',
  bandwidth: 'it carries too little',
  silence: 'nothing arrives',
};

/**
 * How good the call is for somebody, and why no better.
 * @param {import('../client/types.js').Quality} quality
 * @param {boolean} own
 */
export function qualityWords({ level, cause, direction }, own) {
  const why = level === 'good' ? '' : CAUSE_WORDS[cause];
  if (!why) return QUALITY_WORDS[level];
  const whom = own ? 'you' : 'them';
  return `${QUALITY_WORDS[level]}: ${why}${direction ? ` on the way ${direction === 'up' ? 'from' : 'to'} ${whom}` : ''}`;
}

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
