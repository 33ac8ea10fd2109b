/**
 * Requests and which reply belongs to which. They outlive a socket: what was not handled is said again on the next, under
 * the same id.
 */

import { SfuError } from './events.js';

// A server that is there answers in milliseconds; ten seconds is a dead path, and what a person waits at most.
const REPLY_TIMEOUT_MS = 10_000;

/**
 * @typedef {object} Pending
 * @property {{type: string, id: number}} message
 * @property {(reply: any) => void} resolve
 * @property {(error: SfuError) => void} reject
 * @property {boolean} lasting said again on the next socket
 * @property {number} timeouts
 * @property {number} timer
 */

export class Requests {
  #nextId = 1;
  /** @type {Map<number, Pending>} in order of their ids */
  #pending = new Map();
  #onOverdue;

  /** @param {() => void} onOverdue a reply does not come: the path is dead, most likely */
  constructor(onOverdue) {
    this.#onOverdue = onOverdue;
  }

  /**
   * @param {string} type
   * @param {object} fields
   * @param {boolean} lasting
   * @returns {{message: {type: string, id: number}, reply: Promise<any>}} to be sent, with `sent` said then
   */
  make(type, fields, lasting) {
    const message = { type, id: this.#nextId++, ...fields };
    const reply = new Promise((resolve, reject) => {
      this.#pending.set(message.id, { message, resolve, reject, lasting, timeouts: 0, timer: 0 });
    });
    return { message, reply };
  }

  /** @param {number} id */
  sent(id) {
    const pending = this.#pending.get(id);
    if (!pending) return;
    clearTimeout(pending.timer);
    pending.timer = setTimeout(() => this.#onTimeout(pending), REPLY_TIMEOUT_MS);
  }

  /** @param {any} message a reply, or an error */
  onReply(message) {
    const pending = this.#pending.get(message.id);
    if (!pending) return; // we gave up waiting
    this.#forget(pending);
    if (message.type === 'error') pending.reject(new SfuError(message.code, message.reason));
    else pending.resolve(message);
  }

  /** The answers may take as long as people do. */
  wait() {
    for (const pending of this.#pending.values()) clearTimeout(pending.timer);
  }

  /** The socket is lost: what was for it alone fails, the rest waits. */
  pause() {
    for (const pending of [...this.#pending.values()]) {
      clearTimeout(pending.timer);
      if (!pending.lasting) this.#reject(pending, new SfuError('disconnected', 'the connection to the server was lost'));
    }
  }

  /**
   * On a new socket of the same session.
   * @param {number} handled the highest id that the server has seen; those are answered, or their answers follow
   * @returns {{type: string, id: number}[]} what to say again, in this order
   */
  resume(handled) {
    const waiting = [...this.#pending.values()].filter(({ lasting }) => lasting);
    waiting.forEach(({ message }) => this.sent(message.id));
    return waiting.map(({ message }) => message).filter(({ id }) => id > handled);
  }

  /** @param {SfuError} error what all that wait fail with */
  end(error) {
    for (const pending of [...this.#pending.values()]) this.#reject(pending, error);
  }

  /** @param {Pending} pending */
  #onTimeout(pending) {
    pending.timeouts += 1;
    // Another socket may be the cure; but not for ever.
    if (!pending.lasting || pending.timeouts > 1) {
      this.#reject(pending, new SfuError('timeout', `no reply to ${pending.message.type}`));
    }
    this.#onOverdue();
  }

  /**
   * @param {Pending} pending
   * @param {SfuError} error
   */
  #reject(pending, error) {
    this.#forget(pending);
    pending.reject(error);
  }

  /** @param {Pending} pending */
  #forget(pending) {
    clearTimeout(pending.timer);
    this.#pending.delete(pending.message.id);
  }
}
