/**
 * Messages of the room by way of the WebSocket, for as long as there are no data channels.
 *
 * Says and hears the same as messages.js; which of the two is used is decided there.
 */

import { Emitter, SfuError } from './events.js';
import { bytesOf } from './message-frame.js';

/** @typedef {import('./message-frame.js').Payload} Payload */
/** @typedef {import('./types.js').MessageOptions} MessageOptions */

// The server hands out some 64 short messages per acknowledgement, which otherwise comes once a second.
const ACKNOWLEDGE_EVERY = 16;
// String.fromCharCode takes its bytes as arguments.
const CHUNK = 4096;

/** @extends {Emitter<{message: import('./messages.js').Message, lost: {count: number}}>} */
export class SocketMessages extends Emitter {
  #signaling;
  #unacknowledged = 0;

  /** @param {import('./signaling.js').Signaling} signaling */
  constructor(signaling) {
    super();
    this.#signaling = signaling;
    signaling.on('event', (event) => this.#onServerEvent(event));
  }

  /** Until messages come here. Again does no harm. */
  async open() {
    await this.#signaling.request('open_messages', {});
  }

  /**
   * Fails with what the server declines it for.
   * @param {Payload} payload
   * @param {MessageOptions} options
   */
  async send(payload, { topic = '', to, reliable = true }) {
    const content = typeof payload === 'string' ? { text: payload } : { data: toBase64(bytesOf(payload)) };
    await this.#signaling.request('send_message', { ...content, topic, to: to ? [...to] : null, reliable });
  }

  /** @param {Record<string, any>} event */
  #onServerEvent(event) {
    if (event.type === 'messages_lost') return this.emit('lost', { count: event.count });
    if (event.type !== 'message_arrived') return;
    this.emit('message', {
      identity: event.from,
      topic: event.topic ?? '',
      payload: event.text ?? fromBase64(event.data ?? ''),
      reliable: event.reliable ?? true,
      direct: event.direct ?? false,
      ageS: event.age_s ?? 0,
    });
    this.#unacknowledged += 1;
    if (this.#unacknowledged < ACKNOWLEDGE_EVERY) return;
    this.#unacknowledged = 0;
    this.#signaling.acknowledge();
  }
}

/** @param {Uint8Array} bytes */
export function toBase64(bytes) {
  let binary = '';
  for (let at = 0; at < bytes.length; at += CHUNK) binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(binary);
}

/** @param {string} text */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/**
 * Whether the server only declined this one message.
 * @param {unknown} error
 * @returns {error is SfuError}
 */
export function isRefusal(error) {
  return error instanceof SfuError && REFUSALS.has(error.code);
}

const REFUSALS = new Set(['not_granted', 'malformed', 'too_large', 'rate', 'unknown_participant']);
