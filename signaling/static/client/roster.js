/**
 * Keeps the list of participants as the server's events change it, and which receiver carries which track.
 *
 * Says what changed through `emit`, under the names of the room's events. Knows no connections: where a track arrives
 * is asked of `receiverOf`.
 */

import { Participant, RemoteTrack } from './participants.js';

/** @typedef {import('./types.js').ServerEvent} ServerEvent */
/** @typedef {import('./room-events.js').RoomEvents} RoomEvents */
/** @typedef {<Name extends keyof RoomEvents>(name: Name, detail: RoomEvents[Name]) => void} Emit */

export class Roster {
  /** @type {Map<string, Participant>} the others, by identity */
  participants = new Map();
  /** How many watch beside them. */
  viewers = 0;
  #emit;
  #receiverOf;
  #you;

  /**
   * @param {import('./participants.js').LocalParticipant} you
   * @param {import('./types.js').ParticipantDescription[]} descriptions
   * @param {(track: string) => RTCRtpReceiver | null} receiverOf
   * @param {Emit} emit
   */
  constructor(you, descriptions, receiverOf, emit) {
    this.#you = you;
    this.#emit = emit;
    this.#receiverOf = receiverOf;
    for (const description of descriptions) this.participants.set(description.identity, new Participant(description));
  }

  /**
   * Somebody's track by its id.
   * @param {string} id
   */
  findTrack(id) {
    for (const { tracks } of this.participants.values()) {
      const track = tracks.get(id);
      if (track) return track;
    }
    return null;
  }

  /** Whether anything is received, be it muted. */
  receives() {
    const tracks = [...this.participants.values()].flatMap((participant) => [...participant.tracks.values()]);
    return tracks.some((track) => track.receiver);
  }

  /** Receivers of what somebody should be sending us now. */
  *flowing() {
    for (const { tracks } of this.participants.values()) {
      for (const { receiver, muted } of tracks.values()) if (receiver && !muted) yield receiver;
    }
  }

  /** @param {ServerEvent} event */
  onServerEvent(event) {
    switch (event.type) {
      case 'roster_changed':
        return event.events.forEach((each) => this.onServerEvent(each));
      case 'viewers_changed':
        return this.#onViewers(event.count);
      case 'quality_changed':
        return event.participants.forEach(({ identity, quality }) => this.#onSaid(identity, { quality }));
      case 'participant_joined':
        return this.#onJoined(new Participant(event.participant));
      case 'participant_changed':
        return this.#onChanged(event.identity, event.state);
      case 'participant_left':
        return this.#onLeft(event.identity, event.reason);
      case 'track_published':
        return this.#onPublished(event.identity, event.track);
      case 'track_unpublished':
        return this.#onUnpublished(event.identity, event.track);
      case 'track_muted':
        return this.#onMuted(event.track, event.muted);
      case 'layer_changed':
        return this.#onLayer(event.track, event.rid);
      case 'hand_changed':
        return this.#onSaid(event.identity, { hand: event.hand });
      case 'stage_changed':
        return this.#onSaid(event.identity, { onStage: event.on_stage });
      case 'attributes_changed':
        return this.#onSaid(event.identity, { metadata: event.metadata, attributes: event.attributes });
      case 'consent_changed':
        return this.#onSaid(event.identity, { consent: event.given });
      default: // not about the roster, or from a newer server
        return undefined;
    }
  }

  /**
   * Everybody, after events were missed: what is different is told as if it happened now.
   * @param {import('./types.js').ParticipantDescription[]} descriptions
   * @param {number} [viewers]
   * @param {string} [reason] why those who are not there are not
   */
  resync(descriptions, viewers = 0, reason = 'disconnected') {
    if (viewers !== this.viewers) this.#onViewers(viewers);
    const now = new Map(descriptions.map((description) => [description.identity, description]));
    for (const identity of [...this.participants.keys()]) if (!now.has(identity)) this.#onLeft(identity, reason);
    for (const description of descriptions) {
      const before = this.participants.get(description.identity);
      if (before) this.#update(before, description);
      else this.#onJoined(new Participant(description));
    }
  }

  /**
   * A receiver carries this track from now on, or an offer named it before we knew it.
   * @param {string} id
   * @param {string | null} [rid] the layer that is sent, if the server has said so
   */
  bind(id, rid = null) {
    const track = this.findTrack(id);
    const receiver = this.#receiverOf(id);
    if (!track || !receiver || track.receiver === receiver) return;
    track.receiver = receiver;
    this.#emit('tracksubscribed', { participant: track.participant, track, mediaTrack: receiver.track });
    if (rid !== null) this.#onLayer(id, rid);
  }

  /** @param {string} id */
  unbind(id) {
    const track = this.findTrack(id);
    if (!track?.receiver) return;
    track.receiver = null;
    track.layer = null;
    this.#emit('trackunsubscribed', { participant: track.participant, track });
  }

  /**
   * @param {Participant} before
   * @param {import('./types.js').ParticipantDescription} description as it is now
   */
  #update(before, description) {
    const { identity, state, tracks } = description;
    if (before.describe(description)) this.#emit('participantchanged', { participant: before });
    if (before.state !== state) this.#onChanged(identity, state);
    const names = tracks.map(({ id }) => id);
    for (const id of [...before.tracks.keys()]) if (!names.includes(id)) this.#onUnpublished(identity, id);
    for (const track of tracks) {
      const known = before.tracks.get(track.id);
      if (!known) this.#onPublished(identity, track);
      else if (known.muted !== track.muted) this.#onMuted(track.id, track.muted);
    }
  }

