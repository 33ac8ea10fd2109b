/** The pure parts of the chat: which lines stand together, and what is said of what went wrong. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginsGroup, lostWords, troubleWords } from '../../../signaling/static/app/chat.js';

const line = (/** @type {string} */ identity, /** @type {number} */ minutes) => ({ identity, atMs: minutes * 60_000 });

for (const [what, last, next, begins] of /** @type {const} */ ([
  ['the first line', null, line('ada', 0), true],
  ['a line soon after', line('ada', 0), line('ada', 1), false],
  ['a line of somebody else', line('ada', 0), line('bob', 0), true],
  ['a line after a while', line('ada', 0), line('ada', 3), true],
])) {
  test(`${what} ${begins ? 'has' : 'needs no'} name and time`, () => assert.equal(beginsGroup(last, next), begins));
}

test('every trouble has words', () => {
  const words = ['rate', 'too_large', 'not_granted', 'disconnected', undefined].map(troubleWords);
  assert.ok(words.every((each) => each.endsWith('.')));
  assert.equal(new Set(words).size, 4);
  assert.match(lostWords(1), /^A message is missing/);
  assert.match(lostWords(12), /^12 messages are missing/);
});
