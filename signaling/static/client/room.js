/**
 * A joined room: who is in it, what they publish, what we publish, and every event about it. Only routes between the
 * parts: signaling.js (messages), publisher.js and subscriber.js (connections), roster.js (who is there). It opens
 * devices when asked to and touches no page.
 */

import { connectionState } from './connection-state.js';
import { Emitter, SfuError } from './events.js';
import { Messages } from './messages.js';
import { Moderation } from './moderation.js';
import { LocalParticipant } from './participants.js';
import { Publisher } from './publisher.js';
import { Recordings } from './recordings.js';
import { Recovery } from './recovery.js';
import { Roster } from './roster.js';
import { watchSilence } from './silence.js';
import { SpeakingWatch } from './speaking.js';
import { StatisticsReader } from './statistics.js';
import { Subscriber } from './subscriber.js';
import { TokenRenewal } from './token-renewal.js';
import { View } from './view.js';
import { cameraWish, microphoneWish, screenWishes } from './wishes.js';

/** @typedef {import('./recovery.js').ConnectionName} ConnectionName */
/** @typedef {import('./local-track.js').LocalTrack} LocalTrack */

/** @extends {Emitter<import('./room-events.js').RoomEvents>} */
export class Room extends Emitter {
  /** @type {import('./types.js').ConnectionState} */
  connectionState = 'connected';
  #signaling;
  #publisher;
  #subscriber;
  #messages;
  #roster;
  #speaking;
  #stopWatchingSilence;
  #renewal;
  #statistics = new StatisticsReader();
  /** @type {Record<'publish' | 'subscribe', import('./types.js').TransportState | null>} */
  #serverSees = { publish: null, subscribe: null };
  /** @type {Set<ConnectionName>} connections that are being built anew */
  #rebuilding = new Set();
  /** @type {Record<ConnectionName, Recovery>} */
  #recoveries;

