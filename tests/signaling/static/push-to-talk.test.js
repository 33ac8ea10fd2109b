/** Whatever the key does, the microphone ends as the key is, and is never on longer than held. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PushToTalk } from '../../../signaling/static/app/push-to-talk.js';

/** A microphone whose every turn takes until `answer()` is called. */
function microphone({ on = false } = {}) {
  const waiting = [];
  const log = [];
  return {
    log,
    isOn: () => on,
    turn(wanted) {
      log.push(wanted ? 'on' : 'off');
      return new Promise((resolve, reject) => {
        waiting.push({ resolve: () => ((on = wanted), resolve()), reject, refuse: resolve });
      });
    },
    cut: () => log.push('cut'),
    async answer(how = 'resolve') {
      waiting.shift()?.[how](new Error('no such device'));
      await new Promise(setImmediate);
    },
    pending: () => waiting.length,
  };
}

test('held, heard; released, silent at once', async () => {
  const device = microphone();
  const changes = [];
  const talk = new PushToTalk(device, (trouble) => changes.push([talk.talking, trouble]));
  talk.hold();
  await device.answer();
  assert.ok(talk.talking);
  talk.release();
  assert.deepEqual(device.log, ['on', 'cut', 'off']);
  await device.answer();
  assert.deepEqual([device.isOn(), talk.talking], [false, false]);
  assert.deepEqual(changes, [[true, null], [false, null]]);
});

test('a microphone that is on anyway is not touched', async () => {
  const device = microphone({ on: true });
  const talk = new PushToTalk(device, () => undefined);
  talk.hold();
  talk.release();
  assert.deepEqual(device.log, []);
  assert.ok(!talk.talking);
});

test('released while it is still being opened: closed as soon as it is open', async () => {
  const device = microphone();
  const talk = new PushToTalk(device, () => undefined);
  talk.hold();
  talk.release();
  await device.answer();
  await device.answer();
  assert.deepEqual(device.log, ['on', 'cut', 'off']);
  assert.equal(device.isOn(), false);
});

test('pressed again before it is closed: stays open', async () => {
  const device = microphone();
  const talk = new PushToTalk(device, () => undefined);
  talk.hold();
  await device.answer();
  talk.release();
  talk.hold();
  await device.answer();
  await device.answer();
  assert.deepEqual([device.log, device.isOn()], [['on', 'cut', 'off', 'on'], true]);
});

test('what cannot be opened is told and not tried on and on', async () => {
  for (const how of ['reject', 'refuse']) {
    const device = microphone();
    const troubles = [];
    const talk = new PushToTalk(device, (trouble) => troubles.push(trouble?.message ?? null));
    talk.hold();
    await device.answer(how);
    assert.deepEqual([device.log, device.pending(), talk.talking], [['on'], 0, false]);
    assert.deepEqual(troubles, [how === 'reject' ? 'no such device' : null]);
  }
});

test('any order of presses and answers ends as the key is', async () => {
  for (let seed = 1; seed <= 300; seed++) {
    let random = seed;
    const device = microphone();
    const talk = new PushToTalk(device, () => undefined);
    let held = false;
    for (let step = 0; step < 20; step++) {
      random = (random * 48271) % 2147483647;
      const choice = random % 3;
      if (choice === 0) talk.hold();
      else if (choice === 1) talk.release();
      else await device.answer();
      if (choice < 2) held = choice === 0;
    }
    while (device.pending()) await device.answer();
    assert.equal(device.isOn(), held, `seed ${seed}`);
  }
});
