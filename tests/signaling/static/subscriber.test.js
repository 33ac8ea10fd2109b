import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { Emitter } from '../../../signaling/static/client/events.js';
import { hasCome, untilShown } from '../../../signaling/static/client/first-frame.js';
import { Subscriber } from '../../../signaling/static/client/subscriber.js';

const CAMERA = { mid: '1', kind: 'video', source: 'camera', track: 'TR_2', participant: 'bob' };
const VOICE = { mid: '0', kind: 'audio', source: 'microphone', track: 'TR_1', participant: 'bob' };
const NEXT = { ...CAMERA, track: 'TR_9', participant: 'eve', rid: 'q', timestamp: 1000 };

/** A peer connection that takes everything, and receivers whose playing we set. */
class FakeConnection {
  connectionState = 'connected';
  localDescription = { sdp: 'answer' };
  receivers = ['0', '1', '2', '3'].map((mid) => {
    const receiver = { track: { id: `media-${mid}` }, played: null, getSynchronizationSources: () => [] };
    receiver.getSynchronizationSources = () => (receiver.played === null ? [] : [{ rtpTimestamp: receiver.played }]);
    return { mid, receiver };
  });
  async setRemoteDescription() {}
  async setLocalDescription() {}
  getTransceivers = () => this.receivers;
  close() {}
}

let connection;
let said;
let subject;

beforeEach(() => {
  said = [];
  globalThis.RTCPeerConnection = class {
    constructor() {
      connection = new FakeConnection();
      return connection;
    }
  };
  const signaling = Object.assign(new Emitter(), { request: async () => undefined });
  subject = new Subscriber(signaling);
  subject.on('bound', ({ track, receiver, rid }) => said.push(['bound', track, receiver.track.id, rid]));
  subject.on('freed', ({ track }) => said.push(['freed', track]));
});

afterEach(() => {
  mock.timers.reset();
  delete globalThis.RTCPeerConnection;
});

const turn = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms));

async function step(ms) {
  mock.timers.tick(ms);
  await null;
  await null;
}

async function until(condition) {
  while (!condition()) await turn();
}

async function offered(...slots) {
  subject.onServerEvent({ type: 'offer', offer: 1, sdp: 'v=0', slots });
  await turn();
}

test('what an offer brings is known before it flows', async () => {
  await offered(VOICE, CAMERA);
  assert.deepEqual(said, [['bound', 'TR_1', 'media-0', null], ['bound', 'TR_2', 'media-1', null]]);
});

test('somebody else is in a slot when the frame is shown with which the server says he begins', async () => {
  await offered(CAMERA);
  said.length = 0;
  connection.receivers[1].receiver.played = 400;
  subject.onServerEvent({ type: 'slots_changed', freed: ['1'] });
  subject.onServerEvent({ type: 'slots_changed', slots: [NEXT] });
  await turn(60);
  assert.deepEqual(said, [['freed', 'TR_2']]);
  assert.equal(subject.receiverOf('TR_9'), null, 'nobody is shown under the name of the next');
  connection.receivers[1].receiver.played = 1000;
  await until(() => said.length > 1);
  assert.deepEqual(said, [['freed', 'TR_2'], ['bound', 'TR_9', 'media-1', 'q']]);
});

test('however late it comes, it is not somebody else who is shown under the name of the next', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const receiver = { played: 400, getSynchronizationSources: () => [{ rtpTimestamp: receiver.played }] };
  let isShown = false;
  const shown = untilShown(receiver, 1000, () => true).then(() => (isShown = true));
  for (let ms = 0; ms < 60_000; ms += 10) await step(10);
  assert.equal(isShown, false);
  receiver.played = 1000;
  for (let ms = 0; ms < 250; ms += 10) await step(10);
  await shown;
});

test('a browser that tells no timestamps is waited for until nobody else can be shown', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  let isShown = false;
  void untilShown({ getSynchronizationSources: () => [] }, 1000, () => true).then(() => (isShown = true));
  for (let ms = 0; ms < 9_900; ms += 10) await step(10);
  assert.equal(isShown, false);
  for (let ms = 0; ms < 1_500; ms += 10) await step(10);
  assert.equal(isShown, true);
});

test('whom an offer names in a slot that is in use is shown with his first frame, too', async () => {
  await offered(CAMERA);
  said.length = 0;
  connection.receivers[1].receiver.played = 400;
  subject.onServerEvent({ type: 'offer', offer: 2, sdp: 'v=0', slots: [NEXT] });
  await turn(60);
  assert.deepEqual(said, [['freed', 'TR_2']]);
  connection.receivers[1].receiver.played = 1000;
  await until(() => said.length > 1);
  assert.deepEqual(said.slice(1), [['bound', 'TR_9', 'media-1', 'q']]);
});

test('who is in a slot already stays, whatever is played', async () => {
  await offered({ ...CAMERA, timestamp: 1000 });
  connection.receivers[1].receiver.played = 1000;
  await until(() => said.length > 0);
  said.length = 0;
  connection.receivers[1].receiver.played = 0x9000_0000; // seven hours later
  subject.onServerEvent({ type: 'slots_changed', slots: [{ ...CAMERA, timestamp: 1000 }] });
  await turn();
  assert.deepEqual(said, []);
  assert.notEqual(subject.receiverOf('TR_2'), null);
});

test('a voice is bound at once, and goes from one to the next in one message', async () => {
  await offered(VOICE);
  said.length = 0;
  subject.onServerEvent({ type: 'slots_changed', slots: [{ ...VOICE, track: 'TR_7', timestamp: 5 }] });
  await turn();
  assert.deepEqual(said, [['freed', 'TR_1'], ['bound', 'TR_7', 'media-0', '']]);
});

test('who is bound elsewhere by now is not freed when his old slot goes to another', async () => {
  await offered(VOICE);
  subject.onServerEvent({ type: 'slots_changed', slots: [{ ...VOICE, mid: '2', timestamp: 5 }] });
  await turn();
  said.length = 0;
  subject.onServerEvent({ type: 'slots_changed', slots: [{ ...VOICE, track: 'TR_7', timestamp: 5 }] });
  await turn();
  assert.deepEqual(said, [['bound', 'TR_7', 'media-0', '']]);
});

test('who loses the slot again before his frame is shown was never there', async () => {
  await offered(CAMERA);
  said.length = 0;
  connection.receivers[1].receiver.played = 400;
  subject.onServerEvent({ type: 'slots_changed', slots: [NEXT] });
  await turn();
  subject.onServerEvent({ type: 'slots_changed', freed: ['1'] });
  connection.receivers[1].receiver.played = 1000;
  await turn(60);
  assert.deepEqual(said, [['freed', 'TR_2']]);
});

test('changes wait for the offer that brings their slots', async () => {
  subject.onServerEvent({ type: 'offer', offer: 1, sdp: 'v=0', slots: [CAMERA] });
  subject.onServerEvent({ type: 'slots_changed', freed: ['1'] });
  await turn();
  assert.deepEqual(said, [['bound', 'TR_2', 'media-1', null], ['freed', 'TR_2']]);
});

test('timestamps wrap', () => {
  assert.deepEqual(
    [hasCome(null, 5), hasCome(5, 5), hasCome(4, 5), hasCome(3, 0xffff_fff0), hasCome(0xffff_fff0, 3)],
    [false, true, false, true, false],
  );
});
