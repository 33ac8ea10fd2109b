/** One word for how the connection is, from the socket, and the browser's and the server's view of both transports. Pure. */

/** @typedef {import('./types.js').ConnectionState} ConnectionState */
/** @typedef {import('./types.js').TransportState} TransportState */

/**
 * The worst of what is seen. A connection that was never needed (null) is no trouble; nor is the server's
 * `connecting`, which only repeats ours later.
 * @param {(RTCPeerConnectionState | null)[]} ours
 * @param {(TransportState | null)[]} servers
 * @param {boolean} [lost] there is no socket, or a connection is being built anew
 * @returns {ConnectionState}
 */
export function connectionState(ours, servers, lost = false) {
  if (lost) return 'reconnecting';
  const broken = ours.some((state) => state === 'disconnected' || state === 'failed');
  if (broken || servers.some((state) => state === 'reconnecting' || state === 'gone')) return 'reconnecting';
  return ours.some((state) => state === 'new' || state === 'connecting') ? 'connecting' : 'connected';
}
