/**
 * The page: all participants of a recording in step, who speaks when, and a way to any moment.
 *
 * It reads `manifest.json` beside itself, or of the directory that `?recording=` names on this server.
 */

import { keepUpright, showPart } from './parts.js';
import { Player } from './player.js';
import { clock, moments, speakersAt, stretches, within } from './timeline.js';

/** @typedef {import('./types.js').Manifest} Manifest */
/** @typedef {import('./types.js').Participant} Participant */
/** @typedef {import('./parts.js').Part} Part */
/** @typedef {{tile: HTMLElement, participant: Participant | undefined, screen: boolean, parts: Part[]}} Shown */

const TICK_MS = 200;
const VERSION = 1;

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<HTMLElementTagNameMap[K]>} [properties]
 * @param {...(Node | string)} children
 */
function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** @returns {URL} of the recording's directory; on this server only, whatever the link says */
function directory() {
  const named = new URLSearchParams(location.search).get('recording') ?? './';
  const url = new URL(named.endsWith('/') ? named : `${named}/`, location.href);
  if (url.origin !== location.origin) throw new Error('The link leads to another server.');
  return url;
}

/**
 * @param {URL} base
 * @returns {Promise<Manifest>}
 */
async function load(base) {
  const response = await fetch(new URL('manifest.json', base));
  if (!response.ok) throw new Error(`The recording cannot be read: ${response.status} ${response.statusText}.`);
  const manifest = await response.json();
  if (manifest.version !== VERSION) throw new Error(`The recording is of version ${manifest.version}.`);
  return manifest;
}

/**
 * @param {Manifest} manifest
 * @param {URL} base
 * @param {Player} player
 * @returns {Shown[]}
 */
function fillStage(manifest, base, player) {
  const people = new Map(manifest.participants.map((one) => [one.identity, one]));
  /** @type {Map<string, Shown>} */
  const tiles = new Map();
  for (const file of manifest.files) {
    const screen = file.sources.includes('screen');
    const key = JSON.stringify([file.participant, screen]);
    const participant = people.get(file.participant);
    const name = `${participant?.name ?? file.participant}${screen ? ' (screen)' : ''}`;
    let known = tiles.get(key);
    if (!known) {
      const muted = make('button', { type: 'button', textContent: 'Mute', ariaPressed: 'false', ariaLabel: `Mute ${name}` });
      const tile = make('figure', { className: 'tile' }, make('figcaption', {}, make('span', { textContent: name }), muted));
      muted.addEventListener('click', () => {
        const silent = muted.ariaPressed !== 'true';
        muted.ariaPressed = String(silent);
        for (const media of tile.querySelectorAll('video')) media.muted = silent;
      });
      known = { tile, participant, screen, parts: [] };
      tiles.set(key, known);
    }
    const video = make('video', { src: new URL(file.path, base).href, preload: 'auto', playsInline: true });
    video.setAttribute('aria-label', name);
    if (file.width === null) {
      known.tile.prepend(make('div', { className: 'initials', textContent: name.slice(0, 2).toUpperCase(), ariaHidden: 'true' }));
    }
    known.tile.prepend(video);
    known.parts.push({ video, file });
    keepUpright({ video, file });
    player.add(video, file.start_s);
  }
  element('stage', HTMLElement).append(...[...tiles.values()].map(({ tile }) => tile));
  return [...tiles.values()];
}

/**
 * @param {Manifest} manifest
 * @param {Player} player
 * @returns {HTMLElement[]} the marks of where it plays
 */
