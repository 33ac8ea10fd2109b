/**
 * Tells the server now and then what it cannot see: which frames were shown, how often pictures stood still, whether this
 * computer keeps up, and what keeps its encoders from sending more.
 */

import { StatisticsReader } from './statistics.js';
import { isOverused } from './strain.js';

/** @typedef {import('./types.js').LayerStatistics} LayerStatistics */
/** @typedef {{picture: string, atMs: number, layer: LayerStatistics}} Reading `picture`: the browser's, of a slot */
/** @typedef {ReturnType<typeof growth> & {track: string, seconds: number}} Picture since the reading before */

const INTERVAL_MS = 10_000;

export class Reporting {
  #room;
  #signaling;
  #reader = new StatisticsReader();
  #timer;
  /** @type {Map<string, Reading>} by track that is received */
  #before = new Map();
  #wasHidden = false;
  /** @type {WeakMap<RTCRtpTransceiver, string>} what was said last; a new connection has others */
  #limits = new WeakMap();

  /**
   * @param {Pick<import('./room.js').Room, 'you' | 'participants' | 'statistics' | 'on'>} room
   * @param {Pick<import('./signaling.js').Signaling, 'request'>} signaling
   * @param {() => boolean} [isHidden] whether nobody sees the page
   */
  constructor(room, signaling, isHidden = () => document.visibilityState === 'hidden') {
    this.#room = room;
    this.#signaling = signaling;
    this.#isHidden = isHidden;
    this.#timer = setInterval(() => void this.report().catch(() => undefined), INTERVAL_MS);
    room.on('closed', () => clearInterval(this.#timer));
  }

  #isHidden;

  /** Now, as it is done by itself now and then. */
  async report() {
    const { tracks } = await this.#room.statistics(this.#reader);
    const now = performance.now();
    const received = this.#received(tracks, now);
    const said = [this.#reportReceived(received), ...[...this.#room.you.tracks.values()].map((track) => this.#reportSent(track))];
    await Promise.all(said.map((each) => each.catch(() => undefined))); // without a connection: the next time, then
  }

  /**
   * Of those that were there the last time, in the same slot.
   * @param {import('./types.js').TrackStatistics[]} tracks
   * @param {number} now
   * @returns {Picture[]}
   */
  #received(tracks, now) {
    const readings = new Map();
    /** @type {Picture[]} */
    const pictures = [];
    for (const { track, participant, kind, direction, layers } of tracks) {
      const [layer] = layers;
      const picture = this.#room.participants.get(participant)?.tracks.get(track)?.mediaTrack?.id;
      if (kind !== 'video' || direction !== 'receive' || !layer || !picture) continue;
      readings.set(track, { picture, atMs: now, layer });
      const before = this.#before.get(track);
      if (before?.picture === picture) pictures.push({ track, seconds: (now - before.atMs) / 1000, ...growth(before.layer, layer) });
    }
    this.#before = readings;
    return pictures;
  }

  /** @param {Picture[]} pictures */
  async #reportReceived(pictures) {
    const hidden = this.#isHidden();
    // Of a page that nobody sees browsers show nothing, and that is no trouble.
    const seen = !hidden && !this.#wasHidden;
    this.#wasHidden = hidden;
    if (pictures.length === 0 || !seen) return;
    const overused = isOverused(pictures, pictures[0]?.seconds ?? 0);
    const frames = pictures.map(({ track, decoded, dropped, freezes, frozenS: frozen_s }) => ({
      ...{ track, decoded, dropped, freezes, frozen_s },
    }));
    await this.#signaling.request('report_received', { frames, overused });
  }

  /** @param {import('./local-track.js').LocalTrack} track */
  async #reportSent(track) {
    const { transceiver } = track;
    if (track.kind !== 'video' || track.muted) return;
    const { limitedBy } = await track.sending();
    if (limitedBy === (this.#limits.get(transceiver) ?? 'none')) return;
    await this.#signaling.request('report_sent', { track: track.id, limited_by: limitedBy });
    this.#limits.set(transceiver, limitedBy);
  }
}

/**
 * @param {LayerStatistics} before
 * @param {LayerStatistics} now
 */
function growth(before, now) {
  const of = (/** @type {'packets' | 'packetsLost' | 'framesReceived' | 'framesDecoded' | 'framesDropped' | 'freezes'} */ key) =>
    Math.max((now[key] ?? 0) - (before[key] ?? 0), 0);
  return {
    received: of('framesReceived'),
    decoded: of('framesDecoded'),
    dropped: of('framesDropped'),
    freezes: of('freezes'),
    frozenS: Math.max((now.freezesS ?? 0) - (before.freezesS ?? 0), 0),
    decodeS: Math.max((now.decodeS ?? 0) - (before.decodeS ?? 0), 0),
    packets: of('packets'),
    lost: of('packetsLost'),
  };
}
