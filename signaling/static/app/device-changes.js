/** What a `devicechange` means: which devices are new, which are gone, and which new ones belong together. Pure. */

/** @typedef {'camera' | 'microphone' | 'speaker'} Device */
/** @typedef {{kind: string, deviceId: string, groupId: string, label: string}} Listed */
/** @typedef {{label: string, ids: Partial<Record<Device, string>>}} Offer one thing that was plugged in */

/** @type {Record<string, Device>} */
const DEVICES = { videoinput: 'camera', audioinput: 'microphone', audiooutput: 'speaker' };
// Chromium lists the system's choices a second time under these names.
const ALIASES = ['default', 'communications'];

/**
 * Both lists as `enumerateDevices` gave them. Without labels (no permission yet) nothing can be said.
 * @param {Listed[]} before
 * @param {Listed[]} after
 * @returns {{found: Offer[], gone: string[]}} `gone`: device ids
 */
export function deviceChanges(before, after) {
  const known = before.filter(isDevice);
  const present = after.filter(isDevice);
  if (known.length === 0) return { found: [], gone: [] };
  const isIn = (/** @type {Listed[]} */ list, /** @type {Listed} */ one) =>
    list.some(({ kind, deviceId }) => kind === one.kind && deviceId === one.deviceId);
  /** @type {Map<string, Offer>} */
  const found = new Map();
  for (const device of present.filter((one) => !isIn(known, one))) {
    // A headset is a microphone and a speaker of one group; its names differ at most in brackets.
    const key = device.groupId || device.deviceId;
    const offer = found.get(key) ?? { label: device.label, ids: {} };
    const kind = DEVICES[device.kind];
    if (kind) offer.ids[kind] ??= device.deviceId;
    found.set(key, offer);
  }
  return { found: [...found.values()], gone: known.filter((one) => !isIn(present, one)).map(({ deviceId }) => deviceId) };
}

/**
 * What one would use it for, in words.
 * @param {Offer} offer
 */
export function offerWords({ label, ids }) {
  const uses = Object.values(DEVICES).filter((device) => ids[device]);
  return `“${label}” was plugged in. Use it as ${uses.join(' and ')}?`;
}

/** @param {Listed} device */
function isDevice({ kind, deviceId, label }) {
  return kind in DEVICES && deviceId !== '' && label !== '' && !ALIASES.includes(deviceId);
}
