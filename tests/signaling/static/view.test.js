/** What is shown is told to the server; who speaks is told to the page. */

import './node.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Emitter } from '../../../signaling/static/client/events.js';
import { LocalTrack } from '../../../signaling/static/client/local-track.js';
import { View } from '../../../signaling/static/client/view.js';

class FakeSignaling extends Emitter {
  said = [];

  async request(type, fields) {
    this.said.push({ type, ...fields });
    return { budget_bps: 1, tracks: [] };
  }
}

const LAYOUT = { tiles: [{ track: 'TR_1', width: 320, height: 180 }], last_n: 4 };

test('tells what is shown, and tells it again to a new session', async () => {
  const signaling = new FakeSignaling();
  const view = new View(signaling);
  signaling.emit('rejoined', {});
  assert.deepEqual(signaling.said, []);
  await view.show(LAYOUT);
  signaling.emit('rejoined', {});
  assert.deepEqual(signaling.said, [{ type: 'layout', ...LAYOUT }, { type: 'layout', ...LAYOUT }]);
});

test('knows who speaks', () => {
  const signaling = new FakeSignaling();
  const view = new View(signaling);
  const heard = [];
  view.on('speakers', (speakers) => heard.push(speakers));
  signaling.emit('event', { type: 'layer_changed', track: 'TR_1', rid: 'q' });
  signaling.emit('event', { type: 'speakers', recent: ['eve'], speaking: true, seq: 4 });
  assert.deepEqual(heard, [{ recent: ['eve'], speaking: true }]);
  assert.deepEqual(view.speakers, { recent: ['eve'], speaking: true });
});

test('asks why', async () => {
  const signaling = new FakeSignaling();
  const view = new View(signaling);
  assert.deepEqual(await view.explain(), { budget_bps: 1, tracks: [] });
  await view.explain(['TR_1']);
  assert.deepEqual(signaling.said, [{ type: 'explain' }, { type: 'explain', tracks: ['TR_1'] }]);
});

function sending(encodings, { refuses = false, rows = [] } = {}) {
  const set = [];
  const sender = {
    getStats: async () => rows,
    getParameters: () => ({ encodings: encodings.map((encoding) => ({ ...encoding })) }),
    setParameters: async (parameters) => {
      if (refuses) throw new Error('not here');
      set.push(parameters.encodings.map(({ rid = '', active }) => `${rid}:${active}`).join(' '));
    },
  };
  const mediaTrack = { kind: 'video', stop: () => undefined };
  const track = new LocalTrack('TR_1', { track: mediaTrack, source: 'camera', encodings }, { sender }, new FakeSignaling());
  return { track, set };
}

test('sends the layers that are wanted', async () => {
  const { track, set } = sending([{ rid: 'q' }, { rid: 'h' }, { rid: 'f' }]);
  await track.sendLayers(['q']);
  await track.sendLayers([]);
  await track.sendLayers(['q', 'h', 'f']);
  assert.deepEqual(set, ['q:true h:false f:false', 'q:false h:false f:false', 'q:true h:true f:true']);
});

test('one layer has no name', async () => {
  const { track, set } = sending([{}]);
  await track.sendLayers([]);
  await track.sendLayers(['']);
  assert.deepEqual(set, [':false', ':true']);
});

test('a browser that cannot goes on with all; a closed track is left alone', async () => {
  await sending([{ rid: 'q' }], { refuses: true }).track.sendLayers([]);
  const { track, set } = sending([{ rid: 'q' }]);
  track.close();
  await track.sendLayers([]);
  assert.deepEqual(set, []);
});

test('says what of it is sent, and what keeps it from being more', async () => {
  const layer = (reason, active = true) => ({ type: 'outbound-rtp', active, qualityLimitationReason: reason });
  const rows = [{ type: 'codec' }, layer('bandwidth'), layer('cpu', false), layer('none')];
  const { track } = sending([{ rid: 'q' }, { rid: 'f' }], { rows });
  assert.deepEqual(await track.sending(), { rids: null, paused: false, limitedBy: 'bandwidth' });
  rows.push(layer('cpu'));
  await track.sendLayers(['q']);
  assert.deepEqual(await track.sending(), { rids: ['q'], paused: false, limitedBy: 'cpu' });
  await track.sendLayers([]);
  assert.deepEqual(await track.sending(), { rids: [], paused: true, limitedBy: 'cpu' });
  await track.sendLayers(['q', 'f']);
  assert.equal((await track.sending()).rids, null);
});
