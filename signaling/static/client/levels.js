/**
 * How loud somebody is, and whether that is speech.
 *
 * Levels are linear, 0 to 1 (1 is 0 dBov). What we receive is read from the receiver, which needs no audio graph; our
 * own microphone through an AudioContext, which works before anything is published.
 */

// -34 dBov: above a fan, below a quiet voice at arm's length.
const SPEECH_LEVEL = 0.02;
// Pauses between words are shorter than this; without it the ring around a tile flickers.
const HOLD_S = 0.6;

/** Speech from levels: begins at once, ends after a pause. */
export class SpeechDetector {
  #lastHeard = -Infinity;

  /**
   * @param {number} level 0 to 1
   * @param {number} now in seconds
   * @returns {boolean} speaking
   */
  onLevel(level, now) {
    if (level >= SPEECH_LEVEL) this.#lastHeard = now;
    return now - this.#lastHeard < HOLD_S;
  }
}

/** The level of what a receiver plays. */
export class ReceivedLevel {
  #receiver;
  #lastTimestamp = -1;

  /** @param {RTCRtpReceiver} receiver of audio */
  constructor(receiver) {
    this.#receiver = receiver;
  }

  /** 0 when nothing came since the last reading: a source is listed for ten seconds after its last packet. */
  read() {
    const newest = this.#receiver.getSynchronizationSources()[0];
    if (!newest || newest.timestamp === this.#lastTimestamp) return 0;
    this.#lastTimestamp = newest.timestamp;
    return newest.audioLevel ?? 0;
  }
}

/** The level of a microphone. */
export class MicrophoneLevel {
  #context = new AudioContext();
  #analyser = this.#context.createAnalyser();
  #samples;

  /** @param {MediaStreamTrack} mediaTrack of audio */
  constructor(mediaTrack) {
    this.#analyser.fftSize = 1024; // 21 ms at 48 kHz: one syllable's worth, read every 50 to 100 ms
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#context.createMediaStreamSource(new MediaStream([mediaTrack])).connect(this.#analyser);
  }

  /** Root mean square, scaled so that a loud voice reaches 1. */
  read() {
    if (this.#context.state === 'suspended') void this.#context.resume();
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / this.#samples.length;
    return Math.min(Math.sqrt(power) * Math.SQRT2, 1);
  }

  close() {
    void this.#context.close();
  }
}
