/** Which tiles a room has, and what each of them shows. Pure: the room as it stands, read anew each time. */

/** @typedef {import('./tiles.js').TileState} TileState */
/** @typedef {import('../client/client.js').Room} Room */
/** @typedef {import('../client/client.js').Participant} Participant */

/** @param {TileState} state */
export function tileKey({ identity, source }) {
  return `${identity} ${source}`;
}

/**
 * @param {Room} room
 * @returns {TileState[]}
 */
export function tileStates(room) {
  const { you } = room;
  const camera = you.track('camera');
  const screen = you.track('screen');
  const { hand, onStage } = you;
  const own = { identity: you.identity, own: true, voice: null, hand: hand > 0, onStage, state: /** @type {const} */ ('connected') };
  /** @type {TileState[]} */
  const states = [
    {
      ...own,
      name: `${you.name} (you)`,
      source: 'camera',
      ...picture(camera),
      microphone: microphoneOf(you.track('microphone')),
      speaking: you.speaking,
      quality: you.quality,
    },
  ];
  if (screen) {
    const name = you.track('screen_audio') ? 'Your screen, with sound' : 'Your screen';
    states.push({ ...own, name, source: 'screen', ...picture(screen), microphone: 'none', speaking: false, quality: null });
  }
  for (const participant of room.participants.values()) states.push(...tilesOf(participant));
  return states;
}

/**
 * @param {Participant} participant
 * @returns {TileState[]}
 */
function tilesOf(participant) {
  const { identity, name, state, speaking, hand, onStage, quality } = participant;
  const voice = participant.track('microphone');
  const microphone = microphoneOf(voice);
  const screen = participant.track('screen');
  const other = { identity, own: false, state, voice: null, hand: hand > 0, onStage };
  /** @type {TileState[]} */
  const states = [
    { ...other, name, source: 'camera', ...picture(participant.track('camera')), voice: voice?.id ?? null, microphone, speaking, quality },
  ];
  if (screen) {
    const title = `${name}’s screen`;
    states.push({ ...other, name: title, source: 'screen', ...picture(screen), microphone: 'none', speaking: false, quality: null });
  }
  return states;
}

/** @param {{id: string, muted: boolean, mediaTrack: MediaStreamTrack | null} | null} track */
function picture(track) {
  const video = track && !track.muted ? track.mediaTrack : null;
  return { track: track?.id ?? null, video, videoKey: `${track?.id} ${video?.id}` };
}

/**
 * @param {{muted: boolean} | null} track
 * @returns {'on' | 'off'}
 */
function microphoneOf(track) {
  return track && !track.muted ? 'on' : 'off';
}