  /**
   * @param {import('./signaling.js').Signaling} signaling that said `join`
   * @param {import('./types.js').Joined} joined
   * @param {{messages?: boolean | 'websocket', freshToken?: import('./token-renewal.js').FreshToken}} [options]
   */
  constructor(signaling, joined, { messages = true, freshToken } = {}) {
    super();
    this.name = joined.room;
    this.grants = joined.grants;
    this.you = new LocalParticipant(joined.you);
    this.view = new View(signaling);
    this.#signaling = signaling;
    this.#renewal = new TokenRenewal(freshToken, (token) => this.refresh(token), (inS) => this.emit('tokenexpiring', { inS }));
    this.#publisher = new Publisher(signaling);
    this.#messages = new Messages(this.#publisher, signaling, messages);
    this.#subscriber = new Subscriber(signaling);
    this.#publisher.iceServers = this.#subscriber.iceServers = joined.ice_servers ?? [];
    this.recordings = new Recordings(joined.room, () => signaling.token);
    this.moderation = new Moderation(signaling, joined.state, (name, detail) => this.emit(name, detail));
    this.#roster = new Roster(
      this.you,
      joined.participants,
      (track) => this.#subscriber.receiverOf(track),
      (name, detail) => this.emit(name, detail),
    );
    this.#roster.viewers = joined.viewers ?? 0;
    this.#speaking = new SpeakingWatch(
      () => [this.you, ...this.participants.values()],
      (participant) => this.emit('speaking', { participant, speaking: participant.speaking }),
    );
    signaling.on('event', (event) => this.#onServerEvent(event));
    signaling.on('closed', (ending) => this.#onClosed(ending));
    signaling.on('connected', () => this.#judgeConnection());
    signaling.on('resynced', (present) => this.#onResynced(present));
    signaling.on('rejoined', (joined) => this.#onRejoined(joined));
    signaling.on('network', () => this.#seekPaths());
    this.#stopWatchingSilence = watchSilence(() => this.#roster.flowing(), () => this.#seekPaths());
    this.#recoveries = { publish: this.#recovery('publish'), subscribe: this.#recovery('subscribe') };
    this.#publisher.on('state', ({ state }) => this.#onConnection('publish', state));
    this.#messages.on('message', (message) => {
      this.emit('message', { ...message, participant: this.participants.get(message.identity) ?? null });
    });
    this.#messages.on('refused', (refusal) => this.emit('messagerefused', refusal));
    this.#messages.on('lost', (lost) => this.emit('messageslost', lost));
    // Later: what is published in this turn takes the channels along in its exchange.
    if (messages) setTimeout(() => this.openMessages().catch(() => undefined));
    this.#subscriber.on('state', ({ state }) => this.#onConnection('subscribe', state));
    this.#subscriber.on('bound', ({ track, rid }) => this.#roster.bind(track, rid));
    this.#subscriber.on('freed', ({ track }) => this.#roster.unbind(track));
    this.#subscriber.on('failed', ({ error }) => signaling.close('internal', `the server's offer failed: ${error}`));
  }

  /** The others, by identity. */
  get participants() {
    return this.#roster.participants;
  }

  /** How many watch beside `participants`: of a large audience only the number is told. */
  get viewers() {
    return this.#roster.viewers;
  }

  /**
   * Publishes a camera, opened here or given. Muting it releases the device, unmuting opens it again.
   * @param {import('./types.js').CameraOptions} [options]
   */
  async publishCamera(options = {}) {
    const { track, ...wish } = await cameraWish(options);
    return this.publish(track, wish);
  }

  /** @param {import('./types.js').MicrophoneOptions} [options] */
  async publishMicrophone(options = {}) {
    const { track, ...wish } = await microphoneWish(options);
    return this.publish(track, wish);
  }

  /**
   * Lets the person choose a screen and publishes it, with its sound if there is any.
   * @param {import('./types.js').ScreenOptions} [options]
   */
  async publishScreen(options = {}) {
    return this.publishAll(await screenWishes(options));
  }

  /**
   * @param {MediaStreamTrack} mediaTrack
   * @param {import('./types.js').PublishOptions} options
   * @returns {Promise<LocalTrack>}
   */
  async publish(mediaTrack, options) {
    const [track] = await this.publishAll([{ track: mediaTrack, ...options }]);
    if (!track) throw new SfuError('internal', 'nothing was published');
    return track;
  }

  /**
   * Publishes several tracks in one exchange; the devices are released if the server declines.
   * @param {import('./types.js').PublishWish[]} wishes
   */
  async publishAll(wishes) {
    try {
      const tracks = await this.#publisher.publish(wishes);
      tracks.forEach((track) => this.#adopt(track));
      return tracks;
    } catch (error) {
      wishes.forEach(({ track }) => track.stop());
      throw error;
    }
  }

  /** @param {LocalTrack} track */
  async unpublish(track) {
    if (!this.you.tracks.delete(track.id)) return;
    this.emit('localtrackunpublished', { track });
    await this.#publisher.unpublish(track);
  }

  /**
   * Asks for a track that is not received; `tracksubscribed` follows.
   * @param {string} track its id
   */
  async subscribe(track) {
    await this.#signaling.request('subscribe', { track });
  }

  /** @param {string} track its id */
  async unsubscribe(track) {
    await this.#signaling.request('unsubscribe', { track });
  }

  /**
   * The best layer we want of a track.
   * @param {string} track its id
   * @param {string | null} rid null: no limit
   */
  async limitLayer(track, rid) {
    await this.#signaling.request('limit_layer', { track, rid });
  }

  /** Until messages can be sent and received. Joining does it, unless it was told not to. */
  async openMessages() {
    await this.#messages.open();
  }

  /**
   * Sends a message to everybody else, or to some. It is handed to the connection when this settles; what the server
   * declines of it comes as `messagerefused`.
   * @param {import('./message-frame.js').Payload} payload
   * @param {import('./types.js').MessageOptions} [options]
   */
  async sendMessage(payload, options = {}) {
    if (!this.grants.message) throw new SfuError('not_granted', 'the token does not permit sending messages');
    await this.#messages.send(payload, options);
  }

  /**
   * Another token for the same identity and room: what it permits counts from now on.
   * @param {string} token
   */
  async refresh(token) {
    await this.#signaling.refresh(token);
    this.emit('tokenrefreshed', { token });
  }

  /** Says goodbye and ends everything; `closed` follows. */
  leave() {
    return this.#signaling.leave();
  }

  /** Numbers per track and connection; bitrates are since the last call (with the same reader). */
  statistics(reader = this.#statistics) {
    const [publish, subscribe] = [this.#publisher.connection, this.#subscriber.connection];
    return reader.read({ publish, subscribe }, this);
  }

  /** @param {import('./types.js').ServerEvent} event */
  #onServerEvent(event) {
    switch (event.type) {
      case 'offer':
      case 'slots_changed':
        return this.#subscriber.onServerEvent(event);
      case 'transport_changed':
        this.#serverSees[event.connection] = event.state;
        return this.#judgeConnection();
      case 'set_encodings':
        return void this.you.tracks.get(event.track)?.sendLayers(event.rids);
      case 'token_expiring':
        return void this.#renewal.onExpiring(this.#signaling.token, event.in_s);
      case 'reset':
        return this.#rebuild(event.connections, true);
      case 'closing':
        // Being moved is no end.
        return event.code === 'moved' ? undefined : this.emit('closing', { code: event.code, reason: event.reason });
      case 'track_stopped':
        return this.#onStopped(event);
      case 'grants_changed':
        return this.#onGrants(event.grants);
      default:
        this.moderation.onServerEvent(event, this.you);
        this.#roster.onServerEvent(event);
        return this.#judgeConnection();
    }
  }

  /** @param {import('./types.js').Resynced} present how things stand, after events were missed */
  #onResynced({ you, grants, participants, viewers, state }) {
    this.you.describe(you);
    this.moderation.rejoin(state);
    this.#roster.resync(participants, viewers);
    this.#onGrants(grants);
  }

  /** @param {import('./types.js').Grants} grants what we may do from now on */
  #onGrants(grants) {
    this.grants = grants;
    this.emit('grantschanged', {});
  }

  /** @param {{track: string, by: string}} event */
  #onStopped({ track: id, by }) {
    const track = this.you.tracks.get(id);
    if (!track || !this.you.tracks.delete(id)) return;
    void this.#publisher.forget(track);
    this.emit('localtrackunpublished', { track });
    this.emit('trackstopped', { track, by });
  }

  /** @param {LocalTrack} track */
  #adopt(track) {
    this.you.tracks.set(track.id, track);
    this.moderation.adopt(track);
    track.on('muted', ({ muted }) => this.emit('muted', { participant: this.you, track, muted }));
    track.on('replaced', () => this.emit('localtrackreplaced', { track }));
    track.on('ended', () => {
      // What arrives of an ended device is black or silence; a shared screen that ended is over, with its sound.
      const gone = track.source === 'screen' ? [track, this.you.track('screen_audio')] : [];
      gone.forEach((each) => each && this.unpublish(each).catch(() => undefined));
      if (gone.length === 0) track.mute().catch(() => undefined);
      this.emit('localtrackended', { track });
    });
    this.emit('localtrackpublished', { track });
  }

  /** Both connections share the network: what one of them shows is true of the other. */
  #seekPaths() {
    Object.values(this.#recoveries).forEach((recovery) => recovery.onNetwork());
  }

  /** There is no offer to wait for when nothing is received any more. */
  #isRebuilding() {
    return this.#rebuilding.has('publish') || (this.#rebuilding.has('subscribe') && this.#roster.receives());
  }

  /** @param {ConnectionName} connection */
  #recovery(connection) {
    const owner = connection === 'publish' ? this.#publisher : this.#subscriber;
    return new Recovery({
      restart: () => owner.restartIce(),
      reset: () => this.#signaling.request('request_reset', { connection }),
    });
  }

  /**
   * @param {ConnectionName} connection
   * @param {RTCPeerConnectionState} state
   */
  #onConnection(connection, state) {
    if (state === 'connected' || state === 'closed') this.#rebuilding.delete(connection);
    this.#recoveries[connection].onState(state);
    this.#judgeConnection();
  }

  /** @param {import('./types.js').Joined} joined a new session, as the old one is no more */
  #onRejoined(joined) {
    const from = this.name;
    this.name = joined.room;
    this.you.describe(joined.you);
    for (const track of this.you.tracks.values()) track.release();
    this.moderation.rejoin(joined.state);
    this.#publisher.iceServers = this.#subscriber.iceServers = joined.ice_servers ?? [];
    this.#serverSees = { publish: null, subscribe: null };
    this.#subscriber.rejoin();
    this.#roster.resync(joined.participants, joined.viewers, from === this.name ? 'disconnected' : 'elsewhere');
    this.#rebuild(['publish'], false);
    this.#onGrants(joined.grants);
    if (from !== this.name) this.emit('moved', { from });
  }

  /**
   * The server has no such connections any more. Our tracks go on over new ones.
   * @param {ConnectionName[]} connections
   * @param {boolean} sameSession
   */
  #rebuild(connections, sameSession) {
    connections.forEach((connection) => {
      this.#rebuilding.add(connection);
      this.#serverSees[connection] = null;
      this.#recoveries[connection].onState(null);
    });
    this.#signaling.acknowledge();
    if (connections.includes('subscribe')) this.#subscriber.rebuild();
    if (connections.includes('publish')) void this.#rebuildPublishing(sameSession);
    this.#judgeConnection();
  }

  /** @param {boolean} sameSession */
  async #rebuildPublishing(sameSession) {
    const { tracks } = this.you;
    try {
      await this.#publisher.rebuild([...tracks.values()], sameSession);
      const named = [...tracks.values()];
      tracks.clear();
      for (const track of named) tracks.set(track.id, track);
      await this.#messages.rebuild().catch(() => undefined);
    } catch (error) {
      const { code = 'internal', message = '' } = /** @type {Partial<SfuError>} */ (error ?? {});
      // Once more: the connection was lost again, and `reset` says so.
      if (code !== 'connection_reset') this.#signaling.close(code, `what was published could not be again: ${message}`);
    }
  }

  #judgeConnection() {
    if (this.connectionState === 'closed') return;
    this.#setState(
      connectionState(
        [this.#publisher, this.#subscriber].map(({ connection }) => connection?.connectionState ?? null),
        Object.values(this.#serverSees),
        !this.#signaling.connected || this.#isRebuilding(),
      ),
    );
  }

  /** @param {{code: string, reason: string}} ending */
  #onClosed(ending) {
    this.#speaking.close();
    this.#renewal.close();
    this.#stopWatchingSilence();
    Object.values(this.#recoveries).forEach((recovery) => recovery.close());
    this.#messages.close(ending);
    this.#publisher.close();
    this.#subscriber.close();
    for (const track of this.you.tracks.values()) track.close();
    this.#setState('closed');
    this.emit('closed', ending);
  }

  /** @param {import('./types.js').ConnectionState} state */
  #setState(state) {
    if (state === this.connectionState) return;
    this.connectionState = state;
    this.emit('connectionstate', { state });
  }
}
