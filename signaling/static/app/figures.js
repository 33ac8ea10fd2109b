/**
 * Statistics as short lines for a tile, and one line for the connection. Pure; remembers earlier readings, because loss
 * of the last seconds says more than loss since the beginning.
 */

/** @typedef {import('../client/types.js').RoomStatistics} RoomStatistics */
/** @typedef {import('../client/types.js').TrackStatistics} TrackStatistics */
/** @typedef {import('../client/types.js').LayerStatistics} LayerStatistics */
/** @typedef {{packets: number, lost: number}} Counts */

// At one reading a second: long enough to have lost something, short enough to be about now.
const LOSS_READINGS = 6;
// What is heard with a picture is told on the picture's tile.
const PICTURE_OF = /** @type {const} */ ({ microphone: 'camera', screen_audio: 'screen' });

export class Figures {
  /** @type {Map<string, Counts[]>} by direction, track and layer; oldest first */
  #counts = new Map();

  /**
   * @param {RoomStatistics} statistics
   * @returns {Map<string, string[]>} lines by tile: `identity source`
   */
  read(statistics) {
    /** @type {Map<string, string[]>} */
    const tiles = new Map();
    const seen = new Map();
    for (const track of [...statistics.tracks].sort((one, other) => Number(one.kind === 'audio') - Number(other.kind === 'audio'))) {
      const connection = track.direction === 'send' ? statistics.publish : statistics.subscribe;
      const losses = track.layers.map((layer) => this.#loss(`${track.direction} ${track.track} ${layer.rid}`, layer, seen));
      const lines = linesOf(track, losses, connection.roundTripS);
      const source = PICTURE_OF[/** @type {'microphone'} */ (track.source)] ?? track.source;
      const key = `${track.participant} ${source}`;
      tiles.set(key, [...(tiles.get(key) ?? []), ...lines]);
    }
    this.#counts = seen;
    return tiles;
  }

  /**
   * @param {string} key
   * @param {LayerStatistics} layer
   * @param {Map<string, Counts[]>} seen filled for the next reading
   * @returns {number} share of packets lost lately, 0 to 1
   */
  #loss(key, layer, seen) {
    const now = { packets: layer.packets, lost: layer.packetsLost };
    // A simulcast layer may start anew with other counters.
    const before = (this.#counts.get(key) ?? []).filter(({ packets }) => packets <= now.packets);
    const counts = [...before, now].slice(-LOSS_READINGS);
    seen.set(key, counts);
    const lost = Math.max(now.lost - (counts[0]?.lost ?? 0), 0);
    const arrived = now.packets - (counts[0]?.packets ?? 0);
    return lost + arrived > 0 ? lost / (lost + arrived) : 0;
  }
}

/**
 * Both directions in one line.
 * @param {RoomStatistics} statistics
 */
export function connectionLine({ publish, subscribe, tracks }) {
  const rate = (/** @type {'send' | 'receive'} */ direction) =>
    tracks
      .filter((track) => track.direction === direction)
      .flatMap(({ layers }) => layers)
      .reduce((sum, { bitrateBps }) => sum + bitrateBps, 0);
  const roundTripS = publish.roundTripS ?? subscribe.roundTripS;
  return [`↑ ${bitrate(rate('send'))}`, `↓ ${bitrate(rate('receive'))}`, ...roundTrip(roundTripS)].join(' · ');
}

/**
 * @param {TrackStatistics} track
 * @param {number[]} losses one per layer
 * @param {number | undefined} roundTripS of the connection, where the layer has none of its own
 * @returns {string[]}
 */
function linesOf({ kind, direction, layers }, losses, roundTripS) {
  const [first] = layers;
  if (!first) return [`${kind}: nothing yet`];
  const worst = `${((Math.max(...losses) || 0) * 100).toFixed(1)} % lost`;
  const codec = (first.codec ?? '').replace(/^\w+\//, '');
  if (kind === 'audio') return [[codec || 'audio', bitrate(first.bitrateBps), worst].join(' · ')];
  const pictures = layers.filter(({ width, bitrateBps }) => width || bitrateBps).map(pictureLine);
  const trip = roundTrip(first.roundTripS ?? roundTripS);
  const common = [codec, worst, ...trip].filter(Boolean).join(' · ');
  const freezes = direction === 'receive' && first.freezes ? [`frozen ${first.freezes}× · ${(first.freezesS ?? 0).toFixed(1)} s`] : [];
  const limit = layers.find(({ limitedBy }) => limitedBy && limitedBy !== 'none')?.limitedBy;
  return [...(pictures.length ? pictures : ['no picture']), common, ...freezes, ...(limit ? [`held back by ${limit}`] : [])];
}

/** @param {LayerStatistics} layer */
function pictureLine({ rid, width, height, framesPerSecond, bitrateBps }) {
  const layer = rid ? [rid] : [];
  if (!bitrateBps && !framesPerSecond) return [...layer, 'paused'].join(' · ');
  const size = width && height ? [`${width}×${height}`] : [];
  return [...layer, ...size, `${Math.round(framesPerSecond ?? 0)} fps`, bitrate(bitrateBps)].join(' · ');
}

/** @param {number} bps */
export function bitrate(bps) {
  return bps >= 1_000_000 ? `${(bps / 1_000_000).toFixed(1)} Mbit/s` : `${Math.round(bps / 1000)} kbit/s`;
}

/** @param {number | undefined} seconds */
function roundTrip(seconds) {
  return seconds === undefined ? [] : [`RTT ${Math.round(seconds * 1000)} ms`];
}
