/** A camera that is shown again while the connection that carried it is gone, and the next is not there yet. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalTrack } from '../../../signaling/static/client/local-track.js';

class Camera {
  readyState = 'live';
  enabled = true;
  kind = 'video';

  stop() {
    this.readyState = 'ended';
  }
}

/** Of a connection that may be closed. */
function transceiver(track) {
  const sender = {
    track,
    closed: false,
    async replaceTrack(next) {
      if (sender.closed) throw new DOMException('The peer connection is closed.', 'InvalidStateError');
      sender.track = next;
    },
  };
  return { sender };
}

test('the next connection carries the camera that was opened meanwhile', async () => {
  const old = transceiver(new Camera());
  const opened = new Camera();
  const wish = { source: 'camera', track: old.sender.track, open: async () => opened, encodings: [] };
  const said = [];
  const signaling = { request: async (type, fields) => void said.push([type, fields.muted]) };
  const track = new LocalTrack('TR_1', wish, old, signaling);
  await track.mute();
  assert.equal(old.sender.track, null, 'the camera is released');
  old.sender.closed = true;
  await track.unmute();
  const next = transceiver(null);
  track.move(next, 'TR_1');
  assert.equal(next.sender.track, opened);
  assert.ok(opened.enabled);
  assert.deepEqual(said, [['mute', true], ['mute', false]]);
});

test('what else goes wrong with a track is told', async () => {
  const old = transceiver(new Camera());
  const wish = { source: 'camera', track: old.sender.track, open: async () => new Camera(), encodings: [] };
  const track = new LocalTrack('TR_1', wish, old, { request: async () => undefined });
  old.sender.replaceTrack = async () => {
    throw new TypeError('another kind');
  };
  await assert.rejects(track.mute(), TypeError);
});
