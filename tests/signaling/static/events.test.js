/** Steps one after another. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Serial } from '../../../signaling/static/client/events.js';

test('a step waits for the one before it, and a failed step stops no other', async () => {
  const serial = new Serial();
  const order = [];
  let release = () => {};
  const first = serial.run(async () => {
    await new Promise((resolve) => (release = resolve));
    order.push('first');
    throw new Error('first failed');
  });
  const second = serial.run(() => order.push('second'));
  await Promise.resolve();
  assert.deepEqual(order, []);
  release();
  await assert.rejects(first, /first failed/);
  await second;
  assert.deepEqual(order, ['first', 'second']);
});
