/** Two notes through the chosen speaker, so that one knows before the others speak. */

const NOTES_HZ = [523.25, 659.25];
const NOTE_S = 0.35;
const LOUDNESS = 0.2;

/** @param {string} speakerId '' is the system's choice */
export async function playSpeakerTest(speakerId) {
  const context = new AudioContext();
  // Only a media element can be sent to a chosen speaker in every browser that has speakers to choose from.
  const destination = context.createMediaStreamDestination();
  const player = new Audio();
  player.srcObject = destination.stream;
  try {
    if (speakerId && 'setSinkId' in player) await player.setSinkId(speakerId);
    await Promise.all([context.resume(), player.play()]);
    NOTES_HZ.forEach((pitch, index) => sound(context, destination, pitch, context.currentTime + 0.05 + index * NOTE_S));
    await new Promise((resolve) => setTimeout(resolve, (NOTES_HZ.length + 1) * NOTE_S * 1000));
  } finally {
    player.srcObject = null;
    await context.close();
  }
}

/**
 * @param {AudioContext} context
 * @param {AudioNode} destination
 * @param {number} pitch in hertz
 * @param {number} from in seconds of the context
 */
function sound(context, destination, pitch, from) {
  const note = new OscillatorNode(context, { frequency: pitch });
  const loudness = new GainNode(context, { gain: 0 });
  // Rises and fades: a note cut off clicks.
  loudness.gain.setValueAtTime(0, from);
  loudness.gain.linearRampToValueAtTime(LOUDNESS, from + 0.02);
  loudness.gain.exponentialRampToValueAtTime(0.001, from + NOTE_S);
  note.connect(loudness).connect(destination);
  note.start(from);
  note.stop(from + NOTE_S);
}
