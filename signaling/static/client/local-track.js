/**
 * One track that we publish: muting, unmuting, and changing the device behind it.
 *
 * A muted camera is released, so that its light goes out; a muted microphone stays open and sends nothing of the room,
 * so that unmuting is immediate.
 */

import { Emitter, Serial, SfuError } from './events.js';

/** @typedef {import('./types.js').PublishWish} PublishWish */
/** @typedef {import('./types.js').Source} Source */
// Layers differ in what limits them: the processor is everybody's, and what helps there helps all.
const LIMITS = ['cpu', 'bandwidth', 'other'];

/** @typedef {PublishWish & {encodings: RTCRtpEncodingParameters[]}} PublishedWish */

/** @extends {Emitter<{muted: {muted: boolean}, replaced: {}, ended: {}}>} */
export class LocalTrack extends Emitter {
  #signaling;
  #transceiver;
  #open;
  #deviceId;
  #serial = new Serial();
  #closed = false;
  #held = false;
  /** @type {string[] | null} the layers that are to be sent; null: all */
  #rids = null;
  /** @type {MediaStreamTrack | null} */
  #mediaTrack = null;

  /**
   * @param {string} id given by the server
   * @param {PublishedWish} wish
   * @param {RTCRtpTransceiver} transceiver negotiated
   * @param {import('./signaling.js').Signaling} signaling
   */
  constructor(id, wish, transceiver, signaling) {
    super();
    this.id = id;
    /** @type {Source} */
    this.source = wish.source;
    this.kind = /** @type {import('./types.js').Kind} */ (wish.track.kind);
    this.muted = wish.muted ?? false;
    this.codec = wish.codec ?? 'VP8';
    /** Its layers. They stay what they are, on any connection. */
    this.encodings = wish.encodings;
    this.#open = wish.open ?? null;
    this.#deviceId = wish.deviceId ?? '';
    this.#transceiver = transceiver;
    this.#signaling = signaling;
    this.#hold(wish.track);
    wish.track.enabled = !this.muted;
  }

  /** What is being captured; null while a muted camera is released. */
  get mediaTrack() {
    return this.#mediaTrack;
  }

  /** A moderator has muted it: it cannot be unmuted before we are asked to. */
  get held() {
    return this.#held;
  }

  get closed() {
    return this.#closed;
  }

  get transceiver() {
    return this.#transceiver;
  }

  /** Stops sending, then says so. Muting what is muted does nothing. */
  mute() {
    return this.#serial.run(() => this.#mute());
  }

  /** Opens the device again where it was released, sends, then says so. Fails as `getUserMedia` does. */
  unmute() {
    return this.#serial.run(async () => {
      if (!this.muted || this.#closed) return;
      if (this.#held) throw new SfuError('muted_by_moderator', 'a moderator has muted it');
      const ended = this.#mediaTrack?.readyState !== 'live';
      if (ended && this.#open) await this.#carry(await this.#open(this.#deviceId));
      if (!this.#mediaTrack) return; // closed while the device was opening
      this.#mediaTrack.enabled = true;
      this.muted = false;
      this.emit('muted', { muted: false });
      await this.#say(false);
    });
  }

  /** A moderator has muted it, and the server knows. */
  hold() {
    this.#held = true;
    return this.#serial.run(() => this.#silence());
  }

  /** It may be unmuted again. */
  release() {
    this.#held = false;
  }

  /**
   * Another device from now on; a muted camera opens it when it is unmuted. If it cannot be opened, the track is muted,
   * and this fails as `getUserMedia` does.
   * @param {string} deviceId '' is the system's choice
   */
  useDevice(deviceId) {
    return this.#serial.run(async () => {
      this.#deviceId = deviceId;
      if (!this.#open || !this.#mediaTrack || this.#closed) return;
      // Released first: phones open one camera at a time.
      await this.#release();
      try {
        await this.#carry(await this.#open(deviceId));
      } catch (error) {
        await this.#mute();
        throw error;
      }
      this.emit('replaced', {});
    });
  }

  /**
   * The only layers to be sent until the next call; nobody would show the others. Where the browser cannot, all go on.
   * @param {string[]} rids `''` where there is one layer
   */
  sendLayers(rids) {
    this.#rids = this.encodings.every(({ rid = '' }) => rids.includes(rid)) ? null : rids;
    return this.#serial.run(async () => {
      if (this.#closed) return;
      const { sender } = this.#transceiver;
      const parameters = sender.getParameters();
      for (const encoding of parameters.encodings) encoding.active = rids.includes(encoding.rid ?? '');
      await sender.setParameters(parameters).catch(() => undefined);
    });
  }

