/**
 * The `publish` connection: we offer, the server answers.
 *
 * One exchange at a time: a second publish waits for the first, because an offer describes the whole connection. A
 * publish that the server declines leaves no trace in the connection.
 */

import { encodingsFor, preferCodec } from './encodings.js';
import { Emitter, Serial, SfuError } from './events.js';
import { LocalTrack } from './local-track.js';

/** @typedef {import('./types.js').PublishWish} PublishWish */
/** @typedef {import('./types.js').Published} Published */
/** @typedef {import('./types.js').TrackToPublish} TrackToPublish */
/** @typedef {{uri: string, direction: RTCRtpTransceiverDirection}} HeaderExtension */
/**
 * Not in TypeScript's library yet.
 * @typedef {{
 *   getHeaderExtensionsToNegotiate?: () => HeaderExtension[],
 *   setHeaderExtensionsToNegotiate?: (extensions: HeaderExtension[]) => void,
 * }} HeaderExtensionControl
 */
/** @typedef {{wish: PublishWish, transceiver: RTCRtpTransceiver, encodings: RTCRtpEncodingParameters[]}} Line */

const CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';
// Between a request that says that the connection was reset, and the event that does.
const RESET_TIMEOUT_MS = 10_000;

/**
 * `opening`: a connection was made, and nothing offered on it yet.
 * @extends {Emitter<{opening: {connection: RTCPeerConnection}, state: {state: RTCPeerConnectionState}}>}
 */
export class Publisher extends Emitter {
  /** @type {RTCIceServer[]} for the next connection; most need none, as the server is reached directly */
  iceServers = [];
  #signaling;
  #serial = new Serial();
  /** @type {RTCPeerConnection | null} */
  #connection = null;
  #rebuilds = 0; // that have not begun
  #rebuilt = Promise.resolve();
  #onRebuilding = () => {};

  /** @param {import('./signaling.js').Signaling} signaling */
  constructor(signaling) {
    super();
    this.#signaling = signaling;
    this.#expectRebuilding();
  }

  /** Null before the first publish. */
  get connection() {
    return this.#connection;
  }

  /**
   * Publishes some tracks in one exchange: all of them or none.
   * @param {PublishWish[]} wishes
   * @returns {Promise<LocalTrack[]>} in the order of the wishes
   */
  publish(wishes) {
    return this.#retrying(async () => {
      const connection = this.#open();
      /** @type {Line[]} */
      const lines = [];
      try {
        for (const wish of wishes) lines.push(addLine(connection, wish));
        const published = await this.#negotiate(connection, () => lines.map(toPublish));
        return lines.map((line) => localTrack(line, published, this.#signaling));
      } catch (error) {
        this.#withdraw(connection, lines);
        throw error;
      }
    });
  }

