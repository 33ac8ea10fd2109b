/** Another token in time: who is asked, how often, and what becomes of it. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { SfuError } from '../../../signaling/static/client/events.js';
import { TokenRenewal } from '../../../signaling/static/client/token-renewal.js';
import { timers } from './node.js';

const { performance } = globalThis;
beforeEach(() => {
  timers.start();
  Object.defineProperty(globalThis, 'performance', { value: { now: () => timers.now }, configurable: true });
});
afterEach(() => {
  timers.stop();
  Object.defineProperty(globalThis, 'performance', { value: performance, configurable: true });
});

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** `answers`: what the backend says to one question after another; `verdicts`: what the server says to each token. */
function renewal(answers, verdicts = []) {
  const [asked, shown, failed] = [[], [], []];
  const freshToken = async (present) => {
    asked.push(present);
    const answer = answers[asked.length - 1];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const refresh = async (token) => {
    shown.push(token);
    const code = verdicts[shown.length - 1];
    if (code) throw new SfuError(code, '');
  };
  return { asked, shown, failed, one: new TokenRenewal(freshToken, refresh, (inS) => failed.push(inS)) };
}

test('another token is shown to the server', async () => {
  const { asked, shown, failed, one } = renewal(['another']);
  await one.onExpiring('present', 60);
  assert.deepEqual([asked, shown, failed], [['present'], ['another'], []]);
});

test('without anybody to ask, that is said', async () => {
  const failed = [];
  await new TokenRenewal(undefined, async () => undefined, (inS) => failed.push(inS)).onExpiring('present', 60);
  assert.deepEqual(failed, [60]);
});

test('a backend that fails and a token that is no good are asked for again', async () => {
  const { asked, shown, failed, one } = renewal([new Error('down'), 'bad', 'good'], ['refresh_invalid']);
  const renewed = one.onExpiring('present', 60);
  for (let tries = 0; tries < 2; tries++) {
    await settle();
    timers.tick(5000);
  }
  await renewed;
  assert.deepEqual([asked.length, shown, failed], [3, ['bad', 'good'], []]);
});

test('nobody is asked when there is no time for it any more', async () => {
  const { asked, failed, one } = renewal(Array(9).fill(new Error('down')));
  const renewed = one.onExpiring('present', 12);
  for (let tries = 0; tries < 9; tries++) {
    await settle();
    timers.tick(5000);
  }
  await renewed;
  assert.deepEqual([asked.length, failed], [3, [2]]);
});

test('nor when the session has ended', async () => {
  const { asked, failed, one } = renewal(Array(9).fill(new Error('down')));
  const renewed = one.onExpiring('present', 60);
  await settle();
  one.close();
  await renewed;
  assert.deepEqual([asked.length, failed], [1, []]);
});

test('a session that is another one now has had its token looked at', async () => {
  const { asked, failed, one } = renewal(['another'], ['connection_reset']);
  await one.onExpiring('present', 60);
  assert.deepEqual([asked.length, failed], [1, []]);
});

test('who is being asked is not asked twice', async () => {
  const { asked, one } = renewal(['another']);
  await Promise.all([one.onExpiring('present', 60), one.onExpiring('present', 50)]);
  assert.equal(asked.length, 1);
});
