/** What was plugged in or out, from two lists of devices. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceChanges, offerWords } from '../../../signaling/static/app/device-changes.js';

const device = (kind, deviceId, label = deviceId, groupId = deviceId) => ({ kind, deviceId, groupId, label });
const BUILT_IN = [
  device('audioinput', 'default', 'Default - Built-in', 'inside'),
  device('audioinput', 'mic', 'Built-in', 'inside'),
  device('audiooutput', 'loud', 'Built-in', 'inside'),
  device('videoinput', 'cam', 'Camera', 'lid'),
];

test('a headset is one thing with two uses', () => {
  const headset = [device('audioinput', 'hs-in', 'Headset', 'hs'), device('audiooutput', 'hs-out', 'Headset', 'hs')];
  const { found, gone } = deviceChanges(BUILT_IN, [...BUILT_IN, ...headset]);
  assert.deepEqual(found, [{ label: 'Headset', ids: { microphone: 'hs-in', speaker: 'hs-out' } }]);
  assert.deepEqual(gone, []);
  assert.equal(offerWords(found[0]), '“Headset” was plugged in. Use it as microphone and speaker?');
});

test('what is gone is named by its id', () => {
  assert.deepEqual(deviceChanges(BUILT_IN, BUILT_IN.slice(0, 3)), { found: [], gone: ['cam'] });
});

test('nothing is said of aliases, of nameless devices, and of the first list with names', () => {
  const alias = device('audioinput', 'communications', 'Communications - Built-in', 'inside');
  assert.deepEqual(deviceChanges(BUILT_IN, [...BUILT_IN, alias]), { found: [], gone: [] });
  assert.deepEqual(deviceChanges(BUILT_IN, [...BUILT_IN, device('videoinput', 'x', '')]), { found: [], gone: [] });
  assert.deepEqual(deviceChanges([device('audioinput', '', '')], BUILT_IN), { found: [], gone: [] });
});

test('two cameras at once are two offers', () => {
  const { found } = deviceChanges(BUILT_IN, [...BUILT_IN, device('videoinput', 'a'), device('videoinput', 'b')]);
  assert.deepEqual(found.map(({ ids }) => ids), [{ camera: 'a' }, { camera: 'b' }]);
});
