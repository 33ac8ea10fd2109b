/** Recordings as a table, each of which can be played. */

import { button, replace, table } from './views.js';
import { element as make } from '../docs/elements.js';

/**
 * @param {HTMLElement} place
 * @param {any[]} recordings the latest first
 * @param {(recording: any) => void} play
 */
export function recordingView(place, recordings, play) {
  const rows = recordings.map((one) => [
    [one.room],
    [make('time', { datetime: one.started_at }, began(one.started_at))],
    [one.duration_s === null ? '' : length(one.duration_s)],
    [one.reason && one.state === 'failed' ? `failed: ${one.reason}` : one.state],
    one.state === 'ready' ? [named(button('Play', `play ${one.id}`, () => play(one)), `Play ${one.room}, ${began(one.started_at)}`)] : [],
  ]);
  replace(place, rows.length ? [make('h2', {}, 'Recordings'), table('The latest first', ['Room', 'Began', 'Length', 'State', 'Actions'], rows)] : []);
}

/**
 * Of many buttons with one word: which one.
 * @param {HTMLElement} made
 * @param {string} name
 */
function named(made, name) {
  made.setAttribute('aria-label', name);
  return made;
}

/** @param {string} at */
function began(at) {
  return new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/** @param {number} seconds */
function length(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => (index ? String(part).padStart(2, '0') : String(part))).join(':');
}
