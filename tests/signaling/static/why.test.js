/** Why a picture looks as it does: the words, and how often the server is asked for them. */

import { timers } from './node.js';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Explainer } from '../../../signaling/static/app/explainer.js';
import { qualityWords, whySentWords, whySilentWords, whyWords } from '../../../signaling/static/app/why.js';

const WORDS = [
  // reason, rid, missing, lines, words
  ['nothing', 'f', 0, 720, '720p: the best there is'],
  ['nothing', '', 0, 1080, '1080p: the best there is'],
  ['layout', 'h', 0, 360, '360p: as large as this tile needs'],
  ['layout', null, 0, 360, 'Paused: not on your screen'],
  ['last_n', null, 0, 0, 'Paused: others have spoken since, and only so many pictures are sent at once'],
  ['wish', 'q', 0, 180, '180p: as you asked for'],
  ['publisher', 'q', 0, 180, '180p: the sender sends nothing better right now'],
  ['publisher', null, 0, 180, 'Paused: the sender sends nothing right now'],
  ['bandwidth', 'q', 1_640_000, 180, '180p: your connection carries no more right now (1.6 Mbit/s are missing)'],
  ['bandwidth', 'q', 0, 180, '180p: your connection carries no more right now'],
  ['bandwidth', null, 90_000, 0, 'Paused: your connection carries no more right now (90 kbit/s are missing)'],
  ['publisher_cpu', 'q', 0, 180, '180p: the sender’s computer is too busy to send it better'],
  ['cpu', 'q', 0, 180, '180p: this computer is too busy to show more'],
  ['key_frame', 'q', 0, 180, '180p: a better picture is on its way'],
  ['key_frame', null, 0, 0, 'The picture is on its way'],
  ['muted', null, 0, 0, 'Switched off by the sender'],
  ['not_sent', null, 0, 0, 'Nothing has come from the sender yet'],
  ['not_connected', null, 0, 0, 'Your connection is not there yet'],
  ['codec', null, 0, 0, 'This browser cannot show what the sender sends'],
  ['layout', 'q', 0, 0, 'As large as this tile needs'],
  ['a reason of a later server', 'q', 0, 180, '180p'],
  ['a reason of a later server', null, 0, 0, 'Paused'],
];

for (const [reason, rid, missing_bps, lines, words] of WORDS) {
  test(`in words: ${reason}, ${rid === null ? 'nothing' : `“${rid}”`} is sent, ${lines} lines`, () => {
    assert.equal(whyWords({ reason, rid, missing_bps }, lines), words);
  });
}

test('of a data saver one is told that it is one’s own', () => {
  const saved = { reason: 'bandwidth', rid: 'q', missing_bps: 1000 };
  assert.equal(whyWords(saved, 180, true), '180p: your data saver allows no more');
  assert.equal(whyWords({ ...saved, rid: null }, 180, true), 'Paused: your data saver allows no more');
  assert.equal(whyWords({ ...saved, reason: 'layout' }, 180, true), '180p: as large as this tile needs');
});

test('every reason of the protocol has words', () => {
  const protocol = readFileSync(new URL('../../../signaling/PROTOCOL.md', import.meta.url), 'utf8');
  const [section = ''] = protocol.split('### `explain`')[1].split('\n### ');
  const rows = section.split('\n').filter((line) => line.startsWith('| `')).map((line) => line.split('|')[1]);
  const reasons = rows.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, reason]) => reason));
  assert.ok(reasons.length >= 11, `${reasons}`);
  for (const reason of reasons) {
    const explanation = { reason, rid: null, missing_bps: 0 };
    const told = [whyWords(explanation, 0), whyWords({ ...explanation, rid: 'q' }, 180), whySilentWords(explanation)];
    assert.ok(told.some((words) => !['Paused', '180p', ''].includes(words)), reason);
  }
});

test('sound says only that others are louder', () => {
  assert.equal(whySilentWords({ reason: 'quiet' }), 'Not heard: others are louder');
  assert.equal(whySilentWords({ reason: 'nothing' }), '');
});

const SENT = [
  // layers, limited by, words
  [null, 'none', 'Sent as good as it gets'],
  [['q'], 'none', 'Sent small: nobody shows it larger right now'],
  [[], 'none', 'Not sent: nobody has it on screen right now'],
  [[], 'cpu', 'Not sent: nobody has it on screen right now'],
  [['q'], 'cpu', 'Sent smaller or slower: this computer is too busy to send it better'],
  [null, 'bandwidth', 'Sent smaller or slower: your connection carries no more of it'],
  [null, 'other', 'Sent smaller or slower: the browser sends no more of it'],
  [null, 'a reason of a later browser', 'Sent as good as it gets'],
];

