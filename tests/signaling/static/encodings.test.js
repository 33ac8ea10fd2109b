/** How a video is encoded: tables of capture size and option against layers. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodingsFor, preferCodec } from '../../../signaling/static/client/encodings.js';

const summary = (encodings) =>
  encodings.map(({ rid, scaleResolutionDownBy, maxBitrate }) => [rid, scaleResolutionDownBy, Math.round(maxBitrate / 1000)]);

const CAMERAS = [
  // width, height, simulcast option, expected [rid, scale, kbit/s]
  [1280, 720, undefined, [['q', 4, 150], ['h', 2, 505], ['f', 1, 1700]]],
  [720, 1280, undefined, [['q', 4, 150], ['h', 2, 505], ['f', 1, 1700]]], // a phone held upright
  [960, 540, undefined, [['q', 4, 91], ['h', 2, 305], ['f', 1, 1028]]],
  [640, 360, undefined, [['h', 2, 150], ['f', 1, 505]]], // a third would cost the full size: see encodings.js
  [640, 480, undefined, [['h', 2, 193], ['f', 1, 650]]],
  [320, 180, undefined, [[undefined, undefined, 150]]],
  [160, 90, undefined, [[undefined, undefined, 60]]],
  [640, 360, 3, [['q', 4, 60], ['h', 2, 150], ['f', 1, 505]]],
  [1280, 720, 1, [[undefined, undefined, 1700]]],
  [1280, 720, false, [[undefined, undefined, 1700]]],
  [1280, 720, true, [['q', 4, 150], ['h', 2, 505], ['f', 1, 1700]]],
  [1280, 720, 9, [['q', 4, 150], ['h', 2, 505], ['f', 1, 1700]]],
  [1280, 720, 0, [[undefined, undefined, 1700]]],
  [undefined, undefined, undefined, [['q', 4, 150], ['h', 2, 505], ['f', 1, 1700]]],
];

for (const [width, height, simulcast, expected] of CAMERAS) {
  test(`a camera of ${width}x${height} with simulcast ${simulcast} has ${expected.length} layers`, () => {
    assert.deepEqual(summary(encodingsFor('camera', { width, height }, simulcast)), expected);
  });
}

test('layers of VP9 and AV1 each say that they have one size, or they would be one', () => {
  const modes = (...options) => encodingsFor('camera', { width: 1280, height: 720 }, ...options).map((one) => one.scalabilityMode);
  assert.deepEqual(modes(true, 'VP9'), ['L1T3', 'L1T3', 'L1T3']);
  assert.deepEqual(modes(2, 'AV1'), ['L1T3', 'L1T3']);
  assert.deepEqual(modes(true, 'VP8'), [undefined, undefined, undefined]);
  assert.deepEqual(modes(false, 'VP9'), [undefined]);
  assert.deepEqual(modes(false, 'VP9', 'L3T3_KEY'), ['L3T3_KEY']);
});

test('a screen has a copy of half the size for thin paths, unless it is small or one layer is asked for', () => {
  const large = { width: 1920, height: 1080 };
  assert.deepEqual(encodingsFor('screen', large), [
    { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000, maxFramerate: 15, scalabilityMode: 'L1T3' },
    { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 2_500_000, maxFramerate: 15, scalabilityMode: 'L1T3' },
  ]);
  assert.equal(encodingsFor('screen', large, 3).length, 2);
  for (const [size, simulcast] of [[large, false], [large, 1], [{ width: 800, height: 600 }, true]]) {
    assert.deepEqual(encodingsFor('screen', size, simulcast), [
      { maxBitrate: 2_500_000, maxFramerate: 15, scalabilityMode: 'L1T3' },
    ]);
  }
});

test('audio has one encoding', () => {
  assert.equal(encodingsFor('microphone', {}).length, 1);
  assert.equal(encodingsFor('screen_audio', {}).length, 1);
});

test('the preferred codec comes first, and nothing is lost', () => {
  const codecs = ['video/VP8', 'video/rtx', 'video/H264', 'video/AV1', 'video/H264'].map((mimeType, index) => ({ mimeType, index }));
  assert.deepEqual(preferCodec(codecs, 'H264').map(({ index }) => index), [2, 4, 0, 1, 3]);
  assert.deepEqual(preferCodec(codecs, 'VP8'), codecs);
});