  /**
   * The connection is no more: a new one carries the same tracks. Nothing is left of the old one when this returns.
   * @param {LocalTrack[]} tracks all that are published
   * @param {boolean} keepNames false: in a new session, where they get other ids
   */
  rebuild(tracks, keepNames) {
    this.#connection?.close();
    this.#connection = null;
    this.#onRebuilding();
    this.#expectRebuilding();
    this.#rebuilds += 1;
    return this.#serial.run(async () => {
      this.#rebuilds -= 1;
      const live = tracks.filter((track) => !track.closed);
      if (live.length === 0) {
        this.emit('state', { state: 'closed' });
        return;
      }
      const connection = this.#open();
      const lines = live.map((track) => ({ track, transceiver: addTrack(connection, track) }));
      const published = await this.#negotiate(connection, () =>
        lines.map(({ track, transceiver }) => {
          const wish = { mid: transceiver.mid, source: track.source, muted: track.muted, ...sizeOf(track.mediaTrack) };
          return keepNames ? { ...wish, track: track.id } : wish;
        }),
      );
      for (const { track, transceiver } of lines) track.move(transceiver, nameOf(transceiver, published));
    });
  }

  /** New paths for the connection that there is, asked for by a socket that may have lost its own. */
  restartIce() {
    this.#signaling.check();
    return this.#serial.run(async () => {
      if (!this.#connection?.remoteDescription) return;
      this.#connection.restartIce();
      await this.#negotiate(this.#connection, () => []);
    });
  }

  /**
   * The server has unpublished it.
   * @param {LocalTrack} track
   */
  forget(track) {
    track.close();
    return this.#serial.run(() => giveUp(track.transceiver, this.#connection));
  }

  /**
   * Stops sending and says so. Its m-line is given up with the next publish, and may then be used for another track.
   * @param {LocalTrack} track
   */
  unpublish(track) {
    return this.#serial.run(async () => {
      track.close();
      await giveUp(track.transceiver, this.#connection);
      await this.#signaling.request('unpublish', { track: track.id }).catch((error) => {
        // Whoever builds the connection anew does so without this track.
        if (error.code !== 'connection_reset') throw error;
      });
    });
  }

  /**
   * Has the connection carry data channels, in an exchange of their own if the first one did not have them.
   * @param {(connection: RTCPeerConnection) => void} create makes them on it, if it has not yet
   */
  openChannels(create) {
    return this.#retrying(async () => {
      const connection = this.#open();
      create(connection);
      if (connection.remoteDescription?.sdp.includes('m=application')) return;
      try {
        await this.#negotiate(connection, () => []);
      } catch (error) {
        this.#withdraw(connection, []);
        throw error;
      }
    });
  }

  close() {
    this.#connection?.close();
  }

  /**
   * One exchange; again on the next connection if this one is lost meanwhile.
   * @template Result
   * @param {() => Promise<Result>} exchange
   * @returns {Promise<Result>}
   */
  async #retrying(exchange) {
    for (;;) {
      const rebuilt = this.#rebuilt;
      try {
        return await this.#serial.run(() => {
          // The first exchange on a new connection is for what was on the last one.
          if (this.#rebuilds > 0) throw new SfuError('connection_reset', 'about to be built anew');
          return exchange();
        });
      } catch (error) {
        if (!(error instanceof SfuError) || error.code !== 'connection_reset') throw error;
        await Promise.race([rebuilt, later(RESET_TIMEOUT_MS, error)]);
      }
    }
  }

  #expectRebuilding() {
    this.#rebuilt = new Promise((resolve) => (this.#onRebuilding = () => resolve(undefined)));
  }

  /**
   * Takes back what the server declined. Not by a rollback: after one, Chromium gives the m-line of the next track to the
   * stopped transceiver. The next offer, which may follow an unanswered one, simply goes without these tracks.
   * @param {RTCPeerConnection} connection
   * @param {Line[]} lines
   */
  #withdraw(connection, lines) {
    if (connection.signalingState === 'closed') return;
    for (const { transceiver } of lines) transceiver.stop();
    if (connection.remoteDescription) return;
    connection.close(); // nothing was ever agreed on: begin anew
    this.#connection = null;
    this.emit('state', { state: 'closed' });
  }

  #open() {
    if (this.#connection) return this.#connection;
    const connection = new RTCPeerConnection({ iceServers: this.iceServers, bundlePolicy: 'max-bundle' });
    connection.onconnectionstatechange = () => {
      if (connection === this.#connection) this.emit('state', { state: connection.connectionState });
    };
    this.#connection = connection;
    this.emit('opening', { connection });
    return connection;
  }

  /**
   * @param {RTCPeerConnection} connection
   * @param {() => TrackToPublish[]} tracks what is new; asked once the m-lines have their names
   * @returns {Promise<Published>}
   */
  async #negotiate(connection, tracks) {
    try {
      await connection.setLocalDescription();
      const sdp = connection.localDescription?.sdp;
      const published = await this.#signaling.request('publish', { sdp, tracks: tracks() });
      await connection.setRemoteDescription({ type: 'answer', sdp: published.sdp });
      return published;
    } catch (error) {
      // Closed under our hands: whoever did that is about to build another.
      if (connection !== this.#connection) throw new SfuError('connection_reset', String(error));
      throw error;
    }
  }
}

/**
 * @param {RTCPeerConnection} connection
 * @param {PublishWish} wish
 * @returns {Line}
 */
