/** When a stream that stopped is worth a suspicion. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SilenceDetector } from '../../../signaling/static/client/silence.js';

/**
 * Looks every 100 ms; `newest(now)` is the arrival time seen then. Returns when it suspected.
 * @param {SilenceDetector} detector
 * @param {number} from
 * @param {number} to
 * @param {(now: number) => number} newest
 */
function looks(detector, from, to, newest) {
  const suspected = [];
  for (let now = from; now < to; now += 100) if (detector.onLook(newest(now), now)) suspected.push(now);
  return suspected;
}

test('what came steadily and stops is suspected once, within half a second', () => {
  const detector = new SilenceDetector();
  assert.deepEqual(looks(detector, 0, 2000, (now) => now), []);
  assert.deepEqual(looks(detector, 2000, 9000, () => 1900), [2300]);
});

test('nothing received, and a still screen at two frames a second, are no silence', () => {
  assert.deepEqual(looks(new SilenceDetector(), 0, 9000, () => -Infinity), []);
  assert.deepEqual(looks(new SilenceDetector(), 0, 9000, (now) => now - (now % 500)), []);
});

test('everybody muted or gone is no silence', () => {
  const detector = new SilenceDetector();
  assert.deepEqual(looks(detector, 0, 9000, (now) => (now < 2000 ? now : -Infinity)), []);
});

test('one lost packet or two are no silence', () => {
  assert.deepEqual(looks(new SilenceDetector(), 0, 9000, (now) => (now % 1000 < 700 ? now : now - (now % 1000) + 600)), []);
});

test('a page that was asleep suspects nothing', () => {
  const detector = new SilenceDetector();
  looks(detector, 0, 2000, (now) => now);
  assert.equal(detector.onLook(1900, 60_000), false);
  assert.deepEqual(looks(detector, 60_100, 62_000, () => 1900), []);
});

test('a link that stutters is suspected less and less often, and forgiven after a quiet minute', () => {
  const detector = new SilenceDetector();
  const stutter = (/** @type {number} */ now) => (now % 2000 < 1200 ? now : now - (now % 2000) + 1100);
  const suspected = looks(detector, 0, 60_000, stutter);
  assert.deepEqual(suspected.slice(0, 4), [1500, 3500, 5500, 9500]);
  assert.ok(suspected.length < 8, String(suspected));
  looks(detector, 60_000, 200_000, (now) => now);
  assert.equal(looks(detector, 200_000, 206_000, () => 199_900).length, 1);
});