function fillSpeaking(manifest, player) {
  const percent = (/** @type {number} */ seconds) => `${(100 * seconds) / Math.max(manifest.duration_s, 0.001)}%`;
  /** @param {HTMLElement} mark @param {{from_s: number, to_s: number}} span */
  const place = (mark, span) => {
    mark.style.left = percent(span.from_s);
    mark.style.width = percent(span.to_s - span.from_s);
    return mark;
  };
  const spoken = stretches(manifest);
  return manifest.participants.map(({ identity, name, presence }) => {
    const bar = make('div', { className: 'bar' });
    bar.append(...presence.map((span) => place(make('div', { className: 'present' }), span)));
    for (const span of spoken.get(identity) ?? []) {
      const label = `${name} speaks at ${clock(span.from_s)} for ${Math.round(span.to_s - span.from_s)} s`;
      const stretch = make('button', { type: 'button', title: label, ariaLabel: label });
      stretch.addEventListener('click', () => player.seek(span.from_s));
      bar.append(place(stretch, span));
    }
    const now = make('div', { className: 'now' });
    bar.append(now);
    element('speaking', HTMLElement).append(make('div', { className: 'line' }, make('span', { textContent: name }), bar));
    return now;
  });
}

/**
 * @param {Manifest} manifest
 * @param {Player} player
 */
function fillMoments(manifest, player) {
  for (const { at_s, text } of moments(manifest)) {
    const jump = make('button', { type: 'button' }, make('span', { className: 'at', textContent: clock(at_s) }), text);
    jump.addEventListener('click', () => player.seek(at_s));
    element('moments', HTMLElement).append(make('li', {}, jump));
  }
}

/** @param {Player} player */
function connectControls(player) {
  const play = element('play', HTMLButtonElement);
  const position = element('position', HTMLInputElement);
  const speed = element('speed', HTMLSelectElement);
  const toggle = () => (player.playing ? player.pause() : player.play());
  play.addEventListener('click', toggle);
  position.max = String(player.duration_s);
  position.addEventListener('input', () => player.seek(Number(position.value)));
  speed.addEventListener('change', () => (player.speed = Number(speed.value)));
  document.addEventListener('keydown', (event) => {
    if (event.key === ' ' && event.target === document.body) {
      event.preventDefault();
      toggle();
    }
  });
  player.addEventListener('change', () => {
    play.textContent = player.playing ? 'Pause' : 'Play';
    play.ariaPressed = String(player.playing);
  });
}

async function start() {
  const base = directory();
  const manifest = await load(base);
  const player = new Player(manifest.duration_s);
  const room = manifest.room || 'Recording';
  document.title = `${room} · recording`;
  element('title', HTMLElement).textContent = room;
  const ended = manifest.complete ? '' : ' · it was interrupted';
  element('about', HTMLElement).textContent =
    `${new Date(manifest.started_at).toLocaleString()} · ${clock(manifest.duration_s)} · ${manifest.participants.length} participants${ended}`;
  element('length', HTMLOutputElement).textContent = clock(manifest.duration_s);
  const tiles = fillStage(manifest, base, player);
  const marks = fillSpeaking(manifest, player);
  fillMoments(manifest, player);
  connectControls(player);
  element('player', HTMLElement).hidden = false;

  const show = () => {
    const at_s = player.position_s;
    const position = element('position', HTMLInputElement);
    position.value = String(at_s);
    position.setAttribute('aria-valuetext', `${clock(at_s)} of ${clock(manifest.duration_s)}`);
    element('clock', HTMLOutputElement).textContent = clock(at_s);
    const [speaker] = speakersAt(manifest, at_s);
    for (const { tile, participant, screen, parts } of tiles) {
      tile.dataset.pictures = String(showPart(parts, at_s));
      tile.dataset.speaking = String(!screen && participant?.identity === speaker);
      tile.dataset.present = String(!participant || within(participant.presence, at_s));
    }
    for (const mark of marks) mark.style.left = `${(100 * at_s) / Math.max(manifest.duration_s, 0.001)}%`;
  };
  player.addEventListener('change', show);
  setInterval(() => {
    player.tick();
    show();
  }, TICK_MS);
  show();
}

start().catch((error) => {
  const problem = element('problem', HTMLElement);
  problem.textContent = error instanceof Error ? error.message : String(error);
  problem.hidden = false;
});