  /**
   * How much of it is sent now, and why no more.
   * @returns {Promise<import('./types.js').Sending>}
   */
  async sending() {
    const rids = this.#rids;
    /** @type {string[]} */
    const reasons = [];
    (await this.#transceiver.sender.getStats()).forEach((row) => {
      // A layer that is not sent keeps the reason that it had last.
      if (row.type !== 'outbound-rtp' || row.active === false) return;
      if (row.qualityLimitationReason) reasons.push(row.qualityLimitationReason);
    });
    const limitedBy = LIMITS.find((reason) => reasons.includes(reason)) ?? 'none';
    return { rids, paused: rids?.length === 0, limitedBy };
  }

  /**
   * It goes on elsewhere, under this id from now on.
   * @param {RTCRtpTransceiver} transceiver negotiated
   * @param {string} id
   */
  move(transceiver, id) {
    this.#transceiver = transceiver;
    this.id = id;
    this.#rids = null; // it begins with all of them
    // What a device was changed for meanwhile, or released, or opened.
    if (transceiver.sender.track !== this.#mediaTrack) {
      void transceiver.sender.replaceTrack(this.#mediaTrack).catch(() => undefined);
    }
  }

  /** Releases the device. The track is not usable afterwards. */
  close() {
    this.#closed = true;
    if (this.#mediaTrack) forget(this.#mediaTrack);
    this.#mediaTrack = null;
  }

  async #mute() {
    if (this.muted || this.#closed) return;
    await this.#silence();
    await this.#say(true);
  }

  async #silence() {
    if (this.muted || this.#closed) return;
    this.muted = true;
    if (this.#open && this.source === 'camera') await this.#release();
    else if (this.#mediaTrack) this.#mediaTrack.enabled = false;
    this.emit('muted', { muted: true });
  }

  /** @param {boolean} muted */
  async #say(muted) {
    await this.#signaling.request('mute', { track: this.id, muted }).catch(async (error) => {
      // A moderator was quicker, and `muted_by` says so.
      if (error.code === 'muted_by_moderator') await this.#silence();
      // Said with the next connection, which is being built.
      if (error.code !== 'connection_reset') throw error;
    });
  }

  async #release() {
    const released = this.#mediaTrack;
    await this.#send(null);
    if (released) forget(released);
    this.#mediaTrack = null;
  }

  /** @param {MediaStreamTrack} mediaTrack */
  async #carry(mediaTrack) {
    if (this.#closed) {
      mediaTrack.stop();
      return;
    }
    mediaTrack.enabled = !this.muted;
    this.#hold(mediaTrack);
    await this.#send(mediaTrack);
  }

  /**
   * The connection may be gone, and another not be there yet: that takes what there is then (`move`).
   * @param {MediaStreamTrack | null} mediaTrack
   */
  async #send(mediaTrack) {
    await this.#transceiver.sender.replaceTrack(mediaTrack).catch((error) => {
      if (error.name !== 'InvalidStateError') throw error;
    });
  }

  /** @param {MediaStreamTrack} mediaTrack */
  #hold(mediaTrack) {
    this.#mediaTrack = mediaTrack;
    if (this.source === 'screen') mediaTrack.contentHint = 'detail';
    // Unplugged, taken by the system, or "Stop sharing" in the browser's own bar. Never fired by our own stop().
    mediaTrack.onended = () => this.emit('ended', {});
  }
}

/** @param {MediaStreamTrack} mediaTrack */
function forget(mediaTrack) {
  mediaTrack.onended = null;
  mediaTrack.stop();
}
