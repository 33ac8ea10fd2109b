/**
 * What the browser measures, per track and in one shape, from the reports of both connections.
 *
 * Rates are since the last reading, so whoever reads keeps one StatisticsReader and reads at its own pace.
 */

/** @typedef {import('./types.js').LayerStatistics} LayerStatistics */
/** @typedef {import('./types.js').ConnectionStatistics} ConnectionStatistics */
/** @typedef {import('./types.js').RoomStatistics} RoomStatistics */
/** @typedef {import('./types.js').TrackStatistics} TrackStatistics */
/** @typedef {import('./room.js').Room} Room */
/** A row of a report; the DOM library knows too few of its keys. @typedef {Record<string, any>} Row */

const ABSENT = { state: 'absent' };

export class StatisticsReader {
  /** @type {Map<string, {octets: number, timestampMs: number}>} by SSRC and direction */
  #before = new Map();

  /**
   * @param {{publish: RTCPeerConnection | null, subscribe: RTCPeerConnection | null}} connections
   * @param {Pick<Room, 'you' | 'participants'>} room
   * @returns {Promise<RoomStatistics>}
   */
  async read(connections, room) {
    const [sent, received] = await Promise.all([rowsOf(connections.publish), rowsOf(connections.subscribe)]);
    const bitrates = this.#bitrates([...sent.values(), ...received.values()]);
    return {
      publish: connectionStatistics(connections.publish, sent),
      subscribe: connectionStatistics(connections.subscribe, received),
      tracks: [...sentTracks(room, sent, bitrates), ...receivedTracks(room, received, bitrates)],
    };
  }

  /**
   * @param {Row[]} rows
   * @returns {Map<string, number>} by row id
   */
  #bitrates(rows) {
    const bitrates = new Map();
    const now = new Map();
    for (const row of rows) {
      const octets = row.bytesSent ?? row.bytesReceived;
      if (row.type !== 'outbound-rtp' && row.type !== 'inbound-rtp') continue;
      const key = `${row.type} ${row.ssrc}`;
      const before = this.#before.get(key);
      const elapsedS = before ? (row.timestamp - before.timestampMs) / 1000 : 0;
      if (before && elapsedS > 0) bitrates.set(row.id, Math.round(((octets - before.octets) * 8) / elapsedS));
      now.set(key, { octets, timestampMs: row.timestamp });
    }
    this.#before = now;
    return bitrates;
  }
}

/**
 * @param {RTCPeerConnection | null} connection
 * @returns {Promise<Map<string, Row>>}
 */
async function rowsOf(connection) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  (await connection?.getStats())?.forEach((row) => rows.set(row.id, row));
  return rows;
}

/**
 * @param {RTCPeerConnection | null} connection
 * @param {Map<string, Row>} rows
 * @returns {ConnectionStatistics}
 */
function connectionStatistics(connection, rows) {
  if (!connection) return ABSENT;
  const pairs = [...rows.values()].filter((row) => row.type === 'candidate-pair');
  const pair = pairs.find((row) => row.nominated && row.state === 'succeeded') ?? pairs.find((row) => row.nominated);
  return {
    state: connection.connectionState,
    roundTripS: pair?.currentRoundTripTime,
    availableBps: pair?.availableOutgoingBitrate,
  };
}

/**
 * @param {Pick<Room, 'you'>} room
 * @param {Map<string, Row>} rows
 * @param {Map<string, number>} bitrates
 * @returns {TrackStatistics[]}
 */
function sentTracks({ you }, rows, bitrates) {
  const outbound = [...rows.values()].filter((row) => row.type === 'outbound-rtp');
  const reported = [...rows.values()].filter((row) => row.type === 'remote-inbound-rtp');
  return [...you.tracks.values()].map((track) => ({
    direction: 'send',
    track: track.id,
    participant: you.identity,
    source: track.source,
    kind: track.kind,
    layers: outbound
      .filter((row) => row.mid === track.transceiver.mid)
      .sort((one, other) => (one.encodingIndex ?? 0) - (other.encodingIndex ?? 0))
      .map((row) => sentLayer(row, reported.find((report) => report.ssrc === row.ssrc), rows, bitrates)),
  }));
}

/**
 * @param {Pick<Room, 'participants'>} room
 * @param {Map<string, Row>} rows
 * @param {Map<string, number>} bitrates
 * @returns {TrackStatistics[]}
 */
function receivedTracks({ participants }, rows, bitrates) {
  const inbound = [...rows.values()].filter((row) => row.type === 'inbound-rtp');
  const tracks = [...participants.values()].flatMap((participant) => [...participant.tracks.values()]);
  return tracks.flatMap((track) => {
    if (!track.mediaTrack) return [];
    // The browser's track stays with its receiver for good, so its id finds the row, whatever the slot carries.
    const row = inbound.find(({ trackIdentifier }) => trackIdentifier === track.mediaTrack?.id);
    return [
      {
        direction: /** @type {const} */ ('receive'),
        track: track.id,
        participant: track.participant.identity,
        source: track.source,
        kind: track.kind,
        layers: row ? [receivedLayer(row, track.layer ?? '', rows, bitrates)] : [],
      },
    ];
  });
}

/**
 * @param {Row} row
 * @param {Row | undefined} report what the server told of it
 * @param {Map<string, Row>} rows
 * @param {Map<string, number>} bitrates
 * @returns {LayerStatistics}
 */
function sentLayer(row, report, rows, bitrates) {
  return {
    rid: row.rid ?? '',
    bitrateBps: bitrates.get(row.id) ?? 0,
    packets: row.packetsSent ?? 0,
    packetsLost: report?.packetsLost ?? 0,
    width: row.frameWidth,
    height: row.frameHeight,
    framesPerSecond: row.framesPerSecond,
    framesEncoded: row.framesEncoded,
    codec: rows.get(row.codecId)?.mimeType,
    limitedBy: row.qualityLimitationReason,
    roundTripS: report?.roundTripTime,
  };
}

/**
 * @param {Row} row
 * @param {string} rid
 * @param {Map<string, Row>} rows
 * @param {Map<string, number>} bitrates
 * @returns {LayerStatistics}
 */
function receivedLayer(row, rid, rows, bitrates) {
  const emitted = row.jitterBufferEmittedCount;
  return {
    rid,
    bitrateBps: bitrates.get(row.id) ?? 0,
    packets: row.packetsReceived ?? 0,
    packetsLost: row.packetsLost ?? 0,
    width: row.frameWidth,
    height: row.frameHeight,
    framesPerSecond: row.framesPerSecond,
    framesReceived: row.framesReceived,
    framesDecoded: row.framesDecoded,
    framesDropped: row.framesDropped,
    freezes: row.freezeCount,
    freezesS: row.totalFreezesDuration,
    decodeS: row.totalDecodeTime,
    jitterBufferS: emitted ? row.jitterBufferDelay / emitted : undefined,
    audioEnergy: row.totalAudioEnergy,
    codec: rows.get(row.codecId)?.mimeType,
  };
}
