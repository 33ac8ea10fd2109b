/**
 * Messages of the room, over two data channels of the `publish` connection: `reliable` and `lossy`.
 *
 * Knows identities, not participants, and nothing of what topics mean.
 */

import { Emitter, Serial, SfuError } from './events.js';
import { readFrame, writeFrame } from './message-frame.js';

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

/** @extends {Emitter<{message: Message, refused: {code: string, reason: string, topic: string}, lost: {count: number}}>} */
export class Messages extends Emitter {
  #publisher;
  #wanted;
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
   * @param {boolean} wanted from the start: then the channels are in the connection's first offer
   */
  constructor(publisher, wanted) {
    super();
    this.#publisher = publisher;
    this.#wanted = wanted;
    this.#ended.catch(() => undefined);
    publisher.on('opening', ({ connection }) => this.#wanted && this.#attach(connection));
  }

  /** Until messages can be sent and received. */
  async open() {
    this.#wanted = true;
    await this.#publisher.openChannels((connection) => this.#attach(connection));
    await Promise.race([this.#ended, Promise.all(Object.values(this.#channels ?? {}).map(opened))]);
  }

  /** The connection is another one: the channels are opened on it, if they were wanted. What was under way is lost. */
  async rebuild() {
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
    if (reliable) return this.#sending.run(() => this.#send('reliable', frame));
    return this.#send('lossy', frame);
  }

  /** @param {{code: string, reason: string}} ending */
  close({ code, reason }) {
    this.#end(new SfuError(code, reason));
  }

  /**
   * @param {Label} label
   * @param {Uint8Array<ArrayBuffer>} frame
   */
  async #send(label, frame) {
    if (this.#channels?.[label].readyState !== 'open') await this.open();
    const channel = this.#channels?.[label];
    if (!channel) return;
    if (channel.bufferedAmount > MOST_WAITING[label]) {
      if (label === 'lossy') return;
      await Promise.race([this.#ended, until(channel, 'bufferedamountlow')]);
    }
    channel.send(frame);
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
