/**
 * The `subscribe` connection: the server offers, we answer, strictly in order.
 *
 * Which track an m-line carries is what `slots` say: those of the offer that brings it, and of `slots_changed` from then
 * on. The browser's own track objects stay with their m-line when the server uses it again for somebody else, so
 * their ids mean nothing here.
 */

import { Emitter, Serial } from './events.js';
import { untilShown } from './first-frame.js';

/** @typedef {import('./types.js').Offer} Offer */
/** @typedef {import('./types.js').SlotDescription} SlotDescription */
/** @typedef {import('./types.js').SlotsChanged} SlotsChanged */

/**
 * `bound`: a track arrives from now on by this receiver, in the layer `rid` if the server has said which. `freed`: it does not any more.
 * @extends {Emitter<{bound: {track: string, receiver: RTCRtpReceiver, rid: string | null}, freed: {track: string},
 *   state: {state: RTCPeerConnectionState}, failed: {error: unknown}}>}
 */
export class Subscriber extends Emitter {
  /** @type {RTCIceServer[]} for the next connection; most need none, as the server is reached directly */
  iceServers = [];
  #signaling;
  #serial = new Serial();
  /** @type {RTCPeerConnection | null} */
  #connection = null;
  /** @type {Map<string, SlotDescription>} by mid */
  #slots = new Map();

  /** @type {Map<string, SlotDescription>} by mid, what begins with a frame that is not shown yet */
  #awaited = new Map();
  /** @type {Map<string, SlotDescription>} by mid, of the connection before this one */
  #before = new Map();
  #last = 0;

  /** @param {import('./signaling.js').Signaling} signaling */
  constructor(signaling) {
    super();
    this.#signaling = signaling;
  }

  /** Null before the first offer. */
  get connection() {
    return this.#connection;
  }

  /**
   * The receiver of a track, if an offer has given it one.
   * @param {string} track
   */
  receiverOf(track) {
    for (const slot of this.#slots.values()) if (slot.track === track) return this.#receiver(slot.mid);
    return null;
  }

  /** @param {Offer | SlotsChanged} event */
  onServerEvent(event) {
    if (event.type === 'offer') this.#onOffer(event);
    else this.#onSlotsChanged(event);
  }

  /** @param {Offer} offer maybe once more: after a lost socket the server cannot know what arrived */
  #onOffer(offer) {
    if (offer.offer <= this.#last) return;
    this.#last = offer.offer;
    const connection = this.#open();
    this.#serial
      .run(() => this.#answer(connection, offer))
      .catch((error) => connection === this.#connection && !isOutdated(error) && this.emit('failed', { error }));
  }

  /** @param {SlotsChanged} changed */
  #onSlotsChanged({ slots = [], freed = [] }) {
    const connection = this.#connection;
    // After the offer that brought these slots.
    void this.#serial.run(() => {
      if (connection !== this.#connection) return;
      for (const mid of freed) this.#fill(mid, null);
      for (const slot of slots) void this.#await(slot);
    });
  }

  /** The connection is no more; the next offer is for another. What arrived stays shown until then. */
  rebuild() {
    this.#connection?.close();
    this.#connection = null;
    this.#before = new Map([...this.#before, ...this.#slots]);
    this.#slots = new Map();
    this.#awaited = new Map();
  }

  /** Another session, in which offers count from 1 again. */
  rejoin() {
    this.rebuild();
    this.#last = 0;
  }

  /** Asks for new paths; the answer comes as an offer. */
  async restartIce() {
    this.#signaling.check();
    if (this.#connection) await this.#signaling.request('restart_ice', { connection: 'subscribe' });
  }

  close() {
    this.#connection?.close();
    this.#awaited = new Map();
  }

  /**
   * @param {RTCPeerConnection} connection
   * @param {Offer} offer
   */
  async #answer(connection, offer) {
    if (connection !== this.#connection) return;
    await connection.setRemoteDescription({ type: 'offer', sdp: offer.sdp });
    await connection.setLocalDescription();
    const answered = this.#signaling.request('answer', { offer: offer.offer, sdp: connection.localDescription?.sdp });
    if (connection === this.#connection) this.#useSlots(offer.slots);
    await answered;
  }

  #open() {
    if (this.#connection) return this.#connection;
    const connection = new RTCPeerConnection({ iceServers: this.iceServers, bundlePolicy: 'max-bundle' });
    connection.onconnectionstatechange = () => {
      if (connection === this.#connection) this.emit('state', { state: connection.connectionState });
    };
    this.#connection = connection;
    return connection;
  }

  /** @param {SlotDescription[]} slots of an offer: all there are */
  #useSlots(slots) {
    for (const { track } of this.#before.values()) this.emit('freed', { track });
    this.#before = new Map();
    const now = new Map(slots.map((slot) => [slot.mid, slot]));
    for (const mid of [...this.#slots.keys()]) if (!now.has(mid)) this.#fill(mid, null);
    for (const slot of now.values()) if (this.#awaited.get(slot.mid)?.track !== slot.track) void this.#await(slot);
  }

  /**
   * This is in its slot from `slot.timestamp` on. Until that is shown it is nobody's: who was there is not any more.
   * @param {SlotDescription} slot
   */
  async #await(slot) {
    const { mid, kind, track, timestamp } = slot;
    const receiver = this.#receiver(mid);
    if (receiver && kind === 'video' && timestamp !== undefined && this.#slots.get(mid)?.track !== track) {
      this.#fill(mid, null);
      this.#awaited.set(mid, slot);
      const wanted = () => this.#awaited.get(mid) === slot;
      await untilShown(receiver, timestamp, wanted);
      if (!wanted()) return;
    }
    this.#fill(mid, slot);
  }

  /**
   * @param {string} mid
   * @param {SlotDescription | null} slot
   */
  #fill(mid, slot) {
    this.#awaited.delete(mid);
    const before = this.#slots.get(mid);
    if (slot) this.#slots.set(mid, slot);
    else this.#slots.delete(mid);
    const isElsewhere = [...this.#slots.values()].some(({ track }) => track === before?.track);
    if (before && !isElsewhere) this.emit('freed', { track: before.track });
    const receiver = this.#receiver(mid);
    if (!slot || !receiver || before?.track === slot.track) return;
    this.emit('bound', { track: slot.track, receiver, rid: slot.timestamp === undefined ? null : (slot.rid ?? '') });
  }

  /** @param {string} mid */
  #receiver(mid) {
    return this.#connection?.getTransceivers().find((transceiver) => transceiver.mid === mid)?.receiver ?? null;
  }
}

/**
 * The offer was for a connection that is no more, or has been answered on another socket.
 * @param {unknown} error
 */
function isOutdated(error) {
  const { code } = /** @type {{code?: string}} */ (error ?? {});
  return code === 'connection_reset' || code === 'unknown_offer';
}
