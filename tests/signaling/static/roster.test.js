/** Sequences of server events, and what the room then says and holds. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalParticipant } from '../../../signaling/static/client/participants.js';
import { Roster } from '../../../signaling/static/client/roster.js';

const CAMERA = { id: 'TR_1', kind: 'video', source: 'camera', muted: false, rids: ['q', 'h', 'f'] };
const BOB = { identity: 'bob', name: 'Bob', state: 'connected', tracks: [CAMERA] };

/** A roster that writes down what it says. */
function roster(descriptions = []) {
  const said = [];
  const receivers = new Map();
  const you = new LocalParticipant({ identity: 'me', name: 'Me', state: 'connected', tracks: [] });
  const subject = new Roster(you, descriptions, (id) => receivers.get(id) ?? null, (name) => said.push(name));
  return { subject, said, receivers };
}

test('somebody who joins with tracks is announced, then the tracks', () => {
  const { subject, said } = roster();
  subject.onServerEvent({ type: 'participant_joined', participant: BOB });
  assert.deepEqual(said, ['participantjoined', 'trackpublished']);
  assert.equal(subject.findTrack('TR_1').participant.name, 'Bob');
});

test('somebody who leaves takes the tracks along, and leaves no ghost', () => {
  const { subject, said, receivers } = roster([BOB]);
  receivers.set('TR_1', { track: {} });
  subject.bind('TR_1');
  subject.onServerEvent({ type: 'participant_left', identity: 'bob', reason: 'left' });
  assert.deepEqual(said, ['tracksubscribed', 'trackunsubscribed', 'trackunpublished', 'participantleft']);
  assert.equal(subject.participants.size, 0);
  assert.equal(subject.findTrack('TR_1'), null);
});

test('an identity that is replaced leaves and joins', () => {
  const { subject, said } = roster([BOB]);
  subject.onServerEvent({ type: 'participant_left', identity: 'bob', reason: 'replaced' });
  subject.onServerEvent({ type: 'participant_joined', participant: { ...BOB, tracks: [] } });
  assert.deepEqual(said, ['trackunpublished', 'participantleft', 'participantjoined']);
  assert.equal(subject.participants.size, 1);
});

test('an offer that names a track before we know it is remembered', () => {
  const { subject, said, receivers } = roster([{ ...BOB, tracks: [] }]);
  receivers.set('TR_1', { track: {} });
  subject.bind('TR_1');
  assert.deepEqual(said, []);
  subject.onServerEvent({ type: 'track_published', identity: 'bob', track: CAMERA });
  assert.deepEqual(said, ['trackpublished', 'tracksubscribed']);
});

test('binding twice to the same receiver says nothing twice', () => {
  const { subject, said, receivers } = roster([BOB]);
  receivers.set('TR_1', { track: {} });
  subject.bind('TR_1');
  subject.bind('TR_1');
  subject.unbind('TR_1');
  subject.unbind('TR_1');
  assert.deepEqual(said, ['tracksubscribed', 'trackunsubscribed']);
});

test('muting, layers and states are kept', () => {
  const { subject, said } = roster([BOB]);
  subject.onServerEvent({ type: 'track_muted', identity: 'bob', track: 'TR_1', muted: true });
  subject.onServerEvent({ type: 'layer_changed', track: 'TR_1', rid: 'q' });
  subject.onServerEvent({ type: 'participant_changed', identity: 'bob', state: 'reconnecting' });
  assert.deepEqual(said, ['muted', 'layerchanged', 'participantchanged']);
  assert.equal(subject.findTrack('TR_1').muted, true);
  assert.equal(subject.findTrack('TR_1').layer, 'q');
  assert.equal(subject.participants.get('bob').state, 'reconnecting');
});

test('events about strangers, our own tracks, or of a newer server are ignored', () => {
  const { subject, said } = roster();
  for (const event of [
    { type: 'participant_left', identity: 'eve', reason: 'left' },
    { type: 'participant_changed', identity: 'eve', state: 'connected' },
    { type: 'track_published', identity: 'eve', track: CAMERA },
    { type: 'track_unpublished', identity: 'eve', track: 'TR_1' },
    { type: 'track_muted', identity: 'eve', track: 'TR_1', muted: true },
    { type: 'layer_changed', track: 'TR_1', rid: 'q' },
    { type: 'something_new' },
  ]) {
    subject.onServerEvent(event);
  }
  assert.deepEqual(said, []);
});

test('how things stand, after events were missed, is told as what happened', () => {
  const microphone = { id: 'TR_2', kind: 'audio', source: 'microphone', muted: false, rids: [] };
  const eve = { identity: 'eve', name: 'Eve', state: 'connected', tracks: [] };
  const { subject, said } = roster([BOB, eve]);
  subject.resync([BOB, eve]);
  assert.deepEqual(said, []);
  const dan = { identity: 'dan', name: 'Dan', state: 'connected', tracks: [{ ...microphone, id: 'TR_3' }] };
  subject.resync([{ ...BOB, state: 'reconnecting', tracks: [{ ...CAMERA, muted: true }, microphone] }, dan]);
  assert.deepEqual(said, [
    'participantleft',
    'participantchanged',
    'muted',
    'trackpublished',
    'participantjoined',
    'trackpublished',
  ]);
  said.length = 0;
  subject.resync([{ ...BOB, state: 'reconnecting', tracks: [microphone] }, dan]);
  assert.deepEqual(said, ['trackunpublished']);
  assert.deepEqual([...subject.participants.keys()], ['bob', 'dan']);
});

test('hands, the stage and attributes are kept, also our own', () => {
  const { subject, said } = roster([{ ...BOB, identity: 'ada' }]);
  subject.onServerEvent({ type: 'hand_changed', identity: 'ada', hand: 3 });
  subject.onServerEvent({ type: 'stage_changed', identity: 'me', on_stage: true });
  subject.onServerEvent({ type: 'hand_changed', identity: 'nobody', hand: 4 });
  assert.equal(subject.participants.get('ada').hand, 3);
  assert.deepEqual(said, ['participantchanged', 'participantchanged']);
});

test('how good the call is for somebody is told, of ourselves too', () => {
  const { subject, said } = roster([{ ...BOB, quality: { level: 'good', cause: 'nothing', score: 4.2, direction: 'up' } }]);
  assert.equal(subject.participants.get('bob').quality.level, 'good');
  const poor = { level: 'poor', cause: 'loss', score: 2.1, direction: 'up' };
  const participants = ['bob', 'me', 'nobody'].map((identity) => ({ identity, quality: poor }));
  subject.onServerEvent({ type: 'quality_changed', participants });
  assert.deepEqual(said, ['participantchanged', 'participantchanged']);
  assert.deepEqual(subject.participants.get('bob').quality, poor);
  subject.resync([BOB]);
  assert.equal(subject.participants.get('bob').quality, null);
});
