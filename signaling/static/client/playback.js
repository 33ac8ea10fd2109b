/**
 * Lets everybody be heard: one audio element per receiver of audio, which plays whoever the server sends there. A slot
 * goes from one voice to the next without a pause, so nothing may have to be started first.
 *
 * Browsers may refuse to play before the person has touched the page; then `blocked` is told, and `resume()` from
 * within a click makes everything audible. Video is for the page to show; it needs no permission when it is silent.
 */

import { Emitter } from './events.js';

/** @extends {Emitter<{blocked: {}, allowed: {}}>} */
export class AudioPlayback extends Emitter {
  /** @type {Map<MediaStreamTrack, HTMLAudioElement>} by what the receiver plays */
  #elements = new Map();
  #speakerId = '';
  #blocked = false;

  /** @param {import('./room.js').Room} room */
  constructor(room) {
    super();
    room.on('tracksubscribed', ({ track }) => this.#play(track));
    room.on('closed', () => [...this.#elements.keys()].forEach((mediaTrack) => this.#stop(mediaTrack)));
    for (const participant of room.participants.values()) {
      for (const track of participant.tracks.values()) this.#play(track);
    }
  }

  get blocked() {
    return this.#blocked;
  }

  /** Plays what was refused. Call it from a click or a key press. */
  async resume() {
    await Promise.all([...this.#elements.values()].map((element) => this.#start(element)));
  }

  /**
   * Plays through this output device, where the browser lets a page choose (not in Safari).
   * @param {string} deviceId '' is the system's choice
   */
  async useSpeaker(deviceId) {
    if (deviceId === this.#speakerId) return;
    this.#speakerId = deviceId;
    await Promise.all([...this.#elements.values()].map((element) => this.#route(element)));
  }

  /** @param {import('./participants.js').RemoteTrack} track */
  #play(track) {
    const { mediaTrack } = track;
    if (track.kind !== 'audio' || !mediaTrack || this.#elements.has(mediaTrack)) return;
    // Of a connection that is no more.
    for (const other of this.#elements.keys()) if (other.readyState === 'ended') this.#stop(other);
    const element = new Audio();
    element.srcObject = new MediaStream([mediaTrack]);
    this.#elements.set(mediaTrack, element);
    void this.#route(element);
    void this.#start(element);
  }

  /** @param {MediaStreamTrack} mediaTrack */
  #stop(mediaTrack) {
    const element = this.#elements.get(mediaTrack);
    if (element) element.srcObject = null;
    this.#elements.delete(mediaTrack);
  }

  /** @param {HTMLAudioElement} element */
  async #start(element) {
    try {
      await element.play();
      this.#setBlocked(false);
    } catch (error) {
      // AbortError: the track went away while it was starting.
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.#setBlocked(true);
    }
  }

  /** @param {HTMLAudioElement} element */
  async #route(element) {
    if (!('setSinkId' in element) || element.sinkId === this.#speakerId) return;
    // An unplugged speaker is no reason for silence: the element then keeps the system's choice.
    await element.setSinkId(this.#speakerId).catch(() => undefined);
  }

  /** @param {boolean} blocked */
  #setBlocked(blocked) {
    if (blocked === this.#blocked) return;
    this.#blocked = blocked;
    this.emit(blocked ? 'blocked' : 'allowed', {});
  }
}
