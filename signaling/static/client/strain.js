/**
 * Whether this computer keeps up with the pictures that it receives. The server cannot see it: what is too much to decode
 * arrives all the same. Pure.
 */

// Of frames that came, so many may end unseen: some always do, when a picture changes its size or is moved. Lower: pictures
// shrink for nothing; higher: people watch a stutter.
const DROPPED = 0.15;
// What is lost on the way spoils frames, too, and smaller pictures help against that by other means.
const LOST = 0.02;
// A decoder that is busy for so much of the time, and behind, has no more to give.
const BUSY = 0.9;
const BEHIND = 0.1;
// Of fewer frames a share says nothing.
const LEAST_FRAMES = 50;

/**
 * What became of one picture meanwhile.
 * @typedef {{received: number, decoded: number, dropped: number, decodeS: number, packets: number, lost: number}} Watched
 */

/**
 * @param {Watched[]} pictures
 * @param {number} seconds
 */
export function isOverused(pictures, seconds) {
  const whole = pictures.filter(({ packets, lost }) => lost <= LOST * (packets + lost));
  const received = sum(whole.map((each) => each.received));
  if (received < LEAST_FRAMES) return false;
  if (sum(whole.map(({ dropped }) => dropped)) > DROPPED * received) return true;
  return whole.some((each) => each.decodeS > BUSY * seconds && each.received - each.decoded > BEHIND * each.received);
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
