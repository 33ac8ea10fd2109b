/**
 * Messages as they travel over data channels: a line of JSON, then the payload (`signaling/PROTOCOL.md`). Pure.
 *
 * The first line feed ends the header: JSON.stringify never writes one. The payload stays bytes, and is not copied here.
 */

const LINE_FEED = 10;
const encoder = new TextEncoder();
// Fatal: half a character is no text, and no header either.
const decoder = new TextDecoder('utf-8', { fatal: true });

/** @typedef {string | ArrayBuffer | ArrayBufferView} Payload */

/**
 * @param {{topic: string, to?: string[]}} header
 * @param {Payload} payload a string arrives as a string, bytes arrive as a Uint8Array
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function writeFrame(header, payload) {
  const text = typeof payload === 'string';
  const line = encoder.encode(`${JSON.stringify({ ...header, text })}\n`);
  const content = text ? encoder.encode(payload) : bytesOf(payload);
  const frame = new Uint8Array(line.length + content.length);
  frame.set(line);
  frame.set(content, line.length);
  return frame;
}

/**
 * Null for what is no frame.
 * @param {ArrayBuffer} buffer
 * @returns {{header: Record<string, unknown>, payload: string | Uint8Array} | null}
 */
export function readFrame(buffer) {
  const frame = new Uint8Array(buffer);
  const end = frame.indexOf(LINE_FEED);
  if (end < 0) return null;
  try {
    const header = JSON.parse(decoder.decode(frame.subarray(0, end)));
    if (typeof header !== 'object' || header === null) return null;
    const content = frame.subarray(end + 1);
    return { header, payload: header.text === true ? decoder.decode(content) : content };
  } catch {
    return null;
  }
}

/** @param {ArrayBuffer | ArrayBufferView} payload */
export function bytesOf(payload) {
  return payload instanceof ArrayBuffer
    ? new Uint8Array(payload)
    : new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
}
