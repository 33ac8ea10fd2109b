/**
 * What moderators decide: asking for it, and what of it concerns us. See "Moderation" in PROTOCOL.md.
 *
 * Keeps what the room is set to, who waits in its lobby, and which of our tracks we may not unmute. Says what changed
 * through `emit`, under the names of the room's events.
 */

/** @typedef {import('./types.js').ServerEvent} ServerEvent */
/** @typedef {import('./types.js').Source} Source */
/** @typedef {import('./types.js').RoomState} RoomState */
/** @typedef {import('./types.js').Grants} Grants */
/** @typedef {import('./room-events.js').RoomEvents} RoomEvents */
/** @typedef {<Name extends keyof RoomEvents>(name: Name, detail: RoomEvents[Name]) => void} Emit */

export class Moderation {
  /** @type {{identity: string, name: string}[]} who waits in the lobby, the longest first; told to moderators */
  waiting = [];
  #signaling;
  #emit;
  /** @type {Set<string>} tracks that a moderator has muted, also those that we do not know yet */
  #held = new Set();

  /**
   * @param {import('./signaling.js').Signaling} signaling
   * @param {RoomState} state
   * @param {Emit} emit
   */
  constructor(signaling, state, emit) {
    this.state = state;
    this.#signaling = signaling;
    this.#emit = emit;
  }

  /**
   * Mutes somebody's track and keeps its source muted, until they are asked to unmute.
   * @param {string} participant
   * @param {string} track
   */
  muteTrack(participant, track) {
    return this.#request('mute_track', { participant, track });
  }

  /**
   * Lets somebody unmute, and asks for it.
   * @param {string} participant
   * @param {Source} source
   */
  askToUnmute(participant, source) {
    return this.#request('ask_to_unmute', { participant, source });
  }

  /**
   * Unpublishes somebody's track.
   * @param {string} participant
   * @param {string} track
   */
  stopTrack(participant, track) {
    return this.#request('stop_track', { participant, track });
  }

  /**
   * What is not named stays.
   * @param {string} participant
   * @param {Partial<Pick<Grants, 'publish' | 'sources' | 'subscribe' | 'message' | 'update_own_metadata'>>} grants
   */
  setGrants(participant, grants) {
    return this.#request('set_grants', { participant, grants });
  }

  /**
   * The token that they came with is not good for this room any more.
   * @param {string} participant
   * @param {string} [reason]
   */
  remove(participant, reason = '') {
    return this.#request('remove', { participant, reason });
  }

  /**
   * @param {string} participant who need not be here
   * @param {{reason?: string, forS?: number}} [options] without `forS`: until `unban`
   */
  ban(participant, { reason = '', forS } = {}) {
    return this.#request('ban', { participant, reason, for_s: forS ?? null });
  }

  /** @param {string} participant */
  unban(participant) {
    return this.#request('unban', { participant });
  }

  /** @param {string} participant who waits in the lobby */
  admit(participant) {
    return this.#request('admit', { participant });
  }

  /** @param {string} participant who waits in the lobby */
  deny(participant) {
    return this.#request('deny', { participant });
  }

  /**
   * Who is on stage may publish.
   * @param {string} participant
   * @param {boolean} onStage
   */
  setStage(participant, onStage) {
    return this.#request('set_stage', { participant, on_stage: onStage });
  }

  /**
   * @param {string} participant
   * @param {string} room of the same family: `standup`, `standup~red`
   */
  move(participant, room) {
    return this.#request('move', { participant, to_room: room });
  }

  /** @param {{locked?: boolean, lobby?: boolean, metadata?: string}} settings what is not named stays */
  setRoom(settings) {
    return this.#request('set_room', settings);
  }

  /**
   * One's own hand, or (to lower it) somebody else's.
   * @param {boolean} raised
   * @param {string} [participant]
   */
  setHand(raised, participant) {
    return this.#request('set_hand', participant === undefined ? { raised } : { raised, participant });
  }

  /**
   * To being recorded, where the room asks for it (`state.recording_consent`); may be changed at any time.
   * @param {boolean} given
   */
  setConsent(given) {
    return this.#request('set_consent', { given });
  }

  /**
   * @param {ServerEvent} event
   * @param {import('./participants.js').LocalParticipant} you
   */
  onServerEvent(event, you) {
    switch (event.type) {
      case 'room_changed':
        this.state = event.room;
        return this.#emit('roomchanged', {});
      case 'lobby':
        this.waiting = event.waiting;
        return this.#emit('lobbychanged', {});
      case 'muted_by':
        this.#held.add(event.track);
        void you.tracks.get(event.track)?.hold();
        return this.#emit('mutedby', { track: you.tracks.get(event.track) ?? null, by: event.by });
      case 'unmute_requested':
        this.#release(you, event.source);
        return this.#emit('unmuterequested', { source: event.source, by: event.by });
      default: // somebody else's business
        return undefined;
    }
  }

  /**
   * @param {import('./participants.js').LocalParticipant} you
   * @param {Source} source
   */
  #release(you, source) {
    for (const track of you.tracks.values()) {
      if (track.source !== source) continue;
      track.release();
      this.#held.delete(track.id);
    }
  }

  /**
   * A track of ours is there; a moderator may have muted it already.
   * @param {import('./local-track.js').LocalTrack} track
   */
  adopt(track) {
    if (this.#held.has(track.id)) void track.hold();
  }

  /**
   * Another session: what was held is said anew.
   * @param {RoomState} state
   */
  rejoin(state) {
    this.state = state;
    this.waiting = [];
    this.#held.clear();
    this.#emit('lobbychanged', {});
    this.#emit('roomchanged', {});
  }

  /**
   * @param {string} type
   * @param {object} fields
   * @returns {Promise<void>} fails with what the server declines with
   */
  async #request(type, fields) {
    await this.#signaling.request(type, fields);
  }
}
