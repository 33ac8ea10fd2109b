/**
 * Messages of the room, over two data channels of the `publish` connection: `reliable` and `lossy`. While these are not to
 * be had, over the WebSocket (socket-messages.js).
 *
 * Knows identities, not participants, and nothing of what topics mean.
 */

import { Emitter, Serial, SfuError } from './events.js';
import { readFrame, writeFrame } from './message-frame.js';
import { SocketMessages, isRefusal } from './socket-messages.js';

/** @typedef {import('./message-frame.js').Payload} Payload */
/** @typedef {import('./types.js').MessageOptions} MessageOptions */
/** @typedef {'reliable' | 'lossy'} Label */
/** @typedef {Record<Label, RTCDataChannel>} Channels */
/**
 * @typedef {{identity: string, topic: string, payload: string | Uint8Array, reliable: boolean, direct: boolean,
 *   ageS: number}} Message `ageS`: it was sent so long before we came
 */

// What every SCTP peer takes (RFC 8841 §6.1); the server's limit for the payload is a little lower.
const LARGEST_FRAME = 65536;
// What may wait here for the path. A lossy message that waits longer is out of date, and is dropped.
const MOST_WAITING = { reliable: 1 << 20, lossy: 1 << 16 };
// Connecting takes a few round trips; who has waited so long for a message has waited long enough.
const FALL_BACK_AFTER_MS = 5000;

/** @extends {Emitter<{message: Message, refused: {code: string, reason: string, topic: string}, lost: {count: number}}>} */
export class Messages extends Emitter {
  #publisher;
  #socket;
  #wanted;
  #socketOnly;
  #overSocket = false; // the server tells us messages there, as long as no channel is open
  #sending = new Serial();
  /** @type {RTCPeerConnection | null} that the channels are on */
  #connection = null;
  /** @type {Channels | null} */
  #channels = null;
  /** @type {(error: SfuError) => void} */
  #end = () => undefined;
  /** @type {Promise<never>} */
  #ended = new Promise((_, reject) => (this.#end = reject));

  /**
   * @param {import('./publisher.js').Publisher} publisher
   * @param {import('./signaling.js').Signaling} signaling
   * @param {boolean | 'websocket'} wanted from the start: then the channels are in the connection's first offer
   */
  constructor(publisher, signaling, wanted) {
    super();
    this.#publisher = publisher;
    this.#socket = new SocketMessages(signaling);
    this.#socket.on('message', (message) => this.emit('message', message));
    this.#socket.on('lost', (lost) => this.emit('lost', lost));
    this.#wanted = Boolean(wanted);
    this.#socketOnly = wanted === 'websocket';
    this.#ended.catch(() => undefined);
    publisher.on('opening', ({ connection }) => this.#wanted && !this.#socketOnly && this.#attach(connection));
  }

  /** Until messages can be sent and received, in whichever way. */
  async open() {
    this.#wanted = true;
    if (this.#socketOnly) return this.#fallBack();
    const channels = this.#openChannels();
    await Promise.race([channels, this.#ended, pause(FALL_BACK_AFTER_MS)]).catch(() => undefined);
    if (this.#channels?.reliable.readyState === 'open') return;
    const socket = this.#fallBack();
    await Promise.race([this.#ended, Promise.any([channels, socket]).catch(() => socket)]);
  }

  async #openChannels() {
    await this.#publisher.openChannels((connection) => this.#attach(connection));
    await Promise.all(Object.values(this.#channels ?? {}).map(opened));
  }

  async #fallBack() {
    await this.#socket.open();
    this.#overSocket = true;
  }

  /**
   * The connection is another one, and the session may be, too: the channels are opened on it, if they were wanted. What
   * was under way is lost.
   */
  async rebuild() {
    this.#overSocket = false;
    if (this.#wanted) await this.open();
  }

  /**
   * Waits while too much waits to be sent; a lossy message is dropped then.
   * @param {Payload} payload
   * @param {MessageOptions} options
   */
  async send(payload, { topic = '', to, reliable = true }) {
    const frame = writeFrame(to ? { topic, to: [...to] } : { topic }, payload);
    if (frame.length > LARGEST_FRAME) throw new SfuError('too_large', `a message of ${frame.length} bytes`);
    const send = () => this.#send(reliable ? 'reliable' : 'lossy', frame, payload, { topic, to, reliable });
    return reliable ? this.#sending.run(send) : send();
  }

  /** @param {{code: string, reason: string}} ending */
  close({ code, reason }) {
    this.#end(new SfuError(code, reason));
  }

  /**
   * @param {Label} label
   * @param {Uint8Array<ArrayBuffer>} frame
   * @param {Payload} payload
   * @param {MessageOptions} options
   */
  async #send(label, frame, payload, options) {
    if (this.#channels?.[label].readyState !== 'open' && !this.#overSocket) await this.open();
    const channel = this.#channels?.[label];
    if (channel?.readyState !== 'open') return this.#sendOverSocket(payload, options);
    if (channel.bufferedAmount > MOST_WAITING[label]) {
      if (label === 'lossy') return;
      await Promise.race([this.#ended, until(channel, 'bufferedamountlow')]);
    }
    channel.send(frame);
  }

  /**
   * @param {Payload} payload
   * @param {MessageOptions} options
   */
  async #sendOverSocket(payload, options) {
    try {
      await this.#socket.send(payload, options);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.emit('refused', { code: error.code, reason: error.message, topic: options.topic ?? '' });
    }
  }

  /** @param {RTCPeerConnection} connection */
  #attach(connection) {
    if (connection === this.#connection) return;
    this.#connection = connection;
    this.#channels = {
      reliable: connection.createDataChannel('reliable'),
      lossy: connection.createDataChannel('lossy', { ordered: false, maxRetransmits: 0 }),
    };
    for (const channel of Object.values(this.#channels)) {
      channel.binaryType = 'arraybuffer';
      channel.bufferedAmountLowThreshold = MOST_WAITING.lossy;
      channel.onmessage = ({ data }) => this.#onFrame(data, channel.label === 'reliable');
    }
  }

  /**
   * @param {ArrayBuffer} data
   * @param {boolean} reliable
   */
  #onFrame(data, reliable) {
    const frame = readFrame(data);
    if (!frame) return; // a newer server's, perhaps
    const { header, payload } = frame;
    const topic = String(header.topic ?? '');
    if (header.lost) return this.emit('lost', { count: Number(header.lost) });
    if (header.error) return this.emit('refused', { code: String(header.error), reason: String(header.reason), topic });
    const direct = header.direct === true;
    const ageS = Number(header.age_s ?? 0);
    this.emit('message', { identity: String(header.from), topic, payload, reliable, direct, ageS });
  }
}

/** @param {RTCDataChannel} channel */
async function opened(channel) {
  if (channel.readyState === 'connecting') await until(channel, 'open');
  if (channel.readyState !== 'open') throw closedError();
}

/**
 * @param {RTCDataChannel} channel
 * @param {'open' | 'bufferedamountlow'} event
 * @returns {Promise<void>} fails when the channel closes first
 */
function until(channel, event) {
  return new Promise((resolve, reject) => {
    channel.addEventListener(event, () => resolve(), { once: true });
    channel.addEventListener('close', () => reject(closedError()), { once: true });
  });
}

function closedError() {
  return new SfuError('disconnected', 'the message channels are closed');
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
