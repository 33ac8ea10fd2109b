/**
 * Which tiles are shown large: what somebody pinned, else shared screens and whom a moderator brought on stage, else (in
 * speaker view) who has the floor.
 *
 * Pure. The server decides who has the floor, with the hysteresis that it takes; so whoever it names is shown at once.
 */

/** @typedef {{key: string, identity: string, source: 'camera' | 'screen', own: boolean, onStage?: boolean}} Candidate a tile */

/**
 * @param {Candidate[]} tiles in their order
 * @param {object} wishes
 * @param {string | null} wishes.pinned key of a tile
 * @param {boolean} wishes.speakerView
 * @param {string[]} wishes.recent identities of who had the floor, the last first
 * @param {string[]} before keys of the tiles on the stage until now
 * @returns {string[]} keys of the tiles on the stage from now on
 */
export function onStage(tiles, { pinned, speakerView, recent }, before) {
  const pinnedTile = tiles.find(({ key }) => key === pinned);
  if (pinnedTile) return [pinnedTile.key];
  // One's own shared screen on the stage would show itself showing itself.
  const others = tiles.filter(({ own }) => !own);
  const screens = others.filter(({ source, onStage = false }) => source === 'screen' || onStage);
  if (screens.length || !speakerView) return screens.map(({ key }) => key);
  const speakers = recent.map((identity) => others.find((tile) => tile.identity === identity));
  // Nobody has said anything yet, or who did has left: whoever is there stays, rather than an empty stage.
  const chosen = speakers.find(Boolean) ?? others.find(({ key }) => before.includes(key)) ?? others[0];
  return chosen ? [chosen.key] : [];
}
