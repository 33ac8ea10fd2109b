/** One word for two connections seen from two sides. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionState } from '../../../signaling/static/client/connection-state.js';

const TABLE = [
  // publish, subscribe as the browser sees them; as the server does
  [[null, null], [null, null], 'connected'],
  [['new', null], [null, null], 'connecting'],
  [['connecting', 'connected'], ['connecting', 'connected'], 'connecting'],
  [['connected', 'connected'], ['connecting', null], 'connected'],
  [['connected', 'disconnected'], ['connected', 'connected'], 'reconnecting'],
  [['failed', 'connecting'], [null, null], 'reconnecting'],
  [['connected', 'connected'], ['connected', 'reconnecting'], 'reconnecting'],
  [['connected', 'connected'], ['gone', 'connected'], 'reconnecting'],
  [['connected', 'connected'], ['connected', 'connected'], 'connected'],
];

for (const [ours, servers, expected] of TABLE) {
  test(`${ours} and ${servers} are ${expected}`, () => assert.equal(connectionState(ours, servers), expected));
}
