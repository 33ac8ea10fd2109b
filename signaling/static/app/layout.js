/** How large tiles are. Pure arithmetic on pixels. */

/** @typedef {{tileWidth: number, tileHeight: number}} TileSize */

const PICTURE_RATIO = 16 / 9;
// Tiles are as tall as the tallest picture needs (pictures are never cropped), within this: on upright boards (phones) an
// upright picture gets its room; elsewhere it would make everybody small, and gets borders instead.
const TALLEST_RATIO_UPRIGHT = 3 / 4;
const TALLEST_RATIO = 4 / 3;
// Below this nobody is recognised: rather scroll.
const NARROWEST = 150;

/**
 * Tiles of one size for `count` people, as large as the pictures in them can be.
 * @param {number} count
 * @param {number} width of the board
 * @param {number} height
 * @param {number} gap
 * @param {number[]} [ratios] width by height of each picture that there is
 * @returns {TileSize}
 */
export function gridLayout(count, width, height, gap, ratios = []) {
  const mostColumns = Math.max(1, Math.min(count, Math.floor((width + gap) / (NARROWEST + gap))));
  const limit = width < height ? TALLEST_RATIO_UPRIGHT : TALLEST_RATIO;
  const tallestRatio = Math.max(limit, Math.min(PICTURE_RATIO, ...ratios));
  let best = { tileWidth: 0, tileHeight: 0, picture: 0 };
  for (let columns = 1; columns <= mostColumns; columns++) {
    const rows = Math.ceil(count / columns);
    const tile = fit((width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows, tallestRatio);
    const picture = Math.min(tile.tileWidth, tile.tileHeight * PICTURE_RATIO);
    if (picture > best.picture) best = { ...tile, picture };
  }
  if (best.picture >= Math.min(NARROWEST, width)) return { tileWidth: best.tileWidth, tileHeight: best.tileHeight };
  const scrolled = (width - gap * (mostColumns - 1)) / mostColumns;
  return { tileWidth: downToHundredth(scrolled), tileHeight: downToHundredth(scrolled / PICTURE_RATIO) };
}

/**
 * Shared screens, as large as they can be; never taller than screens are.
 * @param {number} count
 * @param {number} width of the stage
 * @param {number} height
 * @param {number} gap
 * @param {number[]} [ratios]
 * @returns {TileSize}
 */
export function stageLayout(count, width, height, gap, ratios) {
  const { tileWidth, tileHeight } = gridLayout(count, width, height, gap, ratios);
  return { tileWidth, tileHeight: Math.min(tileHeight, downToHundredth(tileWidth / TALLEST_RATIO)) };
}

/**
 * Tiles in one row or one column beside a shared screen.
 * @param {number} width of the strip
 * @param {number} height
 * @param {boolean} across a row
 * @returns {TileSize}
 */
export function stripLayout(width, height, across) {
  const tileWidth = downToHundredth(across ? height * PICTURE_RATIO : width);
  return { tileWidth, tileHeight: downToHundredth(tileWidth / PICTURE_RATIO) };
}

/**
 * @param {number} width of the cell
 * @param {number} height
 * @param {number} tallestRatio
 */
function fit(width, height, tallestRatio) {
  return {
    tileWidth: downToHundredth(Math.max(Math.min(width, height * PICTURE_RATIO), 0)),
    tileHeight: downToHundredth(Math.max(Math.min(height, width / tallestRatio), 0)),
  };
}

/**
 * Sizes need not be whole: a tile that is half a pixel too low or too narrow shows a dark line beside its picture.
 * @param {number} pixels
 */
function downToHundredth(pixels) {
  return Math.floor(pixels * 100) / 100;
}
