/**
 * How a video is encoded: how many simulcast layers, how small and at which rates. Pure.
 *
 * `f` is always the full size, `h` half and `q` a quarter of each side; rids are listed from low to high, because
 * browsers stop the last ones first when the uplink is short.
 */

/** @typedef {import('./types.js').Source} Source */
/** @typedef {import('./types.js').VideoCodec} VideoCodec */

const RIDS = ['q', 'h', 'f'];

// libwebrtc sends at most so many layers of a picture of this many pixels, and drops the *highest* ones beyond: three
// rids at 640x360 end at 320x180. (Chromium 156, measured. Its field trial `WebRTC-LegacySimulcastLayerLimit/Disabled/`
// lifts the limit; tests use that.) So we never ask for more than it sends.
const LAYERS_FROM_PIXELS = /** @type {const} */ ([
  [960 * 540, 3],
  [480 * 270, 2],
  [0, 1],
]);

// 1.7 Mbit/s at 720p is what video-call encoders spend on a lively head and shoulders; small pictures need more bits
// per pixel. The exponent makes it 500 kbit/s at 640x360 and 150 kbit/s at 320x180.
const REFERENCE_PIXELS = 1280 * 720;
const REFERENCE_BPS = 1_700_000;
const RATE_EXPONENT = 0.875;
const LOWEST_BPS = 60_000;
// Text needs sharp edges, and moves seldom: bits for quality, few frames. The copy of half the size is for paths on which
// the other would be nothing as soon as somebody scrolls: small text is hard to read there, and headings are not.
const SCREEN_BPS = 2_500_000;
const SCREEN_COPY_BPS = 500_000;
const SCREEN_COPY_FROM_PIXELS = 960 * 540;
const SCREEN_FRAME_RATE = 15;
const SCREEN_AUDIO_BPS = 128_000;
// Without it, VP9 and AV1 send only the first of several encodings (Chromium 156): they take them for spatial layers.
const LAYERED_CODECS = /** @type {VideoCodec[]} */ (['VP9', 'AV1']);
const ONE_SIZE_THREE_RATES = 'L1T3';
const ASSUMED_SIZE = { width: 1280, height: 720 };

/**
 * `sendEncodings` for one track, lowest quality first.
 * @param {Source} source
 * @param {{width?: number, height?: number}} size of the capture; assumed 720p where the browser does not say
 * @param {boolean | number} [simulcast] true or absent: as many layers as the size is worth; false: one
 * @param {VideoCodec} [codec]
 * @param {string} [scalabilityMode] of each layer; default: what the codec needs
 * @returns {RTCRtpEncodingParameters[]}
 */
export function encodingsFor(source, size, simulcast = true, codec = 'VP8', scalabilityMode = undefined) {
  if (source === 'microphone') return [{}];
  if (source === 'screen_audio') return [{ maxBitrate: SCREEN_AUDIO_BPS }];
  const pixels = (size.width ?? ASSUMED_SIZE.width) * (size.height ?? ASSUMED_SIZE.height);
  if (source === 'screen') return screenEncodings(pixels, simulcast, scalabilityMode);
  const count = layerCount(pixels, simulcast);
  const mode = scalabilityMode ?? (count > 1 && LAYERED_CODECS.includes(codec) ? ONE_SIZE_THREE_RATES : undefined);
  const scalability = mode ? { scalabilityMode: mode } : {};
  if (count === 1) return [{ maxBitrate: maxBitrate(pixels), ...scalability }];
  return RIDS.slice(-count).map((rid, index) => {
    const scale = 2 ** (count - 1 - index);
    return { rid, scaleResolutionDownBy: scale, maxBitrate: maxBitrate(pixels / scale ** 2), ...scalability };
  });
}

/**
 * Temporal layers in any codec: who can be sent the large copy with few of its frames still reads it.
 * @param {number} pixels
 * @param {boolean | number} simulcast
 * @param {string} [scalabilityMode]
 * @returns {RTCRtpEncodingParameters[]}
 */
function screenEncodings(pixels, simulcast, scalabilityMode = ONE_SIZE_THREE_RATES) {
  const common = { maxFramerate: SCREEN_FRAME_RATE, scalabilityMode };
  const isOne = simulcast === false || (typeof simulcast === 'number' && simulcast < 2);
  if (isOne || pixels < SCREEN_COPY_FROM_PIXELS) return [{ maxBitrate: SCREEN_BPS, ...common }];
  return [
    { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: SCREEN_COPY_BPS, ...common },
    { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: SCREEN_BPS, ...common },
  ];
}

/**
 * The codecs in the order to offer them: the preferred one first, the others after it as the browser has them.
 * @template {{mimeType: string}} Codec
 * @param {Codec[]} codecs
 * @param {VideoCodec} preferred
 * @returns {Codec[]}
 */
export function preferCodec(codecs, preferred) {
  const isPreferred = (/** @type {Codec} */ codec) => codec.mimeType.toLowerCase() === `video/${preferred.toLowerCase()}`;
  return [...codecs.filter(isPreferred), ...codecs.filter((codec) => !isPreferred(codec))];
}

/**
 * @param {number} pixels
 * @param {boolean | number} simulcast
 */
function layerCount(pixels, simulcast) {
  if (simulcast === false) return 1;
  if (typeof simulcast === 'number') return Math.min(Math.max(Math.trunc(simulcast), 1), RIDS.length);
  return LAYERS_FROM_PIXELS.find(([from]) => pixels >= from)?.[1] ?? 1;
}

/** @param {number} pixels */
function maxBitrate(pixels) {
  return Math.round(Math.max(REFERENCE_BPS * (pixels / REFERENCE_PIXELS) ** RATE_EXPONENT, LOWEST_BPS));
}
