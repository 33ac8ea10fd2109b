/** Who is shown large. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onStage } from '../../../signaling/static/app/stage.js';

const tile = (identity, source = 'camera', own = false) => ({ key: `${identity} ${source}`, identity, source, own });
const PEOPLE = [tile('you', 'camera', true), tile('ada'), tile('bob'), tile('eve')];
const SHARED = [...PEOPLE, tile('bob', 'screen')];
const YOURS = [...PEOPLE, tile('you', 'screen', true)];

const CASES = [
  // what it is, tiles, wishes, before, on the stage
  ['a grid has nobody on the stage', PEOPLE, { recent: ['bob'] }, [], []],
  ['a grid leaves the stage when the view is switched', PEOPLE, { recent: ['bob'] }, ['bob camera'], []],
  ['who has the floor', PEOPLE, { speakerView: true, recent: ['bob', 'ada'] }, ['ada camera'], ['bob camera']],
  ['not oneself, but who spoke before', PEOPLE, { speakerView: true, recent: ['you', 'eve'] }, [], ['eve camera']],
  ['nobody has spoken: the first', PEOPLE, { speakerView: true, recent: [] }, [], ['ada camera']],
  ['only oneself has spoken: who was there stays', PEOPLE, { speakerView: true, recent: ['you'] }, ['eve camera'], ['eve camera']],
  ['who spoke has left: the one before', PEOPLE, { speakerView: true, recent: ['max', 'bob'] }, [], ['bob camera']],
  ['alone', [tile('you', 'camera', true)], { speakerView: true, recent: ['you'] }, [], []],
  ['a shared screen in a grid', SHARED, { recent: [] }, [], ['bob screen']],
  ['a shared screen keeps the stage', SHARED, { speakerView: true, recent: ['eve'] }, ['eve camera'], ['bob screen']],
  ['never one’s own screen', YOURS, { recent: [] }, [], []],
  ['never one’s own screen, also in speaker view', YOURS, { speakerView: true, recent: ['ada'] }, [], ['ada camera']],
  ['who was pinned, in a grid', PEOPLE, { pinned: 'eve camera', recent: ['bob'] }, [], ['eve camera']],
  ['who was pinned, before screens and speakers', SHARED, { pinned: 'eve camera', speakerView: true, recent: ['ada'] }, [], ['eve camera']],
  ['who was pinned has gone', PEOPLE, { pinned: 'max camera', speakerView: true, recent: ['ada'] }, [], ['ada camera']],
];

for (const [what, tiles, wishes, before, expected] of CASES) {
  test(`on the stage: ${what}`, () => {
    assert.deepEqual(onStage(tiles, { pinned: null, speakerView: false, ...wishes }, before), expected);
  });
}
