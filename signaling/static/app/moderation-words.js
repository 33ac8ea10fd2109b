/** Moderation in words: what went wrong, and what a moderator did to us. Pure. */

import { sessionWords } from './words.js';

/** @type {Record<string, string>} */
const WORDS = {
  not_granted: 'Only moderators may do this.',
  room_full: 'That room is full.',
  banned: 'They are banned from that room.',
  unknown_participant: 'They have left.',
  unknown_track: 'They do not send this any more.',
};

/** @param {unknown} error an SfuError, or anything else */
export function moderationWords(error) {
  const { code = '' } = /** @type {{code?: string}} */ (error ?? {});
  return WORDS[code] ?? sessionWords(error);
}

/**
 * @param {string} by name of the moderator; empty: the app
 * @param {import('../client/types.js').Source | undefined} source
 */
export function mutedWords(by, source) {
  const whose = by || 'A moderator';
  return source === 'camera' ? `${whose} turned your camera off` : `${whose} muted your microphone`;
}

/**
 * @param {string} by
 * @param {import('../client/types.js').Source} source
 */
export function askedWords(by, source) {
  const whose = by || 'A moderator';
  return source === 'camera' ? `${whose} asks you to turn your camera on.` : `${whose} asks you to unmute.`;
}

/**
 * Rooms that people can be moved between have names that begin alike: `standup`, `standup~red`.
 * @param {string} room where we are
 * @param {string} to the rest of the name; empty: the room that the others belong to
 */
export function roomOfFamily(room, to) {
  const family = room.split('~')[0] ?? room;
  return to ? `${family}~${to}` : family;
}
