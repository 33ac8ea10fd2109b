/**
 * Who is speaking: one timer reads the levels of everybody we hear, and our own.
 *
 * This is for indicators on the page. Who is *chosen* as the dominant speaker is the server's decision.
 */

import { MicrophoneLevel, ReceivedLevel, SpeechDetector } from './levels.js';

/** @typedef {import('./participants.js').Participant} Participant */
/** @typedef {import('./participants.js').LocalParticipant} LocalParticipant */
/** @typedef {{read: () => number, close?: () => void}} Level */
/** @typedef {{level: Level, of: RTCRtpReceiver | MediaStreamTrack, detector: SpeechDetector}} Listening */

// Fast enough that the ring follows the voice; twenty people are 200 short calls a second.
const INTERVAL_MS = 100;

export class SpeakingWatch {
  /** @type {Map<Participant | LocalParticipant, Listening>} */
  #listening = new Map();
  #timer;

  /**
   * @param {() => Iterable<Participant | LocalParticipant>} everybody
   * @param {(participant: Participant | LocalParticipant) => void} onChange `speaking` of this one is another now
   */
  constructor(everybody, onChange) {
    this.#timer = setInterval(() => this.#look([...everybody()], onChange), INTERVAL_MS);
  }

  close() {
    clearInterval(this.#timer);
    for (const { level } of this.#listening.values()) level.close?.();
  }

  /**
   * @param {(Participant | LocalParticipant)[]} everybody
   * @param {(participant: Participant | LocalParticipant) => void} onChange
   */
  #look(everybody, onChange) {
    const now = performance.now() / 1000;
    for (const participant of everybody) {
      const listening = this.#listenTo(participant);
      const speaking = listening ? listening.detector.onLevel(listening.level.read(), now) : false;
      if (speaking === participant.speaking) continue;
      participant.speaking = speaking;
      onChange(participant);
    }
    for (const participant of this.#listening.keys()) if (!everybody.includes(participant)) this.#forget(participant);
  }

  /** @param {Participant | LocalParticipant} participant */
  #listenTo(participant) {
    const track = participant.track('microphone');
    const open = track && !track.muted ? ('receiver' in track ? track.receiver : track.mediaTrack) : null;
    const before = this.#listening.get(participant);
    if (open === (before?.of ?? null)) return before ?? null;
    this.#forget(participant);
    if (!open) return null;
    const level = open instanceof RTCRtpReceiver ? new ReceivedLevel(open) : new MicrophoneLevel(open);
    const listening = { level, of: open, detector: new SpeechDetector() };
    this.#listening.set(participant, listening);
    return listening;
  }

  /** @param {Participant | LocalParticipant} participant */
  #forget(participant) {
    this.#listening.get(participant)?.level.close?.();
    this.#listening.delete(participant);
  }
}
