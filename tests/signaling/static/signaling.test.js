/** One session over many sockets: what is said again, what is acknowledged, and what ends it. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Signaling } from '../../../signaling/static/client/signaling.js';
import { timers } from './node.js';

const JOINED = { type: 'joined', room: 'demo', participants: [], resume: { token: 'first', within_s: 30 } };

/** The browser's WebSocket, with the server's end in the test's hands. */
class FakeSocket {
  static OPEN = 1;
  static all = [];
  static refusing = false;
  said = [];
  readyState = 0;
  closedWith = null;

  constructor() {
    FakeSocket.all.push(this);
    setImmediate(() => {
      if (FakeSocket.refusing) return this.lose();
      this.readyState = 1;
      this.onopen?.();
    });
  }

  send(text) {
    this.said.push(JSON.parse(text));
  }

  close(code) {
    this.readyState = 3;
    this.closedWith = code;
  }

  // What the server, or the network, does.
  hear(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  lose(code = 1006, reason = '') {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

// What a browser has and Node has not.
const OTHERS = ['WebSocket', 'document', 'addEventListener', 'navigator', 'page'];

beforeEach(() => {
  FakeSocket.all = [];
  FakeSocket.refusing = false;
  const page = new EventTarget();
  globalThis.WebSocket = FakeSocket;
  globalThis.document = page;
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.page = page;
  globalThis.navigator = {};
});
afterEach(() => timers.stop());
afterEach(() => OTHERS.forEach((name) => delete globalThis[name]));

const open = [];
afterEach(() => open.splice(0).forEach((signaling) => signaling.close('left', 'the test is over')));

async function until(condition) {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** The socket that is used now, once it is open. */
async function socket(number) {
  await until(() => FakeSocket.all.length === number && FakeSocket.all[number - 1].said.length > 0);
  return FakeSocket.all[number - 1];
}

async function joined(patienceS) {
  const signaling = new Signaling('ws://here/v1/rooms/demo/connect', { token: 'mine' }, patienceS);
  open.push(signaling);
  const said = [];
  for (const name of ['event', 'closed', 'connected', 'resynced', 'rejoined']) {
    signaling.on(name, (detail) => said.push([name, detail]));
  }
  const joining = signaling.join();
  const first = await socket(1);
  assert.deepEqual(first.said, [{ type: 'join', id: 1, token: 'mine' }]);
  first.hear({ ...JOINED, id: 1 });
  await joining;
  said.length = 0;
  return { signaling, said, first };
}

test('after a lost socket the session is resumed, and what was not handled is said again', async () => {
  const { signaling, said, first } = await joined();
  const one = signaling.request('mute', { track: 'a' });
  const two = signaling.request('mute', { track: 'b' });
  first.hear({ type: 'track_muted', seq: 1 });
  first.lose();
  const three = signaling.request('mute', { track: 'c' });
  const second = await socket(2);
  assert.deepEqual(second.said, [{ type: 'resume', id: 5, token: 'first', received: 1 }]);
  second.hear({ type: 'resumed', id: 5, handled: 2, resume: { token: 'second', within_s: 30 } });
  await until(() => second.said.length === 3);
  assert.deepEqual(second.said.slice(1), [
    { type: 'mute', id: 3, track: 'b' },
    { type: 'mute', id: 4, track: 'c' },
  ]);
  for (const id of [2, 3, 4]) second.hear({ type: 'ok', id, seq: id });
  await Promise.all([one, two, three]);
  assert.deepEqual(said.map(([name]) => name), ['event', 'connected', 'connected']);
  second.lose();
  const third = await socket(3);
  assert.equal(third.said[0].token, 'second');
  assert.equal(third.said[0].received, 4);
});

test('a session that is no more is joined anew on the same socket', async () => {
  const { signaling, said, first } = await joined();
  const asked = signaling.request('publish');
  first.lose();
  const second = await socket(2);
  second.hear({ type: 'error', id: second.said[0].id, code: 'resume_invalid', reason: '' });
  await until(() => second.said.length === 2);
  assert.equal(second.said[1].type, 'join');
  second.hear({ ...JOINED, id: second.said[1].id });
  await assert.rejects(asked, { code: 'connection_reset' });
  assert.deepEqual(said.map(([name]) => name), ['connected', 'connected', 'rejoined']);
});

test('how things stand is told before anything else', async () => {
  const { said, first } = await joined();
  first.lose();
  const second = await socket(2);
  const { id } = second.said[0];
  second.hear({ type: 'resynced', id, handled: 1, participants: [], resume: { token: 'second', within_s: 30 } });
  await until(() => said.length === 3);
  assert.deepEqual(said.map(([name]) => name), ['connected', 'resynced', 'connected']);
});

for (const code of ['token_expired', 'replaced', 'identity_in_use']) {
  test(`a server that declines for ${code} is not asked again`, async () => {
    const { said, first } = await joined();
    first.lose();
    const second = await socket(2);
    second.hear({ type: 'error', id: second.said[0].id, code: 'resume_invalid', reason: '' });
    await until(() => second.said.length === 2);
    second.hear({ type: 'error', id: second.said[1].id, code, reason: 'because' });
    await until(() => said.some(([name]) => name === 'closed'));
    assert.deepEqual(said.at(-1), ['closed', { code, reason: 'because' }]);
    assert.equal(FakeSocket.all.length, 2);
  });
}

test('codes of the server are final, others may be a proxy’s', async () => {
  for (const [code, final] of [
    [4409, 'replaced'],
    [4401, 'token_invalid'],
    [1011, 'internal'],
    [1001, null],
    [1006, null],
    [1012, null],
  ]) {
    FakeSocket.all = [];
    const { said, first } = await joined();
    first.lose(code);
    if (final) assert.equal(said.at(-1)[1].code, final);
    else assert.equal((await socket(2)).said[0].type, 'resume');
  }
});

test('a server that shuts down is tried for a while, and then it is the reason', async () => {
  const { said, first } = await joined(0.2);
  first.hear({ type: 'closing', code: 'server_shutdown', reason: 'the server stops' });
  FakeSocket.refusing = true;
  first.lose(1001);
  await until(() => said.some(([name]) => name === 'closed'));
  assert.ok(FakeSocket.all.length > 2, 'more than one try');
  assert.equal(said.at(-1)[1].code, 'server_shutdown');
});

test('patience ends in words, and requests with it', async () => {
  const { signaling, said, first } = await joined(0.1);
  FakeSocket.refusing = true;
  first.lose();
  await assert.rejects(signaling.request('ping'), { code: 'unreachable' });
  assert.equal(said.at(-1)[1].code, 'unreachable');
  await assert.rejects(signaling.request('ping'), { code: 'unreachable' });
});

test('a network that is back is tried at once', async () => {
  const { first } = await joined();
  FakeSocket.refusing = true;
  first.lose();
  await until(() => FakeSocket.all.length >= 4 && FakeSocket.all.at(-1).readyState === 3);
  // By now it waits for half a second or more.
  FakeSocket.refusing = false;
  const before = performance.now();
  const tries = FakeSocket.all.length;
  await new Promise((resolve) => setTimeout(resolve, 20));
  globalThis.page.dispatchEvent(new Event('online'));
  await socket(tries + 1);
  assert.ok(performance.now() - before < 400);
});

test('what arrives is acknowledged once a second, and at once when it matters', async () => {
  timers.start();
  const { signaling, first } = await joined();
  for (const seq of [1, 2, 3]) first.hear({ type: 'layer_changed', seq });
  timers.tick(1000);
  assert.deepEqual(first.said.slice(1), [{ type: 'ack', received: 3 }]);
  first.hear({ type: 'reset', seq: 4, connections: [] });
  signaling.acknowledge();
  signaling.acknowledge();
  timers.tick(2000);
  assert.deepEqual(first.said.slice(2), [{ type: 'ack', received: 4 }]);
});

test('a socket that says nothing is asked, and given up without an answer', async () => {
  timers.start();
  const { first } = await joined();
  first.hear({ type: 'layer_changed', seq: 1 });
  timers.tick(10_000);
  assert.equal(first.said.at(-1).type, 'ping');
  first.hear({ type: 'ok', id: first.said.at(-1).id, seq: 2 });
  await Promise.resolve();
  timers.tick(10_000);
  assert.equal(first.said.at(-1).type, 'ping');
  timers.tick(2000);
  assert.equal(first.closedWith, 4000, 'not as somebody who leaves');
});

test('who has another token joins anew by that one', async () => {
  const { signaling, first } = await joined();
  const refreshed = signaling.refresh('another');
  assert.equal(signaling.token, 'mine', 'until the server takes it');
  first.hear({ type: 'ok', id: 2, seq: 1 });
  await refreshed;
  assert.equal(signaling.token, 'another');
  first.lose();
  const second = await socket(2);
  second.hear({ type: 'error', id: 3, code: 'resume_invalid', reason: '' });
  await until(() => second.said.length === 2);
  assert.deepEqual(second.said[1], { type: 'join', id: 4, token: 'another' });
});
