/**
 * When a receiver has come to an RTP timestamp: the picture that was first sent with it is the one that is shown.
 *
 * The server says with which timestamp somebody else begins in a slot. That message may overtake the packets, and a
 * browser holds frames back until they can be shown in step, so the name has to wait for the frame.
 */

// Higher: a name comes later than its picture. What is long in coming is looked for less often, by so much of the wait.
const LOOK_EVERY_MS = 20;
const LOOK_SHARE = 0.05;
const LOOK_LEAST_OFTEN_MS = 250;
// A receiver that tells no timestamp has played nothing for ten seconds, or its browser tells none of any. After so long
// nothing of who was here before is still on its way: libwebrtc holds no frame back for longer.
const UNTOLD_MS = 10_000;

/**
 * Whether `timestamp` has come, by the newest one that was played: 32 bits that wrap.
 * @param {number | null} played
 * @param {number} timestamp
 */
export function hasCome(played, timestamp) {
  return played !== null && ((played - timestamp) | 0) >= 0;
}

/**
 * Resolves when the frame is shown, however late it comes, or somebody else is wanted. By time alone only where no
 * timestamps are told: whose name it is would stand over whoever was here before.
 * @param {RTCRtpReceiver} receiver of video
 * @param {number} timestamp
 * @param {() => boolean} wanted false: something else is in this slot by now
 */
export async function untilShown(receiver, timestamp, wanted) {
  let waited = 0;
  let isTold = false;
  while (wanted()) {
    const played = receiver.getSynchronizationSources()[0]?.rtpTimestamp ?? null;
    isTold ||= played !== null;
    if (hasCome(played, timestamp) || (!isTold && waited >= UNTOLD_MS)) return;
    const pause = Math.min(Math.max(LOOK_EVERY_MS, waited * LOOK_SHARE), LOOK_LEAST_OFTEN_MS);
    await new Promise((resolve) => setTimeout(resolve, pause));
    waited += pause;
  }
}
