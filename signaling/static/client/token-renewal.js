/**
 * Another token before the one that we came with expires: asked of whoever embeds the client, and shown to the server.
 *
 * The server says `token_expiring` a minute ahead (PROTOCOL.md), time enough to ask more than once.
 */

import { SfuError } from './events.js';

/** @typedef {(present: string) => Promise<string>} FreshToken */

// A backend that fails is asked again, at the pace of one that is being restarted.
const RETRY_MS = 5000;

export class TokenRenewal {
  #freshToken;
  #refresh;
  #onFailed;
  #ended = new AbortController();
  #asking = false;

  /**
   * @param {FreshToken | undefined} freshToken
   * @param {(token: string) => Promise<void>} refresh shows it to the server
   * @param {(inS: number) => void} onFailed nobody knows another one, and the session is going to end
   */
  constructor(freshToken, refresh, onFailed) {
    this.#freshToken = freshToken;
    this.#refresh = refresh;
    this.#onFailed = onFailed;
  }

  /**
   * Asks until there is a token that the server takes, or no time for another try.
   * @param {string} present
   * @param {number} inS
   */
  async onExpiring(present, inS) {
    if (!this.#freshToken) return this.#onFailed(inS);
    if (this.#asking) return;
    this.#asking = true;
    const endMs = performance.now() + inS * 1000;
    while (!this.#ended.signal.aborted && !(await this.#try(this.#freshToken, present))) {
      const leftMs = endMs - performance.now();
      if (leftMs < RETRY_MS) {
        this.#onFailed(leftMs / 1000);
        break;
      }
      await pause(RETRY_MS, this.#ended.signal);
    }
    this.#asking = false;
  }

  close() {
    this.#ended.abort();
  }

  /**
   * @param {FreshToken} freshToken
   * @param {string} present
   */
  async #try(freshToken, present) {
    try {
      await this.#refresh(await freshToken(present));
      return true;
    } catch (error) {
      // Another session has begun, and its server says when the token of that expires.
      return error instanceof SfuError && error.code === 'connection_reset';
    }
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal ends it early
 * @returns {Promise<void>}
 */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
  });
}
