/**
 * The way to the server: requests with their replies, and the server's events in order, over one WebSocket after another.
 *
 * Knows the envelope of `signaling/PROTOCOL.md` (type, id, seq, error, closing) and how a session is taken up again; nothing
 * of rooms or media. A socket that is lost is followed by another, for as long as there is patience: the session is
 * resumed, and if that is too late, joined anew.
 *
 *     joined ── lost ──► waiting ── socket ──► resume ─┬─ resumed, resynced ──► joined
 *                           ▲  └─ patience over ─► end  └─ resume_invalid ─► join ─► joined (`rejoined`)
 */

import { Backoff } from './backoff.js';
import { Emitter, SfuError } from './events.js';
import { watchNetwork } from './network.js';
import { Requests } from './requests.js';
import { openSocket, Socket } from './socket.js';

/** @typedef {import('./types.js').ServerEvent} ServerEvent */
/** @typedef {import('./types.js').Joined} Joined */
/** @typedef {import('./types.js').Resynced} Resynced */
/** @typedef {{code: string, reason: string}} Ending */

// The server hears that its messages arrive, and need not keep them.
const ACK_INTERVAL_MS = 1000;
// Without a word for so long, we ask whether anybody is there: a socket whose path is gone says nothing at all.
const QUIET_MS = 10_000;
const PING_TIMEOUT_MS = 2000;
const DEFAULT_PATIENCE_S = 120;
// Nobody who leaves is kept longer by a server that does not answer.
const GOODBYE_MS = 1000;
// A server that says goodbye is back within seconds, or not soon.
const SHUTDOWN_PATIENCE_S = 20;

/** Close codes that end a session, for when no `closing` came before them. All others may be a proxy's. */
const CODE_OF_CLOSE = new Map([
  [1000, 'left'],
  [1009, 'too_large'],
  [1011, 'internal'],
  [4400, 'malformed'],
  [4401, 'token_invalid'],
  [4403, 'not_granted'],
  [4404, 'room_not_found'],
  [4408, 'join_timeout'],
  [4409, 'replaced'],
  [4410, 'transport_lost'],
  [4411, 'moved'],
  [4423, 'room_locked'],
  [4429, 'rate'],
]);

/**
 * `lobby`: we wait to be admitted. `connected`: whether there is a working socket. `resynced`: how things stand, after more was missed than the server
 * keeps. `rejoined`: this is another session now. `network`: it may be another one.
 * @extends {Emitter<{event: ServerEvent, lobby: {}, closed: Ending, connected: {connected: boolean}, resynced: Resynced,
 *   rejoined: Joined, network: {}}>}
 */
export class Signaling extends Emitter {
  connected = false;
  #url;
  #greeting;
  #patienceS;
  #requests = new Requests(() => this.#lose());
  #backoff = new Backoff();
  /** @type {Socket | null} */
  #socket = null;
  /** @type {Ending | null} */
  #ended = null;
  /** @type {Ending | null} what the server said before it closed */
  #closing = null;
  /** @type {{room: string, token: string} | null} where we are to go on */
  #move = null;
  #token = '';
  #received = 0;
  #acknowledged = 0;
  #acking = 0;
  #quiet = 0;
  /** @type {() => void} ends the present wait for the next try */
  #hurry = () => {};
  #stopWatching = () => {};

  /**
   * @param {string} url `wss://…/v1/rooms/{room}/connect`
   * @param {{token: string}} greeting the fields of `join`
   * @param {number} [patienceS] how long to try to come back
   */
  constructor(url, greeting, patienceS = DEFAULT_PATIENCE_S) {
    super();
    this.#url = url;
    this.#greeting = greeting;
    this.#patienceS = patienceS;
  }

