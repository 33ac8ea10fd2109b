import assert from 'node:assert/strict';
import test from 'node:test';

import { correction } from '../../../recorder/playback/player.js';
import { clock, moments, speakersAt, stretches, turnAt, within } from '../../../recorder/playback/timeline.js';

const PEOPLE = [
  { identity: 'ada', name: 'Ada', consent: null, presence: [{ from_s: 0, to_s: 60 }] },
  { identity: 'bob', name: 'Bob', consent: null, presence: [{ from_s: 5, to_s: 20 }, { from_s: 30, to_s: 60 }] },
];

/** @param {object} changes */
function manifest(changes = {}) {
  return /** @type {any} */ ({ duration_s: 60, participants: PEOPLE, tracks: [], speakers: [], pauses: [], ...changes });
}

test('times are told as people tell them', () => {
  const told = [[-1, '0:00'], [0, '0:00'], [59.9, '0:59'], [61, '1:01'], [3600, '1:00:00'], [36_661, '10:11:01']];
  for (const [seconds, text] of told) assert.equal(clock(Number(seconds)), text);
});

test('a stretch of speech ends where another speaks, and not where somebody breathes', () => {
  const speakers = [
    { at_s: 1, participants: ['ada'] },
    { at_s: 4, participants: [] },
    { at_s: 5, participants: ['ada', 'bob'] },
    { at_s: 8, participants: ['bob'] },
    { at_s: 20, participants: [] },
    { at_s: 50, participants: ['ada', 'nobody'] },
  ];
  const found = stretches(manifest({ speakers }));
  assert.deepEqual(found.get('ada'), [{ from_s: 1, to_s: 8 }, { from_s: 50, to_s: 60 }]);
  assert.deepEqual(found.get('bob'), [{ from_s: 5, to_s: 20 }]);
  assert.deepEqual(speakersAt(manifest({ speakers }), 6), ['ada', 'bob']);
  assert.deepEqual(speakersAt(manifest({ speakers }), 0.5), []);
});

test('of a thousand stretches the longest are kept, in order', () => {
  const speakers = Array.from({ length: 2000 }, (_, index) => ({ at_s: index * 2, participants: index % 2 ? [] : ['ada'] }));
  const spans = stretches(manifest({ duration_s: 4000, speakers })).get('ada') ?? [];
  assert.equal(spans.length, 400);
  assert.ok(spans.every((span, index) => index === 0 || span.from_s > spans[index - 1].from_s));
});

test('joins, leaves, gaps, mutes and pauses are moments, in order', () => {
  const tracks = [
    {
      participant: 'ada', source: 'camera',
      gaps: [{ from_s: 10, to_s: 12, reason: 'loss' }, { from_s: 13, to_s: 13.2, reason: 'loss' }],
      mutes: [{ from_s: 40, to_s: 41 }],
    },
  ];
  const texts = moments(manifest({ tracks, pauses: [{ from_s: 25, to_s: 90 }] })).map(({ at_s, text }) => `${at_s} ${text}`);
  assert.deepEqual(texts, [
    '0 Ada joined',
    '5 Bob joined',
    '10 Ada: camera missing (loss)',
    '20 Bob left',
    '25 recording paused for 1:05',
    '30 Bob joined',
    '40 Ada: camera muted',
  ]);
  assert.ok(within(PEOPLE[1].presence, 5) && !within(PEOPLE[1].presence, 20));
});

test('what is off by little is pulled, what is off by much is set', () => {
  assert.deepEqual(correction(0.01), { seek: false, rate: 1 });
  assert.deepEqual(correction(-2), { seek: true, rate: 1 });
  assert.ok(correction(0.1).rate < 1 && correction(-0.1).rate > 1);
  assert.ok(correction(0.29).rate >= 0.92);
});

test('a picture is turned by what the player of its file has not turned already', () => {
  const turns = [{ at_s: 2, degrees: 90 }, { at_s: 4, degrees: 270, mirrored: true }, { at_s: 6, degrees: 0 }];
  const file = (/** @type {number} */ container_degrees) => /** @type {any} */ ({ turns, container_degrees });
  const told = (/** @type {number} */ at_s, container = 0) => {
    const { degrees, mirrored } = turnAt(file(container), at_s);
    return `${degrees}${mirrored ? ' mirrored' : ''}`;
  };
  assert.deepEqual([0, 1.9985, 3, 4, 7].map((at_s) => told(at_s)), ['0', '90', '90', '270 mirrored', '0']);
  // What is mirrored and was turned by 90° has to go on to 360°: mirroring has made that -90°.
  assert.deepEqual([2, 4, 7].map((at_s) => told(at_s, 90)), ['0', '0 mirrored', '270']);
  assert.deepEqual(turnAt(/** @type {any} */ ({}), 3), { degrees: 0, mirrored: false });
});
