/** The pure parts of the page: sizes of tiles, words, and what the address asks for. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gridLayout, stageLayout, stripLayout } from '../../../signaling/static/app/layout.js';
import { captureWish } from '../../../signaling/static/app/preferences.js';
import { connectionWords, countWords, deviceWords, leftWords, recordingWords, recordTroubleWords, sessionWords } from '../../../signaling/static/app/words.js';

const BOARDS = [
  // what it is, tiles, width, height, columns
  ['one on a laptop', 1, 1240, 668, 1],
  ['two on a laptop', 2, 1240, 668, 2],
  ['four on a laptop', 4, 1240, 668, 2],
  ['nine on a laptop', 9, 1240, 668, 3],
  ['two on a phone', 2, 366, 710, 1],
  ['six on a phone', 6, 366, 710, 1],
  ['eight on a phone', 8, 366, 710, 2],
];

for (const [what, count, width, height, columns] of BOARDS) {
  test(`${what} stand in ${columns} column(s), all of them in sight`, () => {
    const { tileWidth, tileHeight } = gridLayout(count, width, height, 12);
    assert.equal(Math.floor((width + 12) / (tileWidth + 12)), columns);
    assert.ok(Math.ceil(count / columns) * (tileHeight + 12) - 12 <= height);
  });
}

test('no tile is flatter than the picture or taller than a portrait', () => {
  for (let count = 1; count <= 60; count++) {
    for (const [width, height] of [[1240, 668], [366, 710], [800, 300], [300, 1000]]) {
      const { tileWidth, tileHeight } = gridLayout(count, width, height, 12, [[], [9 / 16], [21 / 9]][count % 3]);
      const ratio = tileWidth / tileHeight;
      assert.ok(ratio > 0.74 && ratio < 1.82, `${count} on ${width}x${height}: ${tileWidth}x${tileHeight}`);
      assert.ok(tileWidth <= width);
    }
  }
});

test('so many that nobody would be recognised: tiles keep a size, and the board scrolls', () => {
  assert.ok(gridLayout(60, 366, 710, 12).tileWidth >= 150);
});

test('a board that is not laid out yet gives no nonsense', () => {
  assert.deepEqual(gridLayout(3, 0, 0, 12), { tileWidth: 0, tileHeight: 0 });
});

test('a shared screen is never in a tall tile', () => {
  assert.deepEqual(stageLayout(1, 366, 580, 12, [9 / 16]), { tileWidth: 366, tileHeight: 274.5 });
});

test('tiles have the shape of the pictures, so that there are no borders', () => {
  assert.deepEqual(gridLayout(2, 1240, 668, 12, [16 / 9, 16 / 9]), { tileWidth: 614, tileHeight: 345.37 });
  assert.deepEqual(stageLayout(1, 366, 580, 12, [16 / 9]), { tileWidth: 366, tileHeight: 205.87 });
  const upright = gridLayout(2, 366, 710, 12, [16 / 9, 9 / 16]);
  assert.ok(upright.tileHeight > 300, 'on a phone an upright picture gets its room');
  const onLaptop = gridLayout(2, 1240, 668, 12, [9 / 16]);
  assert.deepEqual(onLaptop, gridLayout(2, 1240, 668, 12, [4 / 3]), 'elsewhere it gets borders');
});

test('people beside a screen stand in one row or column', () => {
  assert.deepEqual(stripLayout(232, 600, false), { tileWidth: 232, tileHeight: 130.5 });
  assert.deepEqual(stripLayout(366, 117, true), { tileWidth: 208, tileHeight: 117 });
});

test('the address may ask for a capture size, a rate and layers', () => {
  assert.deepEqual(captureWish('?video=640x360@15&layers=3'), { width: 640, height: 360, frameRate: 15, simulcast: 3 });
  assert.deepEqual(captureWish('?video=640x360'), { width: 640, height: 360 });
  assert.deepEqual(captureWish('?codec=vp9'), { codec: 'VP9' });
  assert.deepEqual(captureWish('?video=large&layers=many&codec=vp7'), {});
  assert.deepEqual(captureWish(''), {});
});

test('every failure has words', () => {
  const failure = (name) => Object.assign(new Error('x'), { name });
  assert.match(deviceWords(failure('NotAllowedError'), 'camera'), /not allowed to use your camera/);
  const refusal = (message) => Object.assign(failure('NotAllowedError'), { message });
  assert.match(deviceWords(refusal('Permission denied by system'), 'camera'), /privacy settings/);
  assert.match(deviceWords(refusal('Permission dismissed'), 'camera'), /unanswered/);
  assert.match(deviceWords(failure('NotSupportedError'), 'screen'), /browser cannot/);
  assert.match(sessionWords({ code: 'offline' }), /offline/);
  assert.match(deviceWords(failure('NotFoundError'), 'microphone'), /No microphone/);
  assert.match(deviceWords(failure('NotReadableError'), 'camera'), /Another program/);
  assert.match(deviceWords({ name: 'SfuError', code: 'insecure_page' }, 'camera'), /https/);
  assert.match(sessionWords({ code: 'token_expired' }), /expired/);
  assert.match(sessionWords({ code: 'limit', reason: 'the room is full' }), /the room is full/);
  assert.match(sessionWords(new TypeError('odd')), /odd/);
  assert.match(sessionWords(undefined), /did not work/);
});

test('the connection says how it is, and what to do once that takes too long', () => {
  assert.deepEqual(connectionWords('connected', true, true), { short: 'Connected', long: '' });
  assert.deepEqual(connectionWords('connecting', true, false), { short: 'Connecting…', long: '' });
  assert.match(connectionWords('connecting', true, true).long, /firewall/);
  assert.match(connectionWords('reconnecting', true, true).long, /another network/);
  assert.equal(connectionWords('connected', false, false).short, 'Offline');
  assert.equal(connectionWords('closed', false, true).short, 'Ended');
});

test('a recording says whether we are in it, where that is ours to say', () => {
  assert.equal(recordingWords(false, false, null), 'Recording');
  assert.equal(recordingWords(false, true, null), 'Recording, without you');
  assert.equal(recordingWords(false, true, true), 'Recording, with you');
  assert.equal(recordingWords(true, true, true), 'Recording paused');
  assert.match(recordTroubleWords({ code: 'recording_disabled' }), /records nothing/);
  assert.match(recordTroubleWords({ code: 'unreachable' }), /does not answer/);
});

test('who is here and who left, in words', () => {
  assert.deepEqual([countWords(0), countWords(1), countWords(30, 400)], ['Only you', '2 people', '31 people, 400 watching']);
  assert.equal(leftWords('Bob', 'left'), 'Bob left');
  assert.equal(leftWords('Bob', 'disconnected'), 'Bob lost the connection');
});