  /**
   * Joins, once; in a lobby that takes as long as people do. Fails with `unreachable`, or what the server declines with.
   * @param {AbortSignal} [signal] gives up
   * @returns {Promise<Joined>}
   */
  async join(signal) {
    signal?.throwIfAborted();
    const giveUp = () => this.close('left', 'gave up');
    signal?.addEventListener('abort', giveUp);
    await this.#open().catch((error) => {
      throw new SfuError('unreachable', error.message);
    });
    try {
      const joined = await this.#say('join', this.#greeting);
      signal?.removeEventListener('abort', giveUp);
      this.#begin(joined);
      this.#stopWatching = watchNetwork(() => this.#onNetwork());
      return joined;
    } catch (error) {
      this.close('left', 'could not join');
      throw error;
    }
  }

  /**
   * Sends a request; the reply, or an SfuError with the server's code. Without a socket it waits for the next.
   * @param {string} type
   * @param {object} fields
   * @returns {Promise<any>}
   */
  request(type, fields = {}) {
    if (this.#ended) return Promise.reject(new SfuError(this.#ended.code, this.#ended.reason));
    const { message, reply } = this.#requests.make(type, fields, true);
    if (this.connected) this.#send(message);
    return reply;
  }

  /** The token that we are here by. */
  get token() {
    return this.#greeting.token;
  }

  /**
   * From now on we are here by this token, also when we join anew.
   * @param {string} token
   */
  async refresh(token) {
    await this.request('refresh', { token });
    this.#greeting = { ...this.#greeting, token };
  }

  /** Says at once that all has arrived, for what may only follow then. */
  acknowledge() {
    clearTimeout(this.#acking);
    this.#acking = 0;
    if (this.#received > this.#acknowledged && this.connected) {
      this.#acknowledged = this.#received;
      this.#socket?.send({ type: 'ack', received: this.#received });
    }
  }

  /** Ends the session, told to the server where there is a connection; without one it finds out by itself. */
  async leave() {
    if (this.connected) {
      const told = this.request('leave').catch(() => undefined);
      await Promise.race([told, new Promise((resolve) => setTimeout(resolve, GOODBYE_MS))]);
    }
    this.close('left', 'you left');
  }

  /**
   * Ends it from our side, without waiting.
   * @param {string} code
   * @param {string} reason
   */
  close(code, reason) {
    this.#socket?.close();
    this.#end({ code, reason });
  }

  // --- one socket

  async #open() {
    const socket = await openSocket(this.#url);
    this.#socket = new Socket(
      socket,
      (message) => this.#onMessage(message),
      (code, reason) => this.#onEnd(code, reason),
    );
  }

  /** @param {{type: string, id: number}} message */
  #send(message) {
    this.#socket?.send(message);
    this.#requests.sent(message.id);
  }

  /**
   * A request that is for this socket only.
   * @param {string} type
   * @param {object} fields
   */
  #say(type, fields) {
    const { message, reply } = this.#requests.make(type, fields, false);
    this.#send(message);
    return reply;
  }

  /** @param {any} message */
  #onMessage(message) {
    this.#listen();
    if (message.seq) {
      this.#received = message.seq;
      this.#acking ||= setTimeout(() => this.acknowledge(), ACK_INTERVAL_MS);
    }
    if (message.id !== undefined) return this.#requests.onReply(message);
    if (message.type === 'in_lobby') {
      this.#requests.wait();
      return this.emit('lobby', {});
    }
    if (message.type === 'moved') this.#move = message;
    if (message.type === 'closing') this.#closing = { code: message.code, reason: message.reason };
    return this.emit('event', message);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #onEnd(code, reason) {
    const told = CODE_OF_CLOSE.get(code);
    const ending = this.#closing ?? (told ? { code: told, reason } : null);
    if (ending?.code === 'moved' && this.#move) return this.#goTo(this.#move);
    const isShutdown = ending?.code === 'server_shutdown';
    if (ending && !isShutdown) return this.#end(ending);
    return this.#lose();
  }

  /** We wait for the server's next word; if there is none, we ask. */
  #listen() {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.check(), QUIET_MS);
  }

  /** A socket may look open long after its path is gone. Being wrong costs a session nothing: it is resumed. */
  check() {
    if (!this.connected) return;
    const socket = this.#socket;
    const timer = setTimeout(() => this.connected && socket === this.#socket && this.#lose(), PING_TIMEOUT_MS);
    this.#say('ping', {}).then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
  }

  #onNetwork() {
    this.#hurry();
    this.emit('network', {});
  }

  // --- from one socket to the next

  /** @param {Joined} joined */
  #begin(joined) {
    this.#token = joined.resume.token;
    this.#received = this.#acknowledged = 0;
    this.#setConnected(true);
  }

  #lose() {
    if (this.#ended) return;
    const wasConnected = this.connected;
    this.#socket?.abandon();
    this.#socket = null;
    this.connected = false;
    clearTimeout(this.#quiet);
    this.#requests.pause();
    if (!wasConnected) return; // `join`, or #comeBack, hears of it by its request
    this.emit('connected', { connected: false });
    void this.#comeBack();
  }

  /** Until we are back, or patience is over. */
  async #comeBack() {
    const since = performance.now();
    const patienceS = this.#closing ? Math.min(SHUTDOWN_PATIENCE_S, this.#patienceS) : this.#patienceS;
    while (!this.#ended) {
      try {
        await this.#open();
        await this.#takeUp();
        this.#backoff.reset();
        return;
      } catch (error) {
        this.#socket?.abandon();
        this.#socket = null;
        if (isFinal(error)) return this.#end({ code: error.code, reason: error.message });
        // Looked at after a try: a computer that slept for an hour has one, too.
        if (performance.now() - since > patienceS * 1000) return this.#end(this.#closing ?? unreachable(error));
      }
      await this.#pause(this.#backoff.nextMs());
    }
  }

  /** Resumes the session, or joins anew. */
  async #takeUp() {
    if (this.#ended) throw new SfuError(this.#ended.code, this.#ended.reason);
    try {
      if (!this.#token) throw new SfuError('resume_invalid', 'this is another room');
      const reply = await this.#say('resume', { token: this.#token, received: this.#received });
      this.#token = reply.resume.token;
      this.#closing = null;
      if (reply.type === 'resynced') this.emit('resynced', reply);
      for (const message of this.#requests.resume(reply.handled)) this.#socket?.send(message);
      this.#setConnected(true);
    } catch (error) {
      if (!(error instanceof SfuError) || error.code !== 'resume_invalid') throw error;
      const joined = await this.#say('join', this.#greeting);
      this.#closing = null;
      this.#requests.end(new SfuError('connection_reset', 'the session is another one now'));
      this.#begin(joined);
      this.emit('rejoined', joined);
    }
  }

  /** @param {{room: string, token: string}} place another room, in which we are expected */
  #goTo({ room, token }) {
    this.#url = this.#url.replace(/[^/]+\/connect$/, `${encodeURIComponent(room)}/connect`);
    this.#greeting = { ...this.#greeting, token };
    this.#token = '';
    this.#move = this.#closing = null;
    this.#lose();
  }

  /** @param {number} ms */
  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  /** @param {boolean} connected */
  #setConnected(connected) {
    this.connected = connected;
    this.#listen();
    this.emit('connected', { connected });
  }

  /** @param {Ending} ending */
  #end({ code, reason }) {
    if (this.#ended) return;
    this.#ended = { code, reason: reason || 'the connection to the server was lost' };
    this.connected = false;
    this.#socket = null;
    this.#hurry();
    this.#stopWatching();
    clearTimeout(this.#quiet);
    clearTimeout(this.#acking);
    this.#requests.end(new SfuError(code, this.#ended.reason));
    this.emit('closed', this.#ended);
  }
}

/**
 * What no further try would change: the server has declined us.
 * @param {unknown} error
 * @returns {error is SfuError}
 */
function isFinal(error) {
  return error instanceof SfuError && !['disconnected', 'timeout', 'server_shutdown', 'join_timeout'].includes(error.code);
}

/** @param {unknown} error */
function unreachable(error) {
  return { code: 'unreachable', reason: error instanceof Error ? error.message : String(error) };
}
