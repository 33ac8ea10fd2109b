/** When a level is speech. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReceivedLevel, SpeechDetector } from '../../../signaling/static/client/levels.js';

test('speech begins at once, bridges pauses between words, and ends after a silence', () => {
  const detector = new SpeechDetector();
  const heard = [
    [0.0, 0.0],
    [0.1, 0.3],
    [0.3, 0.0],
    [0.6, 0.0],
    [0.8, 0.0],
    [0.9, 0.1],
  ].map(([now, level]) => detector.onLevel(level, now));
  assert.deepEqual(heard, [false, true, true, true, false, true]);
});

test('the hum of a fan is not speech', () => {
  assert.equal(new SpeechDetector().onLevel(0.01, 1), false);
});

test('a source that sends nothing more is silent, though browsers list it for ten seconds', () => {
  let sources = [{ timestamp: 1000, audioLevel: 0.5 }];
  const level = new ReceivedLevel({ getSynchronizationSources: () => sources });
  assert.equal(level.read(), 0.5);
  assert.equal(level.read(), 0);
  sources = [{ timestamp: 1100 }]; // no level extension
  assert.equal(level.read(), 0);
  sources = [];
  assert.equal(level.read(), 0);
});
