/** Whom the page is for, which room is shown, and when it is read again. What is shown of it: views.js. */

import { Api, ApiError, pathOf } from './api.js';
import { recordingView } from './recordings.js';
import { counted, roomList, roomView, webhookView } from './views.js';
import { announce, element } from '../app/page.js';

// As often as somebody watches a call for trouble.
const READ_EVERY_MS = 2000;
const KEPT_KEY = 'sfu-admin-key';

/** @type {Api | null} */
let api = null;
/** @type {string | null} */
let chosen = null;
let reading = 0;

const form = element('enter', HTMLFormElement);
const field = element('key', HTMLInputElement);
const leave = element('leave', HTMLButtonElement);
const views = element('views', HTMLElement);

/** @param {string} key */
async function enter(key) {
  api = new Api(key);
  chosen = api.room;
  if (!(await read())) {
    api = null;
    return;
  }
  // For this tab only, and gone with it: a reload is not to ask again.
  sessionStorage.setItem(KEPT_KEY, key);
  form.hidden = true;
  views.hidden = leave.hidden = false;
  field.value = '';
  element('title', HTMLElement).focus();
}

function signOut() {
  api = null;
  sessionStorage.removeItem(KEPT_KEY);
  clearTimeout(reading);
  form.hidden = false;
  views.hidden = leave.hidden = true;
  for (const id of ['rooms', 'room', 'recordings', 'webhooks', 'node']) element(id, HTMLElement).replaceChildren();
  field.focus();
}

/** Reads all that is shown, and again in a while. Returns whether it could. */
async function read() {
  clearTimeout(reading);
  const asked = api;
  if (!asked) return false;
  try {
    await show(asked);
    say('');
  } catch (error) {
    if (asked !== api) return false;
    say(error instanceof ApiError ? error.message : 'The server does not answer.');
    if (error instanceof ApiError && ['key_invalid', 'token_invalid', 'token_expired'].includes(error.code)) {
      signOut();
      return false;
    }
  }
  if (asked === api) reading = setTimeout(read, READ_EVERY_MS);
  return true;
}

/** @param {Api} asked */
async function show(asked) {
  if (asked.room === null) {
    const [node, { items }] = await Promise.all([asked.get('/v1/nodes/self'), asked.get('/v1/rooms?limit=200')]);
    const running = node.workers.filter((/** @type {{running: boolean}} */ one) => one.running).length;
    element('node', HTMLElement).textContent =
      `${counted(node.rooms, 'room', 'rooms')}, ${counted(node.participants, 'person', 'people')}, ` +
      `${running} of ${counted(node.workers.length, 'worker', 'workers')}` +
      `${node.draining ? ', draining' : ''}`;
    if (chosen === null && items.length) chosen = items[0].name;
    roomList(element('rooms', HTMLElement), items, chosen, choose);
    await showWebhooks(asked);
  }
  await showRecordings(asked);
  if (chosen === null) return;
  try {
    await showRoom(asked, chosen);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'room_not_found') throw error;
    element('room', HTMLElement).replaceChildren(`There is no room ${chosen} now.`);
    if (asked.room === null) chosen = null;
  }
}

/**
 * @param {Api} asked
 * @param {string} name
 */
async function showRoom(asked, name) {
  const [room, people, states] = await Promise.all([
    asked.get(pathOf('rooms', name)),
    all(asked, pathOf('rooms', name, 'participants')),
    all(asked, pathOf('rooms', name, 'debug')),
  ]);
  const byIdentity = new Map(states.map((one) => [one.identity, one]));
  const seen = people.map((one) => ({ ...one, debug: byIdentity.get(one.identity) ?? null }));
  if (asked === api && name === chosen) roomView(element('room', HTMLElement), room, seen, act);
}

/**
 * @param {Api} asked
 * @param {string} path of a list
 * @returns {Promise<any[]>} what is on all its pages
 */
async function all(asked, path) {
  const found = [];
  for (let cursor = ''; ; ) {
    const page = await asked.get(`${path}?limit=200${cursor}`);
    found.push(...page.items);
    if (page.next_cursor === null) return found;
    cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`;
  }
}

/** @param {Api} asked */
async function showWebhooks(asked) {
  const { items } = await asked.get('/v1/webhooks?limit=200').catch(() => ({ items: [] }));
  const shown = await Promise.all(
    items.map(async (/** @type {{id: string}} */ one) => ({
      ...one,
      deliveries: (await asked.get(`${pathOf('webhooks', one.id, 'deliveries')}?limit=20`)).items,
    })),
  );
  webhookView(element('webhooks', HTMLElement), shown, act);
}

/** @param {Api} asked */
async function showRecordings(asked) {
  const path = asked.room === null ? '/v1/recordings' : pathOf('rooms', asked.room, 'recordings');
  // A server may record nothing, and a token may moderate without being for recordings.
  const { items } = await asked.get(`${path}?limit=50`).catch(() => ({ items: [] }));
  if (asked === api) recordingView(element('recordings', HTMLElement), items, play);
}

/** @param {{id: string}} recording */
async function play({ id }) {
  if (!api) return;
  const tab = open('', '_blank'); // at once: later, browsers take it for an advertisement
  try {
    const { href } = await api.tell('POST', pathOf('recordings', id, 'playback'), {});
    if (tab) tab.location.href = href;
    else announce('The browser has opened no tab: allow this page to.');
  } catch (error) {
    tab?.close();
    announce(error instanceof ApiError ? error.message : 'The server does not answer.');
  }
}

/** @param {string} name */
function choose(name) {
  chosen = name;
  read();
}

/**
 * What a button does.
 * @param {'POST' | 'PATCH' | 'PUT' | 'DELETE'} method
 * @param {string} path
 * @param {string} done said when it is
 * @param {unknown} [body]
 */
async function act(method, path, done, body) {
  if (!api) return;
  try {
    await api.tell(method, path, body);
    announce(done);
  } catch (error) {
    announce(error instanceof ApiError ? error.message : 'The server does not answer.');
  }
  read();
}

/** @param {string} text */
function say(text) {
  const trouble = element('trouble', HTMLElement);
  if (trouble.textContent !== text) trouble.textContent = text;
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  enter(field.value.trim());
});
leave.addEventListener('click', signOut);
const kept = sessionStorage.getItem(KEPT_KEY);
if (kept) enter(kept);
