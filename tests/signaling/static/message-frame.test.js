/** Frames of messages: what is written is what is read, and what is no frame is nothing. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFrame, writeFrame } from '../../../signaling/static/client/message-frame.js';

const text = (/** @type {Uint8Array} */ frame) => new TextDecoder().decode(frame);
const frameOf = (/** @type {string | number[]} */ content) =>
  (typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content)).buffer;

test('a text is written as the protocol says', () => {
  assert.equal(text(writeFrame({ topic: 'chat' }, 'Grüße\n!')), '{"topic":"chat","text":true}\nGrüße\n!');
  assert.equal(text(writeFrame({ topic: '', to: ['bob'] }, '')), '{"topic":"","to":["bob"],"text":true}\n');
});

test('bytes stay bytes, whatever holds them', () => {
  const bytes = new Uint8Array([9, 0, 10, 255, 9]);
  for (const payload of [bytes.slice(1, 4).buffer, bytes.subarray(1, 4), new DataView(bytes.buffer, 1, 3)]) {
    const frame = readFrame(writeFrame({ topic: 't' }, payload).buffer);
    assert.deepEqual(frame?.header, { topic: 't', text: false });
    assert.deepEqual(frame?.payload, new Uint8Array([0, 10, 255]));
  }
});

test('a text is read as a string, line feeds and all', () => {
  const frame = readFrame(frameOf('{"from":"ada","topic":"chat","text":true}\nHello\nworld 👋'));
  assert.deepEqual(frame, { header: { from: 'ada', topic: 'chat', text: true }, payload: 'Hello\nworld 👋' });
});

for (const [what, content] of /** @type {[string, string | number[]][]} */ ([
  ['nothing', ''],
  ['no line feed', '{"from":"ada"}'],
  ['no JSON', 'ada\nHello'],
  ['no object', '1\nHello'],
  ['null', 'null\nHello'],
  ['half a character in the header', [0x22, 0xc3, 0x22, 10]],
  ['half a character in a text', [...new TextEncoder().encode('{"text":true}\n'), 0xc3]],
])) {
  test(`${what} is no frame`, () => assert.equal(readFrame(frameOf(content)), null));
}
