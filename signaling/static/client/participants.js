/** Who is in the room and what they publish, as the server last said. Plain state; room.js changes it. */

/** @typedef {import('./types.js').TrackDescription} TrackDescription */
/** @typedef {import('./types.js').ParticipantDescription} ParticipantDescription */
/** @typedef {import('./types.js').Source} Source */
/** @typedef {import('./local-track.js').LocalTrack} LocalTrack */

/** Somebody else's published track. */
export class RemoteTrack {
  /** @type {RTCRtpReceiver | null} where it arrives, while we are subscribed */
  receiver = null;
  /** @type {string | null} the rid being received, once the server said so */
  layer = null;

  /**
   * @param {Participant} participant
   * @param {TrackDescription} description
   */
  constructor(participant, description) {
    this.participant = participant;
    this.id = description.id;
    this.kind = description.kind;
    this.source = description.source;
    this.muted = description.muted;
    this.rids = description.rids;
  }

  /** What to attach to a media element; null while we are not subscribed. */
  get mediaTrack() {
    return this.receiver?.track ?? null;
  }
}

/** What is said of everybody in the room, ourselves included. */
class Person {
  speaking = false;
  moderator = false;
  /** 0: not raised; else hands were raised in the order of these numbers. */
  hand = 0;
  onStage = false;
  metadata = '';
  /** @type {Record<string, string>} */
  attributes = {};
  /** @type {import('./types.js').Quality | null} null: nothing is sent or received, or not known yet */
  quality = null;
  /** @type {boolean | null} to being recorded; null: has not said */
  consent = null;

  /** @param {ParticipantDescription} description */
  constructor(description) {
    this.identity = description.identity;
    this.name = description.name || description.identity;
    this.describe(description);
  }

  /**
   * Whether anything is different from before.
   * @param {ParticipantDescription} description
   */
  describe({ moderator = false, hand = 0, on_stage = false, metadata = '', attributes = {}, quality = null, consent }) {
    const before = this.#said();
    Object.assign(this, { moderator, hand, onStage: on_stage, metadata, attributes, quality, consent: consent ?? null });
    return before !== this.#said();
  }

  #said() {
    const { moderator, hand, onStage, metadata, attributes, quality, consent } = this;
    return JSON.stringify([moderator, hand, onStage, metadata, attributes, quality, consent]);
  }
}

/** Somebody else in the room. */
export class Participant extends Person {
  /** @type {Map<string, RemoteTrack>} by track id */
  tracks = new Map();

  /** @param {ParticipantDescription} description */
  constructor(description) {
    super(description);
    this.state = description.state;
    for (const track of description.tracks) this.tracks.set(track.id, new RemoteTrack(this, track));
  }

  /**
   * The track of this source, if one is published.
   * @param {Source} source
   */
  track(source) {
    return [...this.tracks.values()].find((track) => track.source === source) ?? null;
  }
}

/** Ourselves. */
export class LocalParticipant extends Person {
  /** @type {Map<string, LocalTrack>} by track id */
  tracks = new Map();

  /**
   * The track of this source, if we publish one.
   * @param {Source} source
   */
  track(source) {
    return [...this.tracks.values()].find((track) => track.source === source) ?? null;
  }
}
