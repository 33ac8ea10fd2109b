/** When a connection that does not work gets new paths, and when a new connection; and how long a socket is waited for. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Backoff } from '../../../signaling/static/client/backoff.js';
import { Recovery } from '../../../signaling/static/client/recovery.js';
import { timers } from './node.js';

/** A connection whose cures are written down, and done when `cured()` is called. */
function patient() {
  const log = [];
  let cured = () => {};
  const cure = (name) => () => {
    log.push(name);
    return new Promise((resolve) => (cured = resolve));
  };
  const recovery = new Recovery({ restart: cure('restart'), reset: cure('reset') });
  return { recovery, log, cured: async () => (cured(), await settled()) };
}

async function settled() {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
}

beforeEach(() => timers.start());
afterEach(() => timers.stop());

test('a moment of silence is nothing', () => {
  const { recovery, log } = patient();
  recovery.onState('disconnected');
  timers.tick(900);
  recovery.onState('connected');
  timers.tick(60_000);
  assert.deepEqual(log, []);
});

test('silence that lasts, or failure, is met by new paths, and then by a new connection', async () => {
  for (const [state, ms] of [
    ['disconnected', 1000],
    ['failed', 0],
  ]) {
    const { recovery, log, cured } = patient();
    recovery.onState(state);
    timers.tick(ms);
    assert.deepEqual(log, ['restart']);
    recovery.onState('failed');
    timers.tick(60_000);
    assert.deepEqual(log, ['restart'], 'one at a time');
    await cured();
    timers.tick(7900);
    assert.deepEqual(log, ['restart']);
    timers.tick(200);
    assert.deepEqual(log, ['restart', 'reset']);
    recovery.onState(null);
    recovery.onState('connecting');
    timers.tick(60_000);
    assert.deepEqual(log, ['restart', 'reset'], 'the next connection has its own chance');
  }
});

test('paths that help are all that is done', async () => {
  const { recovery, log, cured } = patient();
  recovery.onState('failed');
  timers.tick(0);
  await cured();
  recovery.onState('connected');
  timers.tick(60_000);
  assert.deepEqual(log, ['restart']);
});

test('another network is tried at once, though the old one may still do', async () => {
  const { recovery, log, cured } = patient();
  recovery.onNetwork();
  recovery.onState('new');
  recovery.onNetwork();
  timers.tick(10);
  assert.deepEqual(log, [], 'what has not begun needs no new paths');
  recovery.onState('connected');
  recovery.onNetwork();
  recovery.onNetwork();
  timers.tick(0);
  assert.deepEqual(log, ['restart']);
  await cured();
  timers.tick(60_000);
  assert.deepEqual(log, ['restart'], 'and as it works, nothing else');
});

test('nothing is tried after the end', () => {
  const { recovery, log } = patient();
  recovery.onState('disconnected');
  recovery.close();
  recovery.onNetwork();
  timers.tick(60_000);
  assert.deepEqual(log, []);
});

test('waits grow to five seconds, spread over their second half', () => {
  const least = new Backoff(() => 0);
  const most = new Backoff(() => 1);
  const waits = Array.from({ length: 7 }, () => [least.nextMs(), most.nextMs()]);
  assert.deepEqual(waits, [
    [150, 300],
    [300, 600],
    [600, 1200],
    [1200, 2400],
    [2400, 4800],
    [2500, 5000],
    [2500, 5000],
  ]);
  most.reset();
  assert.equal(most.nextMs(), 300);
});
