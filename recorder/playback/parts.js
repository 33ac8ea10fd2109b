/** What a tile shows: of several files of one participant the one of the moment, each picture upright. */

import { turnAt } from './timeline.js';

/** @typedef {import('./types.js').File} File */
/** @typedef {{video: HTMLVideoElement, file: File}} Part */

/**
 * Turns each picture as it comes; a browser that does not say when that is does it when `showPart` is called.
 *
 * @param {Part} part
 */
export function keepUpright({ video, file }) {
  if (!file.turns?.length || !('requestVideoFrameCallback' in video)) return;
  /** @param {number} _now @param {{mediaTime: number}} frame */
  const onFrame = (_now, { mediaTime }) => {
    turn({ video, file }, file.start_s + mediaTime);
    video.requestVideoFrameCallback(onFrame);
  };
  video.requestVideoFrameCallback(onFrame);
}

/**
 * @param {Part[]} parts  of one tile, in the order in which they begin
 * @param {number} at_s  of the session
 * @returns {boolean} whether there are pictures
 */
export function showPart(parts, at_s) {
  const current = parts.filter(({ file }) => file.start_s <= at_s).at(-1) ?? parts[0];
  for (const part of parts) {
    part.video.hidden = part !== current || part.file.width === null;
    turn(part, part.file.start_s + part.video.currentTime);
  }
  return current?.file.width !== null;
}

/**
 * @param {Part} part
 * @param {number} at_s
 */
function turn({ video, file }, at_s) {
  if (!file.turns?.length) return;
  const { degrees, mirrored } = turnAt(file, at_s);
  video.dataset.degrees = String(degrees);
  video.dataset.mirrored = String(mirrored);
}
