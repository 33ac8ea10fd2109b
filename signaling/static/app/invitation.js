/**
 * Where the page's room and token come from.
 *
 * The room is in the path (`/r/{room}`). A token comes in the fragment (`#token=…`), which browsers never send to a
 * server; it is taken out of the address bar at once and kept for this tab, so that a reload still works. Without one,
 * a server in development mode gives a token to whoever says a name.
 */

import { SfuError } from '../client/client.js';

/**
 * `name` and `publishes`: what the token says of us, if there is one.
 * @typedef {{room: string, token: string | null, name: string | null, publishes: boolean}} Invitation
 */

/** @returns {Invitation} */
export function readInvitation() {
  const room = decoded(/^\/r\/([^/]+)/.exec(location.pathname)?.[1] ?? '');
  const fragment = new URLSearchParams(location.hash.slice(1)).get('token');
  if (fragment) {
    history.replaceState(null, '', location.pathname + location.search);
    remember(room, fragment);
  }
  const token = fragment ?? recall(room);
  const { name = null, grants = {} } = token ? claimsIn(token) : { grants: { publish: true } };
  return { room, token, name, publishes: grants.publish === true };
}

/**
 * A token of development mode, for a fresh identity. Fails with `need_invitation` where there is no such mode.
 * @param {string} room
 * @param {string} name
 * @returns {Promise<string>}
 */
export function askForToken(room, name) {
  // Where everybody may have a token, everybody may moderate who says so: `/r/demo?moderator`.
  return ask({ name, room, moderator: new URLSearchParams(location.search).has('moderator') });
}

/**
 * Another token for the same identity, in development mode; kept like an invitation, for a reload. Fails as above.
 * @param {string} room
 * @param {string} present
 * @returns {Promise<string>}
 */
export async function renewToken(room, present) {
  const token = await ask({ room, renew: present });
  if (recall(room) === present) remember(room, token);
  return token;
}

/**
 * @param {object} wish
 * @returns {Promise<string>}
 */
async function ask(wish) {
  const response = await fetch('/v1/dev/tokens', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(wish),
  }).catch(() => {
    throw new SfuError('unreachable', 'no answer');
  });
  const answer = await response.json().catch(() => ({}));
  if (response.status === 201) return answer.token;
  // Wrong values are worth their own words; everything else means that this server does not give tokens away.
  if (response.status === 400) throw new SfuError('refused', answer.detail);
  throw new SfuError('need_invitation', 'not in development mode');
}

/**
 * A token that the server refused is not kept.
 * @param {string} room
 */
export function forgetToken(room) {
  remember(room, null);
}

/**
 * For showing only; the server alone verifies it.
 * @param {string} token
 * @returns {{name?: string, grants?: {publish?: boolean}}}
 */
function claimsIn(token) {
  try {
    const claims = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const octets = Uint8Array.from(atob(claims), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(octets));
  } catch {
    return { grants: { publish: true } }; // not a token of ours; the server will say what is wrong with it
  }
}

/** @param {string} segment of a path, perhaps with broken escapes */
function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/**
 * @param {string} room
 * @param {string | null} token
 */
function remember(room, token) {
  try {
    if (token) sessionStorage.setItem(`sfu.token.${room}`, token);
    else sessionStorage.removeItem(`sfu.token.${room}`);
  } catch {
    // Storage may be forbidden; then a reload needs the link again.
  }
}

/** @param {string} room */
function recall(room) {
  try {
    return sessionStorage.getItem(`sfu.token.${room}`);
  } catch {
    return null;
  }
}