function addLine(connection, wish) {
  const { track, source, simulcast, codec = 'VP8', scalabilityMode } = wish;
  const encodings = encodingsFor(source, track.getSettings(), simulcast, codec, scalabilityMode);
  const transceiver = connection.addTransceiver(track, { direction: 'sendonly', sendEncodings: encodings });
  prefer(transceiver, track.kind, codec);
  tellCaptureTimes(transceiver);
  return { wish, transceiver, encodings };
}

/**
 * The same track on another connection: as many layers, of the same names. A released camera sends nothing yet.
 * @param {RTCPeerConnection} connection
 * @param {LocalTrack} track
 */
function addTrack(connection, track) {
  const transceiver = connection.addTransceiver(track.mediaTrack ?? track.kind, {
    direction: 'sendonly',
    sendEncodings: track.encodings,
  });
  prefer(transceiver, track.kind, track.codec);
  tellCaptureTimes(transceiver);
  return transceiver;
}

/**
 * Browsers differ in what they put first; the server forwards VP8, H.264, VP9 and AV1.
 * @param {RTCRtpTransceiver} transceiver
 * @param {string} kind
 * @param {import('./types.js').VideoCodec} codec
 */
function prefer(transceiver, kind, codec) {
  const codecs = RTCRtpSender.getCapabilities(kind)?.codecs;
  if (kind === 'video' && codecs && 'setCodecPreferences' in transceiver) {
    transceiver.setCodecPreferences(preferCodec(codecs, codec));
  }
}

/**
 * Has a few packets each second say when they were captured: what a sender report says of sound is 20 to 40 ms late.
 * Chromium has it, and does not offer it by itself.
 * @param {RTCRtpTransceiver & HeaderExtensionControl} transceiver
 */
function tellCaptureTimes(transceiver) {
  const extensions = transceiver.getHeaderExtensionsToNegotiate?.();
  const wanted = extensions?.find(({ uri }) => uri === CAPTURE_TIME);
  if (!extensions || !wanted) return;
  wanted.direction = 'sendonly';
  transceiver.setHeaderExtensionsToNegotiate?.(extensions);
}

/**
 * @param {Line} line offered
 * @returns {TrackToPublish}
 */
function toPublish({ wish, transceiver }) {
  return { mid: transceiver.mid, source: wish.source, muted: wish.muted ?? false, ...sizeOf(wish.track) };
}

/**
 * Of the best layer, which is not scaled down.
 * @param {MediaStreamTrack | null} mediaTrack
 */
function sizeOf(mediaTrack) {
  const { width, height } = mediaTrack?.getSettings() ?? {};
  return width && height ? { width, height } : {};
}

/**
 * The first m-line carries the transport of all (RFC 9143 §7.2). Chromium closes the whole connection when it is
 * stopped, so that one only falls silent.
 * @param {RTCRtpTransceiver} transceiver
 * @param {RTCPeerConnection | null} connection
 */
async function giveUp(transceiver, connection) {
  if (!connection?.getTransceivers().includes(transceiver)) return; // the connection was lost, and it with it
  if (transceiver !== connection.getTransceivers()[0]) {
    transceiver.stop();
    return;
  }
  transceiver.direction = 'inactive';
  await transceiver.sender.replaceTrack(null);
}

/**
 * @param {Line} line
 * @param {Published} published
 * @param {import('./signaling.js').Signaling} signaling
 */
function localTrack({ wish, transceiver, encodings }, published, signaling) {
  return new LocalTrack(nameOf(transceiver, published), { ...wish, encodings }, transceiver, signaling);
}

/**
 * @param {RTCRtpTransceiver} transceiver
 * @param {Published} published
 */
function nameOf({ mid }, published) {
  const entry = published.tracks.find((track) => track.mid === mid);
  if (!entry) throw new SfuError('internal', `the server did not name the track of m-line ${mid}`);
  return entry.track;
}

/**
 * @param {number} ms
 * @param {Error} error
 * @returns {Promise<never>} fails with it then
 */
function later(ms, error) {
  return new Promise((_, reject) => setTimeout(() => reject(error), ms));
}
