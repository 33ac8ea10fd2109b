/**
 * When a receiver has come to an RTP timestamp: the picture that was first sent with it is the one that is shown.
 *
 * The server says with which timestamp somebody else begins in a slot. That message may overtake the packets, and a
 * browser holds frames back until they can be shown in step, so the name has to wait for the frame.
 */

const LOOK_EVERY_MS = 20;
// A browser that does not tell timestamps, or a picture that never comes: the name is right then, if early.
const PATIENCE_MS = 1000;

/**
 * Whether `timestamp` has come, by the newest one that was played: 32 bits that wrap.
 * @param {number | null} played
 * @param {number} timestamp
 */
export function hasCome(played, timestamp) {
  return played !== null && ((played - timestamp) | 0) >= 0;
}

/**
 * Resolves when the frame is shown, or it is no use to wait any longer.
 * @param {RTCRtpReceiver} receiver of video
 * @param {number} timestamp
 * @param {() => boolean} wanted false: something else is in this slot by now
 */
export async function untilShown(receiver, timestamp, wanted) {
  for (let waited = 0; waited < PATIENCE_MS && wanted(); waited += LOOK_EVERY_MS) {
    const played = receiver.getSynchronizationSources()[0]?.rtpTimestamp ?? null;
    if (hasCome(played, timestamp)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
