/** Statistics as people read them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionLine, Figures } from '../../../signaling/static/app/figures.js';

const received = (layer) => ({ direction: 'receive', track: 'TR_1', participant: 'bob', source: 'camera', kind: 'video', layers: [layer] });
const statistics = (...tracks) => ({ publish: { state: 'connected' }, subscribe: { state: 'connected', roundTripS: 0.0234 }, tracks });
const PICTURE = {
  rid: 'h', bitrateBps: 512_345, packets: 100, packetsLost: 0, width: 640, height: 360, framesPerSecond: 14.6, codec: 'video/VP8', freezes: 0,
};

test('a picture has its layer, size, rate, loss, codec and round trip', () => {
  const tiles = new Figures().read(statistics(received(PICTURE)));
  assert.deepEqual([...tiles], [['bob camera', ['h · 640×360 · 15 fps · 512 kbit/s', 'VP8 · 0.0 % lost · RTT 23 ms']]]);
});

test('loss is that of the last readings, not of the whole call', () => {
  const figures = new Figures();
  const lossAfter = (packets, packetsLost) => {
    const [, line] = figures.read(statistics(received({ ...PICTURE, packets, packetsLost }))).get('bob camera');
    return / ([\d.]+) %/.exec(line)[1];
  };
  assert.equal(lossAfter(1000, 500), '0.0', 'lost before we looked');
  assert.equal(lossAfter(1090, 510), '10.0');
  for (let reading = 1; reading <= 5; reading++) lossAfter(1090 + reading * 100, 510);
  assert.equal(lossAfter(1690, 510), '0.0', 'long ago');
  assert.equal(lossAfter(10, 0), '0.0', 'the counters began anew');
  assert.equal(lossAfter(20, -3), '0.0', 'duplicates count as negative loss');
});

test('sound is told on the tile of its picture, after it', () => {
  const sound = { ...received({ rid: '', bitrateBps: 24_000, packets: 9, packetsLost: 0, codec: 'audio/opus' }), source: 'microphone', kind: 'audio', track: 'TR_2' };
  const lines = new Figures().read(statistics(sound, received(PICTURE))).get('bob camera');
  assert.equal(lines.at(-1), 'opus · 24 kbit/s · 0.0 % lost');
  assert.equal(lines.length, 3);
  const screen = new Figures().read(statistics({ ...sound, source: 'screen_audio' }));
  assert.deepEqual([...screen.keys()], ['bob screen']);
});

test('what is sent lists its layers, and why they are not better', () => {
  const sent = {
    ...received({ ...PICTURE, rid: 'q', width: 320, height: 180, bitrateBps: 90_000, roundTripS: 0.05, limitedBy: 'bandwidth' }),
    direction: 'send',
  };
  sent.layers.push({ ...PICTURE, rid: 'f', bitrateBps: 0, framesPerSecond: 0 });
  assert.deepEqual(new Figures().read(statistics(sent)).get('bob camera'), [
    'q · 320×180 · 15 fps · 90 kbit/s',
    'f · paused',
    'VP8 · 0.0 % lost · RTT 50 ms',
    'held back by bandwidth',
  ]);
});

test('freezes are told once there are any; a track without numbers says so', () => {
  const frozen = new Figures().read(statistics(received({ ...PICTURE, freezes: 2, freezesS: 1.25 }))).get('bob camera');
  assert.ok(frozen.includes('frozen 2× · 1.3 s'));
  assert.deepEqual(new Figures().read(statistics({ ...received(PICTURE), layers: [] })).get('bob camera'), ['video: nothing yet']);
});

test('the connection in one line', () => {
  const sent = { ...received({ ...PICTURE, bitrateBps: 1_720_000 }), direction: 'send' };
  assert.equal(connectionLine(statistics(sent, received(PICTURE))), '↑ 1.7 Mbit/s · ↓ 512 kbit/s · RTT 23 ms');
});
