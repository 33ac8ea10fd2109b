/**
 * Rooms, people and webhooks as elements. Built anew each time they are read; what has the focus keeps it, by its name.
 */

import { pathOf } from './api.js';
import { element as make } from '../docs/elements.js';

/** @typedef {(method: 'POST' | 'PATCH' | 'PUT' | 'DELETE', path: string, done: string, body?: unknown) => void} Act */

/**
 * @param {HTMLElement} place
 * @param {any[]} rooms
 * @param {string | null} chosen
 * @param {(name: string) => void} choose
 */
export function roomList(place, rooms, chosen, choose) {
  const rows = rooms.map((room) => {
    const row = make(
      'button',
      { type: 'button', 'aria-current': String(room.name === chosen), 'data-name': `room ${room.name}` },
      make('strong', {}, room.name),
      make('span', { class: 'quiet' }, `${people(room.participants)}${room.waiting.length ? `, ${room.waiting.length} waiting` : ''}`),
    );
    row.addEventListener('click', () => choose(room.name));
    return make('li', {}, row);
  });
  replace(place, rows.length ? [make('ul', {}, ...rows)] : [make('p', { class: 'quiet' }, 'There is no room.')]);
}

/**
 * @param {HTMLElement} place
 * @param {any} room
 * @param {any[]} seen participants, with `debug` where it could be read
 * @param {Act} act
 */
export function roomView(place, room, seen, act) {
  const path = pathOf('rooms', room.name);
  const owners = new Map(seen.flatMap((one) => one.tracks.map((/** @type {any} */ track) => [track.id, `${one.name}, ${track.source}`])));
  replace(place, [
    make('h2', {}, room.name),
    make('p', { class: 'quiet' }, `${people(room.participants)} of ${room.max_participants}${room.locked ? ', locked' : ''}${room.lobby ? ', lobby' : ''}`),
    actions(
      room.locked
        ? button('Unlock', 'unlock', () => act('POST', `${path}/unlock`, 'Unlocked.'))
        : button('Lock', 'lock', () => act('POST', `${path}/lock`, 'Locked.')),
      button('End for everybody', 'end', () => sure(`End ${room.name} for everybody?`) && act('DELETE', path, 'Ended.'), true),
    ),
    ...room.waiting.map((/** @type {any} */ one) => waiting(path, one, act)),
    ...seen.map((one) => participant(path, one, owners, act)),
  ]);
}

/**
 * @param {string} room its path
 * @param {any} one
 * @param {Act} act
 */
function waiting(room, one, act) {
  const path = `${room}/participants/${encodeURIComponent(one.identity)}`;
  return make(
    'article',
    {},
    make('h3', {}, `${one.name} waits`),
    actions(
      button('Admit', `admit ${one.identity}`, () => act('POST', `${path}/admit`, `${one.name} is admitted.`)),
      button('Deny', `deny ${one.identity}`, () => act('POST', `${path}/deny`, `${one.name} is denied.`), true),
    ),
  );
}

/**
 * @param {string} room its path
 * @param {any} one
 * @param {Map<string, string>} owners what a track is, by its id
 * @param {Act} act
 */
function participant(room, one, owners, act) {
  const path = `${room}/participants/${encodeURIComponent(one.identity)}`;
  const said = [one.identity, one.state === 'connected' ? '' : one.state, one.on_stage ? 'on stage' : '', one.hand ? 'hand raised' : '', quality(one.quality)];
  const parts = [make('h3', {}, one.name), make('p', { class: 'quiet' }, said.filter(Boolean).join(', '))];
  parts.push(
    actions(
      ...one.held.map((/** @type {string} */ source) =>
        button(`Ask to unmute ${source}`, `ask ${one.identity} ${source}`, () =>
          act('POST', `${path}/ask-to-unmute`, `${one.name} is asked.`, { source }),
        ),
      ),
      button(one.on_stage ? 'Off the stage' : 'On stage', `stage ${one.identity}`, () =>
        act('PATCH', path, 'Done.', { on_stage: !one.on_stage }),
      ),
      button('Remove', `remove ${one.identity}`, () => act('DELETE', path, `${one.name} is removed.`), true),
      button('Ban', `ban ${one.identity}`, () => sure(`Ban ${one.name} from this room?`) && act('DELETE', `${path}?ban=true`, `${one.name} is banned.`), true),
    ),
  );
  if (one.tracks.length) parts.push(published(path, one, act));
  if (one.debug?.received.length) parts.push(received(one.debug, owners));
  parts.push(...without(one.debug));
  return make('article', { 'aria-label': one.name }, ...parts);
}

/** @param {any} told how good the call is; null: nothing is sent or received */
function quality(told) {
  if (!told) return '';
  const score = told.score ? ` ${told.score.toFixed(1)}` : '';
  const why = told.cause === 'nothing' ? '' : ` (${told.cause}${told.direction ? `, ${told.direction}` : ''})`;
  return `quality ${told.level}${score}${why}`;
}

/**
 * @param {string} path the participant's
 * @param {any} one
 * @param {Act} act
 */
