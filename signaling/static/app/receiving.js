/**
 * What somebody has chosen to receive: sound only, so many pictures, so much a second. Pure.
 *
 * Which pictures are left out is chosen here and not left to the server, so that their tiles show it, and not the last
 * picture that came.
 */

/** @typedef {import('./tiles.js').TileState} TileState */
/** @typedef {import('./preferences.js').Preferences} Preferences */
/** @typedef {import('../client/types.js').Tile} Tile */
/** @typedef {Pick<Preferences, 'soundOnly' | 'mostPictures' | 'saverBps'>} Choice */

// A small picture hardly shows that half of a camera's frames are missing.
const SAVED_FRAME_RATE = 15;

/**
 * @param {TileState[]} states
 * @param {Choice} choice
 * @param {(state: TileState) => boolean} isStaged whether it is shown large
 * @param {string[]} recent identities, the last to speak first
 * @returns {TileState[]} the same, those that are left out without their pictures
 */
export function chosenPictures(states, { soundOnly, mostPictures }, isStaged, recent) {
  if (!soundOnly && !mostPictures) return states;
  const most = soundOnly ? 0 : mostPictures;
  const rank = (/** @type {TileState} */ state) => {
    if (isStaged(state)) return -2;
    if (state.source === 'screen') return -1;
    const spoke = recent.indexOf(state.identity);
    return spoke < 0 ? recent.length : spoke;
  };
  const pictures = states.filter(({ own, video }) => !own && video);
  const chosen = new Set(pictures.sort((one, other) => rank(one) - rank(other)).slice(0, most));
  const spared = soundOnly ? /** @type {const} */ ('sound_only') : /** @type {const} */ ('most_pictures');
  return states.map((state) => (state.own || !state.video || chosen.has(state) ? state : { ...state, video: null, spared }));
}

/**
 * @param {Tile[]} tiles in sight, those of pictures that are wanted
 * @param {Choice} choice
 * @returns {import('../client/types.js').Layout}
 */
export function boundedLayout(tiles, { soundOnly, mostPictures, saverBps }) {
  const slower = (/** @type {Tile} */ tile) => (saverBps && !tile.on_stage ? { ...tile, frame_rate: SAVED_FRAME_RATE } : tile);
  return {
    tiles: tiles.map(slower),
    ...(soundOnly ? { last_n: 0 } : mostPictures ? { last_n: mostPictures } : {}),
    ...(saverBps ? { max_bps: saverBps } : {}),
  };
}
