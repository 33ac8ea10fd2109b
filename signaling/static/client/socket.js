/** One WebSocket: opening it in time, messages in and out, and how it ended. */

const SUBPROTOCOL = 'sfu.v1.json';
const OPEN_TIMEOUT_MS = 8000;

/** To the server: this socket is given up, the session is not. (1000 and 1001 would be leaving.) */
const GIVEN_UP = 4000;

export class Socket {
  #socket;

  /**
   * @param {WebSocket} socket open
   * @param {(message: any) => void} onMessage
   * @param {(code: number, reason: string) => void} onEnd not after `close` or `abandon`
   */
  constructor(socket, onMessage, onEnd) {
    this.#socket = socket;
    socket.onmessage = (event) => onMessage(JSON.parse(event.data));
    socket.onclose = (event) => onEnd(event.code, event.reason);
  }

  /** @param {object} message */
  send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** We leave. */
  close() {
    this.#end(1000);
  }

  /** It does not work any more; another will follow. */
  abandon() {
    this.#end(GIVEN_UP);
  }

  /** @param {number} code */
  #end(code) {
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(code);
  }
}

/**
 * Fails when there is none in time.
 * @param {string} url `wss://…/v1/rooms/{room}/connect`
 * @returns {Promise<WebSocket>}
 */
export function openSocket(url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, SUBPROTOCOL);
    const fail = () => {
      clearTimeout(timer);
      socket.onopen = socket.onclose = null;
      socket.close();
      reject(new Error(`no answer from ${new URL(url).host}`));
    };
    const timer = setTimeout(fail, OPEN_TIMEOUT_MS);
    socket.onclose = fail;
    socket.onopen = () => {
      clearTimeout(timer);
      resolve(socket);
    };
  });
}
