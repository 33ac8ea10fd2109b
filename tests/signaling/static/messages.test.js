import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';

import { Emitter, SfuError } from '../../../signaling/static/client/events.js';
import { Messages } from '../../../signaling/static/client/messages.js';
import { fromBase64, toBase64 } from '../../../signaling/static/client/socket-messages.js';

/** A channel that opens when the test says so. */
class FakeChannel extends EventTarget {
  readyState = 'connecting';
  bufferedAmount = 0;
  sent = [];
  send = (frame) => this.sent.push(frame);
  open() {
    this.readyState = 'open';
    this.dispatchEvent(new Event('open'));
  }
}

class FakePublisher extends Emitter {
  channels = {};
  connection = { createDataChannel: (label) => (this.channels[label] = Object.assign(new FakeChannel(), { label })) };
  fails = null;
  async openChannels(create) {
    if (this.fails) throw this.fails;
    create(this.connection);
  }
}

let publisher;
let signaling;
let said;
let heard;

beforeEach(() => {
  publisher = new FakePublisher();
  said = [];
  signaling = Object.assign(new Emitter(), {
    request: async (type, content) => void said.push([type, content]),
    acknowledge: () => said.push(['ack']),
  });
});

function messages(wanted = true) {
  const subject = new Messages(publisher, signaling, wanted);
  heard = [];
  subject.on('message', (message) => heard.push(message));
  subject.on('refused', (refusal) => heard.push(refusal));
  return subject;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('with data channels the socket is left alone', async () => {
  const subject = messages();
  const opening = subject.open();
  await turn();
  Object.values(publisher.channels).forEach((channel) => channel.open());
  await opening;
  await subject.send('hello', {});
  assert.deepEqual([publisher.channels.reliable.sent.length, said], [1, []]);
});

test('channels that cannot be opened leave it to the socket at once, and take over when they can', async () => {
  publisher.fails = new SfuError('timeout', 'no answer');
  const subject = messages();
  await subject.open();
  await subject.send('hello', { topic: 'chat', to: ['bob'] });
  assert.deepEqual(said, [
    ['open_messages', {}],
    ['send_message', { text: 'hello', topic: 'chat', to: ['bob'], reliable: true }],
  ]);
  publisher.fails = null;
  const opening = subject.open();
  await turn();
  Object.values(publisher.channels).forEach((channel) => channel.open());
  await opening;
  await subject.send('by channel', {});
  assert.deepEqual([said.length, publisher.channels.reliable.sent.length], [2, 1]);
});

test('channels that do not open in time leave it to the socket', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const subject = messages();
    const opening = subject.open();
    await turn();
    assert.deepEqual(said, []);
    mock.timers.tick(5000);
    await opening;
    assert.deepEqual(said, [['open_messages', {}]]);
  } finally {
    mock.timers.reset();
  }
});

test('what arrives on the socket is a message like any other, and is acknowledged now and then', async () => {
  await messages('websocket').open();
  signaling.emit('event', { type: 'message_arrived', seq: 1, from: 'bob', topic: 'chat', text: 'hi', direct: true });
  signaling.emit('event', { type: 'message_arrived', seq: 2, from: 'bob', data: 'AP8=', reliable: false });
  const common = { identity: 'bob', ageS: 0 };
  assert.deepEqual(heard, [
    { ...common, topic: 'chat', payload: 'hi', reliable: true, direct: true },
    { ...common, topic: '', payload: new Uint8Array([0, 255]), reliable: false, direct: false },
  ]);
  for (let seq = 3; seq <= 16; seq += 1) signaling.emit('event', { type: 'message_arrived', seq, from: 'bob', text: '' });
  assert.deepEqual(said, [['open_messages', {}], ['ack']]);
});

test('a message that is declined is refused; a connection that is lost is another matter', async () => {
  const subject = messages('websocket');
  await subject.open();
  signaling.request = async () => {
    throw new SfuError('rate', 'too many');
  };
  await subject.send('x', { topic: 't' });
  assert.deepEqual(heard, [{ code: 'rate', reason: 'too many', topic: 't' }]);
  signaling.request = async () => {
    throw new SfuError('disconnected', 'gone');
  };
  await assert.rejects(subject.send('x', {}), { code: 'disconnected' });
});

test('bytes come back as they were', () => {
  const bytes = Uint8Array.from({ length: 60000 }, (_, index) => index % 256);
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
});
