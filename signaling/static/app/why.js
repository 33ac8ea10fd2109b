/** Why a picture looks as it does, and how good the call is, in words for the person before the page. Pure. */

import { bitrate } from './figures.js';

/** What keeps a picture that comes from being better, by the `reason` of PROTOCOL.md. @type {Record<string, string>} */
const SENT_WORDS = {
  nothing: 'the best there is',
  layout: 'as large as this tile needs',
  last_n: 'only so many pictures are sent at once',
  wish: 'as you asked for',
  publisher: 'the sender sends nothing better right now',
  publisher_cpu: 'the sender’s computer is too busy to send it better',
  bandwidth: 'your connection carries no more right now',
  cpu: 'this computer is too busy to show more',
  key_frame: 'a better picture is on its way',
};

/** Why none comes. @type {Record<string, string>} */
const UNSENT_WORDS = {
  layout: 'Paused: not on your screen',
  last_n: 'Paused: others have spoken since, and only so many pictures are sent at once',
  wish: 'Paused, as you asked for',
  publisher: 'Paused: the sender sends nothing right now',
  bandwidth: 'Paused: your connection carries no more right now',
  key_frame: 'The picture is on its way',
  muted: 'Switched off by the sender',
  not_sent: 'Nothing has come from the sender yet',
  not_connected: 'Your connection is not there yet',
  codec: 'This browser cannot show what the sender sends',
};

/** What one has chosen oneself. */
const SPARED_WORDS = {
  sound_only: 'Not received: you have chosen sound only, in the settings',
  most_pictures: 'Not received: you have chosen fewer pictures, in the settings',
};

/** @param {'sound_only' | 'most_pictures'} spared */
export function whySparedWords(spared) {
  return SPARED_WORDS[spared];
}

/**
 * Why a picture looks as it does, for who wonders.
 * @param {import('../client/types.js').TrackExplanation} explanation
 * @param {number} lines how many the picture has; 0: none was shown yet
 * @param {boolean} [saved] one's own data saver is what allows no more
 * @returns {string}
 */
export function whyWords({ reason, rid, missing_bps: missingBps }, lines, saved = false) {
  if (reason === 'bandwidth' && saved) return rid === null ? 'Paused: your data saver allows no more' : sized(lines, 'your data saver allows no more');
  const missing = reason === 'bandwidth' && missingBps > 0 ? ` (${bitrate(missingBps)} are missing)` : '';
  if (rid === null) return (UNSENT_WORDS[reason] ?? 'Paused') + missing;
  const words = (SENT_WORDS[reason] ?? UNSENT_WORDS[reason] ?? '') + missing;
  return sized(lines, words);
}

/**
 * @param {number} lines
 * @param {string} words
 */
function sized(lines, words) {
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

/** What keeps us from sending more. @type {Record<string, string>} */
const HELD_BACK_WORDS = {
  cpu: 'this computer is too busy to send it better',
  bandwidth: 'your connection carries no more of it',
  other: 'the browser sends no more of it',
};

/**
 * Why one's own picture looks to others as it does, for who wonders.
 * @param {import('../client/types.js').Sending} sending
 */
export function whySentWords({ rids, paused, limitedBy }) {
  if (paused) return 'Not sent: nobody has it on screen right now';
  const held = HELD_BACK_WORDS[limitedBy];
  if (held) return `Sent smaller or slower: ${held}`;
  return rids ? 'Sent small: nobody shows it larger right now' : 'Sent as good as it gets';
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
