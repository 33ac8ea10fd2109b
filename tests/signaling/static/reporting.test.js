/** What the server is told of how this computer gets on, and when that is too much for it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Emitter } from '../../../signaling/static/client/events.js';
import { Reporting } from '../../../signaling/static/client/reporting.js';
import { isOverused } from '../../../signaling/static/client/strain.js';

const watched = (changes = {}) => ({ received: 300, decoded: 300, dropped: 0, decodeS: 2, packets: 3000, lost: 0, ...changes });

const STRAINS = [
  ['all is shown', [watched()], false],
  ['a few are not', [watched({ decoded: 280, dropped: 20 })], false],
  ['many are not', [watched({ decoded: 240, dropped: 60 })], true],
  ['of one of many', [watched({ decoded: 240, dropped: 60 }), watched(), watched()], false],
  ['many are not, for want of packets', [watched({ decoded: 240, dropped: 60, lost: 200 })], false],
  ['a decoder is always busy and behind', [watched({ decoded: 260, decodeS: 9.8 }), watched()], true],
  ['a decoder is always busy and not behind: it works on several at once', [watched({ decodeS: 14 })], false],
  ['next to nothing came', [watched({ received: 20, decoded: 5, dropped: 15 })], false],
  ['nothing came', [], false],
];

for (const [what, pictures, overused] of STRAINS) {
  test(`${overused ? 'too much' : 'not too much'}: ${what}`, () => assert.equal(isOverused(pictures, 10), overused));
}

/** A room with Bob's camera in a slot, whose figures the test sets. */
class FakeRoom extends Emitter {
  slot = 'slot-1';
  layer = {};
  you = { tracks: new Map() };
  bob = { tracks: new Map() };
  participants = new Map([['bob', this.bob]]);

  constructor() {
    super();
    const room = this;
    this.bob.tracks.set('TR_1', {
      get mediaTrack() {
        return { id: room.slot };
      },
    });
  }

  async statistics() {
    const picture = { track: 'TR_1', participant: 'bob', kind: 'video', direction: 'receive', layers: [this.layer] };
    return { tracks: [picture, { ...picture, track: 'TR_2', kind: 'audio' }] };
  }
}

function reporting() {
  const room = new FakeRoom();
  const state = { room, said: [], hidden: false, fails: false };
  const request = async (type, fields) => {
    if (state.fails) throw new Error('no connection');
    state.said.push({ type, ...fields });
  };
  const reports = new Reporting(room, { request }, () => state.hidden);
  room.emit('closed', {}); // not by itself: the test says when
  return { ...state, state, report: (layer = room.layer) => ((room.layer = layer), reports.report()) };
}

const counted = (decoded, dropped, freezes, freezesS) => ({
  ...{ packets: 10 * decoded, packetsLost: 0, framesReceived: decoded + dropped, framesDecoded: decoded },
  ...{ framesDropped: dropped, freezes, freezesS },
});

test('tells what became of frames since the last time', async () => {
  const { said, report } = reporting();
  await report(counted(1000, 10, 2, 3));
  assert.deepEqual(said, [], 'what was before is not known');
  await report(counted(1200, 70, 3, 3.5));
  const frames = [{ track: 'TR_1', decoded: 200, dropped: 60, freezes: 1, frozen_s: 0.5 }];
  assert.deepEqual(said, [{ type: 'report_received', frames, overused: true }]);
});

test('a track that has come to another slot begins anew', async () => {
  const { said, room, report } = reporting();
  await report(counted(1000, 0, 0, 0));
  room.slot = 'slot-2';
  await report(counted(5000, 90, 9, 9));
  assert.deepEqual(said, []);
  await report(counted(5300, 90, 9, 9));
  assert.deepEqual(said[0].frames[0], { track: 'TR_1', decoded: 300, dropped: 0, freezes: 0, frozen_s: 0 });
});

test('of a page that nobody sees nothing is told', async () => {
  const { said, state, report } = reporting();
  await report(counted(1000, 0, 0, 0));
  state.hidden = true;
  await report(counted(1001, 99, 1, 9));
  state.hidden = false;
  await report(counted(1002, 199, 2, 9));
  assert.deepEqual(said, []);
  await report(counted(1302, 199, 2, 9));
  assert.equal(said.length, 1);
});

test('says what keeps an encoder from sending more when that is another, and anew on a new connection', async () => {
  const { said, room, state, report } = reporting();
  const camera = { id: 'TR_7', kind: 'video', muted: false, transceiver: {}, limitedBy: 'none' };
  camera.sending = async () => ({ limitedBy: camera.limitedBy });
  room.you.tracks.set('TR_7', camera);
  await report();
  camera.limitedBy = 'cpu';
  state.fails = true;
  await report();
  state.fails = false;
  await report();
  await report();
  camera.transceiver = {};
  await report();
  camera.limitedBy = 'none';
  await report();
  const told = said.filter(({ type }) => type === 'report_sent').map(({ track, limited_by }) => [track, limited_by]);
  assert.deepEqual(told, [['TR_7', 'cpu'], ['TR_7', 'cpu'], ['TR_7', 'none']]);
});