  /** @param {number} count */
  #onViewers(count) {
    this.viewers = count;
    this.#emit('viewerschanged', { viewers: count });
  }

  /** @param {Participant} participant */
  #onJoined(participant) {
    this.participants.set(participant.identity, participant);
    this.#emit('participantjoined', { participant });
    for (const track of participant.tracks.values()) this.#emit('trackpublished', { participant, track });
  }

  /**
   * @param {string} identity
   * @param {'connected' | 'reconnecting'} state
   */
  #onChanged(identity, state) {
    const participant = this.participants.get(identity);
    if (!participant) return;
    participant.state = state;
    this.#emit('participantchanged', { participant });
  }

  /**
   * Also of ourselves.
   * @param {string} identity
   * @param {Partial<Participant>} changes
   */
  #onSaid(identity, changes) {
    const participant = identity === this.#you.identity ? this.#you : this.participants.get(identity);
    if (!participant) return;
    Object.assign(participant, changes);
    this.#emit('participantchanged', { participant });
  }

  /**
   * @param {string} identity
   * @param {string} reason
   */
  #onLeft(identity, reason) {
    const participant = this.participants.get(identity);
    if (!participant) return;
    for (const id of [...participant.tracks.keys()]) this.#onUnpublished(identity, id);
    this.participants.delete(identity);
    this.#emit('participantleft', { participant, reason });
  }

  /**
   * @param {string} identity
   * @param {import('./types.js').TrackDescription} description
   */
  #onPublished(identity, description) {
    const participant = this.participants.get(identity);
    if (!participant) return;
    const track = new RemoteTrack(participant, description);
    participant.tracks.set(track.id, track);
    this.#emit('trackpublished', { participant, track });
    this.bind(track.id); // an offer may have come first
  }

  /**
   * @param {string} identity
   * @param {string} id
   */
  #onUnpublished(identity, id) {
    const participant = this.participants.get(identity);
    const track = participant?.tracks.get(id);
    if (!participant || !track) return;
    this.unbind(id);
    participant.tracks.delete(id);
    this.#emit('trackunpublished', { participant, track });
  }

  /**
   * @param {string} id
   * @param {boolean} muted
   */
  #onMuted(id, muted) {
    const track = this.findTrack(id);
    if (!track) return; // our own: we said so ourselves
    track.muted = muted;
    this.#emit('muted', { participant: track.participant, track, muted });
  }

  /**
   * @param {string} id
   * @param {string} rid
   */
  #onLayer(id, rid) {
    const track = this.findTrack(id);
    if (!track) return;
    track.layer = rid;
    this.#emit('layerchanged', { track, rid });
  }
}