for (const [rids, limitedBy, words] of SENT) {
  test(`one's own in words: ${rids ? `“${rids}” is wanted` : 'all is wanted'}, limited by ${limitedBy}`, () => {
    assert.equal(whySentWords({ rids, paused: rids?.length === 0, limitedBy }), words);
  });
}

/** An explainer that is answered at once, and what it told. */
function explaining() {
  const said = { asked: [], told: [] };
  const answer = (tile) => Promise.resolve(said.asked.push(tile));
  return { said, explainer: new Explainer(answer, (tile, told) => said.told.push([tile, told])) };
}

test('asks at most once a second, and not at all when nobody looks', async () => {
  timers.start();
  const { said, explainer } = explaining();
  const second = async () => {
    timers.tick(1000);
    await Promise.resolve();
  };
  explainer.look('bob camera');
  await Promise.resolve();
  explainer.look('bob camera');
  assert.deepEqual(said.told, [['bob camera', null], ['bob camera', 1]]);
  await second();
  assert.deepEqual(said.told.at(-1), ['bob camera', 2]);
  explainer.lookAway();
  assert.deepEqual(said.told.at(-1), [null, null]);
  for (let times = 0; times < 3; times++) await second();
  assert.equal(said.asked.length, 2);
  explainer.look('bob camera');
  assert.deepEqual(said.told.at(-1), ['bob camera', null], 'what was said long ago is not said again');
  for (let times = 0; times < 30; times++) await second();
  assert.equal(said.asked.length, 12, 'a pointer that was left there asks no more');
  assert.deepEqual(said.told.at(-1), [null, null]);
  explainer.close();
  timers.stop();
});

test('asks about the tile that is looked at, once the pointer has come to rest', async () => {
  timers.start();
  const { said, explainer } = explaining();
  explainer.look('bob camera');
  explainer.look('eve camera');
  await Promise.resolve();
  assert.deepEqual(said.told, [['bob camera', null], ['eve camera', null]], 'what is said of Bob is not said of Eve');
  timers.tick(200);
  explainer.look('dan camera');
  timers.tick(200);
  assert.deepEqual(said.asked, ['bob camera']);
  timers.tick(50);
  await Promise.resolve();
  assert.deepEqual(said.asked, ['bob camera', 'dan camera']);
  assert.deepEqual(said.told.at(-1), ['dan camera', 2]);
  explainer.close();
  timers.stop();
});

test('a server that does not answer is asked again', async () => {
  timers.start();
  let asked = 0;
  const explainer = new Explainer(() => Promise.reject(new Error(`gone ${++asked}`)), () => undefined);
  explainer.look('bob camera');
  await Promise.resolve();
  timers.tick(1000);
  assert.equal(asked, 2);
  explainer.close();
  timers.stop();
});

const QUALITIES = [
  // quality, own, words
  [{ level: 'good', cause: 'nothing', direction: 'up', score: 4.2 }, false, 'Good connection'],
  [{ level: 'fair', cause: 'loss', direction: 'up', score: 3 }, false, 'Fair connection: packets are lost on the way from them'],
  [{ level: 'poor', cause: 'bandwidth', direction: 'down', score: 2 }, true, 'Poor connection: it carries too little on the way to you'],
  [{ level: 'poor', cause: 'nothing', direction: 'down', score: 2 }, true, 'Poor connection'],
  [{ level: 'lost', cause: 'connection' }, false, 'No connection'],
  [{ level: 'poor', cause: 'a cause of a later server', direction: 'up' }, true, 'Poor connection'],
];

for (const [quality, own, words] of QUALITIES) {
  test(`quality in words: ${words}`, () => assert.equal(qualityWords(quality, own), words));
}

test('every cause of the protocol has words', () => {
  const protocol = readFileSync(new URL('../../../signaling/PROTOCOL.md', import.meta.url), 'utf8');
  const [section = ''] = protocol.split('### `quality_changed`')[1].split('\n### ');
  const rows = section.split('\n').filter((line) => line.startsWith('| `')).map((line) => line.split('|')[1]);
  const causes = rows.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, cause]) => cause));
  assert.ok(causes.length >= 9, `${causes}`);
  for (const cause of causes) {
    const words = qualityWords({ level: 'poor', cause, direction: 'up' }, false);
    assert.equal(words.includes(':'), !['nothing', 'connection'].includes(cause), cause);
  }
});