function published(path, one, act) {
  const rows = one.tracks.map((/** @type {any} */ track) => {
    const figures = one.debug?.published.find((/** @type {any} */ other) => other.track === track.id);
    const layers = (figures?.layers ?? [])
      .filter((/** @type {any} */ layer) => layer.active)
      .map((/** @type {any} */ layer) => `${layer.rid ? `${layer.rid} ` : ''}${rate(layer.bitrate_bps)}`);
    const asked = figures && figures.asked_rid === null ? 'nothing' : figures?.asked_rid;
    const where = `${path}/tracks/${encodeURIComponent(track.id)}`;
    return [
      [track.source],
      [track.muted ? 'muted' : layers.join(', ') || 'nothing arrives'],
      [asked === undefined ? '' : asked === 'nothing' ? asked : asked ? `up to ${asked}` : 'all of it'],
      [
        actions(
          button('Mute', `mute ${track.id}`, () => act('PATCH', where, 'Muted.', { muted: true })),
          button('Stop', `stop ${track.id}`, () => act('DELETE', where, 'Stopped.'), true),
        ),
      ],
    ];
  });
  return table('Publishes', ['Track', 'Arrives', 'Asked for', 'Actions'], rows);
}

/**
 * @param {any} debug what is known of him
 * @param {Map<string, string>} owners
 */
function received(debug, owners) {
  const rows = debug.received.map((/** @type {any} */ item) => [
    [owners.get(item.track) ?? item.track],
    [item.rid === null ? 'nothing' : `${item.rid || 'all of it'}, ${rate(item.bitrate_bps)}`],
    [item.score === null ? '' : `${item.score.toFixed(1)}${item.cause === 'nothing' ? '' : ` (${item.cause})`}`],
    [item.explanation],
  ]);
  const carries = debug.estimate_bps === null ? '' : `, its connection carries ${rate(debug.estimate_bps)}`;
  return table(`Receives${carries}, at most ${rate(debug.budget_bps)} are spent`, ['Track', 'Layer', 'Score', 'Why'], rows);
}

/** In a crowd. @param {any} debug @returns {HTMLElement[]} */
function without(debug) {
  const counts = Object.entries(debug?.without_place ?? {}).map(([reason, count]) => `${count} (${reason})`);
  return counts.length ? [make('p', { class: 'quiet' }, `Not received for want of a place: ${counts.join(', ')}`)] : [];
}

/**
 * @param {HTMLElement} place
 * @param {any[]} webhooks with their latest deliveries
 * @param {Act} act
 */
export function webhookView(place, webhooks, act) {
  replace(
    place,
    webhooks.map((one) => {
      const rows = one.deliveries.map((/** @type {any} */ delivery) => [
        [delivery.type],
        [delivery.state],
        [String(delivery.attempts)],
        [
          button('Again', `again ${delivery.id}`, () =>
            act('POST', `${pathOf('webhooks', one.id, 'deliveries', delivery.id)}/redeliver`, 'It is sent again.'),
          ),
        ],
      ]);
      return make(
        'article',
        {},
        make('h3', {}, one.url),
        actions(button('Send a test', `test ${one.id}`, () => act('POST', `${pathOf('webhooks', one.id)}/test`, 'A test is sent.'))),
        ...(rows.length ? [table('Latest deliveries', ['Event', 'State', 'Attempts', 'Actions'], rows)] : []),
      );
    }),
  );
}

/**
 * @param {HTMLElement} place
 * @param {Node[]} children
 */
export function replace(place, children) {
  const focused = place.contains(document.activeElement) ? document.activeElement?.getAttribute('data-name') : null;
  place.replaceChildren(...children);
  if (focused) /** @type {HTMLElement | null} */ (place.querySelector(`[data-name="${CSS.escape(focused)}"]`))?.focus();
}

/** @param {...HTMLElement} buttons */
function actions(...buttons) {
  return make('div', { class: 'actions' }, ...buttons);
}

/**
 * @param {string} text
 * @param {string} name by which it is found again
 * @param {() => void} does
 * @param {boolean} [danger]
 */
export function button(text, name, does, danger = false) {
  const made = make('button', { type: 'button', class: danger ? 'plain danger' : 'plain', 'data-name': name }, text);
  made.addEventListener('click', does);
  return made;
}

/**
 * @param {string} caption
 * @param {string[]} heads
 * @param {(Node | string)[][][]} rows
 */
export function table(caption, heads, rows) {
  const head = make('tr', {}, ...heads.map((text) => make('th', { scope: 'col' }, text)));
  const body = rows.map((cells) => make('tr', {}, ...cells.map((cell) => make('td', {}, ...cell))));
  return make(
    'div',
    { class: 'scrolled', tabindex: '0', role: 'group', 'aria-label': caption },
    make('table', {}, make('caption', {}, caption), make('thead', {}, head), make('tbody', {}, ...body)),
  );
}

/** @param {string} question */
function sure(question) {
  return window.confirm(question);
}

/** @param {number} bps */
function rate(bps) {
  return bps >= 1e6 ? `${(bps / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;
}

/** @param {number} count */
function people(count) {
  return counted(count, 'person', 'people');
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
export function counted(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}
