/** From the rows of a browser's report to one shape per track. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatisticsReader } from '../../../signaling/static/client/statistics.js';

/** A connection with this report. */
function connection(rows) {
  return { connectionState: 'connected', getStats: async () => new Map(rows.map((row) => [row.id, row])) };
}

const PAIR = { id: 'P', type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: 0.02 };

function room() {
  const bob = { identity: 'bob', tracks: new Map() };
  bob.tracks.set('TR_1', {
    id: 'TR_1', participant: bob, source: 'camera', kind: 'video', layer: 'h', mediaTrack: { id: 'browser-track' },
  });
  bob.tracks.set('TR_2', { id: 'TR_2', participant: bob, source: 'microphone', kind: 'audio', mediaTrack: null });
  const you = { identity: 'ada', tracks: new Map() };
  you.tracks.set('TR_7', { id: 'TR_7', source: 'camera', kind: 'video', transceiver: { mid: '1' } });
  return { you, participants: new Map([['bob', bob]]) };
}

const inbound = (timestamp, bytesReceived) => ({
  id: 'I', type: 'inbound-rtp', ssrc: 5, trackIdentifier: 'browser-track', timestamp, bytesReceived, packetsLost: 3,
  framesDecoded: 40, freezeCount: 0, frameWidth: 640, jitterBufferDelay: 2, jitterBufferEmittedCount: 40, codecId: 'C',
});

test('a received track has its layer, its loss, and the bitrate since the last reading', async () => {
  const reader = new StatisticsReader();
  const codec = { id: 'C', type: 'codec', mimeType: 'video/VP8' };
  const read = (row) => reader.read({ publish: null, subscribe: connection([PAIR, codec, row]) }, room());
  assert.equal((await read(inbound(1000, 0))).tracks.find(({ track }) => track === 'TR_1').layers[0].bitrateBps, 0);
  const second = await read(inbound(3000, 25_000));
  const [layer] = second.tracks.find(({ track }) => track === 'TR_1').layers;
  assert.equal(layer.bitrateBps, 100_000);
  assert.deepEqual(
    [layer.rid, layer.packetsLost, layer.framesDecoded, layer.width, layer.jitterBufferS, layer.codec],
    ['h', 3, 40, 640, 0.05, 'video/VP8'],
  );
  assert.deepEqual(second.publish, { state: 'absent' });
  assert.equal(second.subscribe.roundTripS, 0.02);
  assert.equal(second.tracks.some(({ track }) => track === 'TR_2'), false); // not subscribed: nothing to measure
});

test('a sent track lists its layers from low to high, each with what the server reported', async () => {
  const outbound = (rid, encodingIndex) => ({
    id: rid, type: 'outbound-rtp', mid: '1', rid, ssrc: encodingIndex + 10, encodingIndex, timestamp: 1, bytesSent: 1,
  });
  const report = { id: 'R', type: 'remote-inbound-rtp', ssrc: 11, packetsLost: 2, roundTripTime: 0.03 };
  const rows = [outbound('f', 2), outbound('q', 0), outbound('h', 1), report, { ...outbound('x', 0), id: 'x', mid: '9' }];
  const { tracks } = await new StatisticsReader().read({ publish: connection(rows), subscribe: null }, room());
  const sent = tracks.find(({ direction }) => direction === 'send');
  assert.deepEqual(sent.layers.map(({ rid, packetsLost, roundTripS }) => [rid, packetsLost, roundTripS]), [
    ['q', 0, undefined],
    ['h', 2, 0.03],
    ['f', 0, undefined],
  ]);
});
