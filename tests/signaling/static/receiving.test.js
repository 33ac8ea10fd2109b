/** What somebody has chosen to receive: which pictures are left out, and what the server is told. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundedLayout, chosenPictures } from '../../../signaling/static/app/receiving.js';

const camera = (identity, more = {}) => ({ identity, source: 'camera', own: false, video: {}, ...more });
const STATES = [
  camera('ada', { own: true }),
  camera('bob'),
  camera('dan', { video: null }),
  camera('eve'),
  camera('eve', { source: 'screen' }),
  camera('fay'),
];
const NOTHING = { soundOnly: false, mostPictures: 0, saverBps: 0 };

/** Whose pictures are left of which choice. */
function left(choice, { recent = [], staged = [] } = {}) {
  const states = chosenPictures(STATES, { ...NOTHING, ...choice }, ({ identity }) => staged.includes(identity), recent);
  assert.equal(states.length, STATES.length, 'everybody keeps a tile');
  return states.filter(({ own, video }) => !own && video).map(({ identity, source }) => `${identity} ${source}`);
}

test('who has chosen nothing has all', () => {
  assert.deepEqual(left({}), ['bob camera', 'eve camera', 'eve screen', 'fay camera']);
});

test('sound only leaves none but one’s own', () => {
  assert.deepEqual(left({ soundOnly: true, mostPictures: 4 }), []);
  const [own, bob, dan] = chosenPictures(STATES, { ...NOTHING, soundOnly: true }, () => false, []);
  assert.deepEqual([own.video, own.spared, bob.spared, dan.spared], [{}, undefined, 'sound_only', undefined]);
});

test('of few, what is large comes first, then screens, then who spoke last', () => {
  assert.deepEqual(left({ mostPictures: 1 }), ['eve screen']);
  assert.deepEqual(left({ mostPictures: 2 }), ['bob camera', 'eve screen']);
  assert.deepEqual(left({ mostPictures: 2 }, { recent: ['fay', 'bob'] }), ['eve screen', 'fay camera']);
  assert.deepEqual(left({ mostPictures: 1 }, { recent: ['fay'], staged: ['bob'] }), ['bob camera']);
  assert.deepEqual(left({ mostPictures: 9 }), ['bob camera', 'eve camera', 'eve screen', 'fay camera']);
});

test('the server is told no more than was chosen', () => {
  const tiles = [
    { track: 'TR_1', width: 640, height: 360, on_stage: true },
    { track: 'TR_2', width: 320, height: 180, on_stage: false },
  ];
  assert.deepEqual(boundedLayout(tiles, NOTHING), { tiles });
  assert.deepEqual(boundedLayout([], { ...NOTHING, soundOnly: true }), { tiles: [], last_n: 0 });
  const slower = [tiles[0], { ...tiles[1], frame_rate: 15 }];
  assert.deepEqual(boundedLayout(tiles, { soundOnly: false, mostPictures: 4, saverBps: 500_000 }), {
    ...{ tiles: slower, last_n: 4, max_bps: 500_000 },
  });
});
