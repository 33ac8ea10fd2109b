/** What happened when, out of a manifest: pure functions. */

/** @typedef {import('./types.js').Manifest} Manifest */
/** @typedef {import('./types.js').Span} Span */
/** @typedef {import('./types.js').File} File */

/** Pauses in speech that are shorter do not end a stretch of it. */
const BREATH_S = 1.5;
const MOST_STRETCHES = 400;
/** Files have milliseconds, and each begins at one. */
const SAME_S = 0.002;

/**
 * @param {number} seconds
 * @returns {string} like 4:05 or 1:04:05
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/**
 * Stretches in which somebody spoke, by identity. Short pauses are closed; of very many the longest are kept.
 *
 * @param {Manifest} manifest
 * @returns {Map<string, Span[]>}
 */
export function stretches(manifest) {
  /** @type {Map<string, Span[]>} */
  const found = new Map(manifest.participants.map((one) => [one.identity, []]));
  manifest.speakers.forEach(({ at_s, participants }, index) => {
    const to_s = manifest.speakers[index + 1]?.at_s ?? manifest.duration_s;
    for (const identity of participants) {
      const spans = found.get(identity);
      if (!spans || to_s <= at_s) continue;
      const last = spans.at(-1);
      if (last && at_s - last.to_s <= BREATH_S) last.to_s = to_s;
      else spans.push({ from_s: at_s, to_s });
    }
  });
  for (const [identity, spans] of found) {
    if (spans.length > MOST_STRETCHES) {
      const longest = [...spans].sort((one, other) => other.to_s - other.from_s - (one.to_s - one.from_s));
      const kept = new Set(longest.slice(0, MOST_STRETCHES));
      found.set(identity, spans.filter((span) => kept.has(span)));
    }
  }
  return found;
}

/**
 * @param {Span[]} spans
 * @param {number} at_s
 */
export function within(spans, at_s) {
  return spans.some((span) => span.from_s <= at_s && at_s < span.to_s);
}

/**
 * @param {Manifest} manifest
 * @param {number} at_s
 * @returns {string[]} who speaks then, the dominant one first
 */
export function speakersAt(manifest, at_s) {
  let speaking = /** @type {string[]} */ ([]);
  for (const change of manifest.speakers) {
    if (change.at_s > at_s) break;
    speaking = change.participants;
  }
  return speaking;
}

/**
 * What is worth jumping to, in order.
 *
 * @param {Manifest} manifest
 * @returns {{at_s: number, text: string}[]}
 */
export function moments(manifest) {
  const names = new Map(manifest.participants.map((one) => [one.identity, one.name]));
  const found = [];
  for (const { name, presence } of manifest.participants) {
    for (const { from_s, to_s } of presence) {
      found.push({ at_s: from_s, text: `${name} joined` });
      if (to_s < manifest.duration_s - 0.5) found.push({ at_s: to_s, text: `${name} left` });
    }
  }
  for (const track of manifest.tracks) {
    const name = names.get(track.participant) ?? track.participant;
    for (const { from_s, to_s, reason } of track.gaps) {
      if (to_s - from_s >= 1) found.push({ at_s: from_s, text: `${name}: ${track.source} missing (${reason})` });
    }
    for (const { from_s } of track.mutes) found.push({ at_s: from_s, text: `${name}: ${track.source} muted` });
  }
  for (const { from_s, to_s } of manifest.pauses) {
    found.push({ at_s: from_s, text: `recording paused for ${clock(to_s - from_s)}` });
  }
  return found.sort((one, other) => one.at_s - other.at_s);
}

/**
 * How much a picture is still to be turned when its player has turned it as the file itself says.
 *
 * @param {File} file
 * @param {number} at_s  of the session
 * @returns {{degrees: number, mirrored: boolean}} to be mirrored (left to right), then turned clockwise
 */
export function turnAt(file, at_s) {
  const { degrees, mirrored } = file.turns?.filter((turn) => turn.at_s <= at_s + SAME_S).at(-1) ?? { degrees: 0 };
  const by_player = file.container_degrees ?? 0;
  // Mirrored first: what was turned before turns the other way round.
  const left = mirrored ? degrees + by_player : degrees - by_player;
  return { degrees: (left + 360) % 360, mirrored: mirrored ?? false };
}
