/**
 * Shapes that travel: the messages of `signaling/PROTOCOL.md`, and the options and results of this library.
 * Types only; nothing imports this file at run time.
 */

/** @typedef {'audio' | 'video'} Kind */
/** @typedef {'camera' | 'microphone' | 'screen' | 'screen_audio'} Source */
/** @typedef {'VP8' | 'H264' | 'VP9' | 'AV1'} VideoCodec */

/**
 * A published track as the server describes it. `rids` go from lowest to highest quality; empty: one layer.
 * @typedef {{id: string, kind: Kind, source: Source, muted: boolean, rids: string[]}} TrackDescription
 */

/**
 * How good the call is for somebody: see PROTOCOL.md. The last three are of ourselves only, in an explanation.
 * @typedef {{level: 'good' | 'fair' | 'poor' | 'lost', cause: string, score?: number, direction?: 'up' | 'down',
 *   up?: number, down?: number, rtt_s?: number}} Quality
 */

/**
 * @typedef {object} ParticipantDescription
 * @property {string} identity
 * @property {string} name
 * @property {'connected' | 'reconnecting'} state
 * @property {TrackDescription[]} tracks
 * @property {boolean} [moderator] may administer the room
 * @property {number} [hand] 0: not raised; else hands were raised in the order of these numbers
 * @property {boolean} [on_stage]
 * @property {string} [metadata]
 * @property {Record<string, string>} [attributes]
 * @property {Quality | null} [quality] null or absent: nothing is sent or received
 * @property {boolean} [consent] to being recorded; missing: has not said
 */

/**
 * @typedef {{create: boolean, publish: boolean, sources: Source[] | null, subscribe: boolean, message: boolean,
 *   administer: boolean, record: boolean, hidden: boolean, update_own_metadata: boolean}} Grants
 */

/**
 * @typedef {{locked: boolean, lobby: boolean, end_to_end_encrypted: boolean, max_participants: number, metadata: string,
 *   recording: boolean, recording_paused: boolean, recording_consent: boolean, version: number}} RoomState
 */

/** @typedef {{token: string, within_s: number}} ResumeTicket */
/**
 * @typedef {{room: string, you: ParticipantDescription, grants: Grants, participants: ParticipantDescription[],
 *   state: RoomState, viewers?: number, ice_servers?: RTCIceServer[], resume: ResumeTicket}} Joined
 */
/**
 * @typedef {{you: ParticipantDescription, grants: Grants, participants: ParticipantDescription[], state: RoomState,
 *   viewers?: number, handled: number, resume: ResumeTicket}} Resynced
 */
/** @typedef {{mid: string | null, source: Source, muted: boolean, width?: number, height?: number, track?: string}} TrackToPublish */
/** @typedef {{sdp: string, tracks: {mid: string, track: string}[]}} Published */
/** @typedef {{mid: string, kind: Kind, source: Source, track: string, participant: string, rid?: string, timestamp?: number}} SlotDescription */
/** @typedef {{type: 'slots_changed', slots?: SlotDescription[], freed?: string[]}} SlotsChanged */
/** @typedef {{type: 'offer', offer: number, sdp: string, slots: SlotDescription[]}} Offer */
/** @typedef {'connecting' | 'connected' | 'reconnecting' | 'gone'} TransportState */

/**
 * What the server says unasked.
 * @typedef {Offer
 *   | SlotsChanged
 *   | {type: 'roster_changed', events: ServerEvent[]}
 *   | {type: 'viewers_changed', count: number}
 *   | {type: 'quality_changed', participants: {identity: string, quality: Quality | null}[]}
 *   | {type: 'participant_joined', participant: ParticipantDescription}
 *   | {type: 'participant_changed', identity: string, state: 'connected' | 'reconnecting'}
 *   | {type: 'participant_left', identity: string, reason: string}
 *   | {type: 'track_published', identity: string, track: TrackDescription}
 *   | {type: 'track_unpublished', identity: string, track: string}
 *   | {type: 'track_muted', identity: string, track: string, muted: boolean}
 *   | {type: 'layer_changed', track: string, rid: string}
 *   | {type: 'speakers', recent: string[], speaking: boolean}
 *   | {type: 'set_encodings', track: string, rids: string[]}
 *   | {type: 'transport_changed', connection: 'publish' | 'subscribe', state: TransportState}
 *   | {type: 'token_expiring', in_s: number}
 *   | {type: 'reset', connections: ('publish' | 'subscribe')[]}
 *   | {type: 'in_lobby', room: string}
 *   | {type: 'lobby', waiting: {identity: string, name: string}[]}
 *   | {type: 'room_changed', room: RoomState}
 *   | {type: 'hand_changed', identity: string, hand: number}
 *   | {type: 'stage_changed', identity: string, on_stage: boolean}
 *   | {type: 'attributes_changed', identity: string, metadata: string, attributes: Record<string, string>}
 *   | {type: 'consent_changed', identity: string, given: boolean}
 *   | {type: 'muted_by', track: string, by: string}
 *   | {type: 'unmute_requested', source: Source, by: string}
 *   | {type: 'track_stopped', track: string, by: string}
 *   | {type: 'grants_changed', grants: Grants}
 *   | {type: 'moved', room: string, token: string}
 *   | {type: 'closing', code: string, reason: string}} ServerEvent
 */

/**
 * What we show of one track of video, in pixels of the screen.
 * @typedef {{track: string, width: number, height: number, frame_rate?: number, on_stage?: boolean, selected?: boolean}} Tile
 */

/** @typedef {{tiles?: Tile[] | null, last_n?: number | null, max_bps?: number | null}} Layout */

/**
 * Why a track looks as it does: see PROTOCOL.md. Rids are null where nothing is sent.
 * @typedef {{track: string, reason: string, since_s: number | null, rid: string | null, wanted_rid: string | null,
 *   ideal_rid: string | null, bitrate_bps: number, missing_bps: number, tile_pixels: number | null, score?: number,
 *   cause?: string, loss?: number,
 *   frames?: {decoded: number, dropped: number, freezes: number, frozen_s: number} | null}} TrackExplanation
 */

/**
 * What we send of a track of video. `rids`: the layers that somebody shows, null: all; `paused`: there are layers, and
 * nobody shows any. `limitedBy`: what the browser says keeps it from sending more: `none`, `cpu`, `bandwidth`, …
 * @typedef {{rids: string[] | null, paused: boolean, limitedBy: string}} Sending
 */

/** @typedef {{budget_bps: number, estimate_bps: number | null, tracks: TrackExplanation[], quality?: Quality}} Explanation */

/**
 * @typedef {object} JoinOptions
 * @property {boolean} [autoSubscribe] receive everybody's tracks, now and later (default true)
 * @property {boolean | 'websocket'} [messages] open the channels of messages, which connects even if nothing is published
 *   (default true); `websocket`: have messages over the WebSocket alone
 * @property {number} [patienceS] how long to try to come back when the connection is lost, in seconds (default 120)
 * @property {() => void} [onLobby] we wait in the lobby, until somebody admits or denies us
 * @property {AbortSignal} [signal] gives up joining
 * @property {(present: string) => Promise<string>} [freshToken] asks your backend for another token, as the present one is
 *   about to expire; asked again when it fails. Without it the room says `tokenexpiring`, and `room.refresh` is up to you
 * @property {string} [server] origin of the server, `https://…`; default: where the page came from
 */

/**
 * @typedef {object} MessageOptions
 * @property {string} [topic] what it is about, at most 64 characters (default '')
 * @property {Iterable<string>} [to] identities; default: everybody else
 * @property {boolean} [reliable] every one arrives, in order (default true); false: at once or never
 */

/**
 * @typedef {object} CameraOptions
 * @property {MediaStreamTrack} [track] an open camera (from a preview, say); default: opened here
 * @property {string} [deviceId]
 * @property {number} [width] wished capture size, in pixels (default 1280)
 * @property {number} [height] (default 720)
 * @property {number} [frameRate] (default 30)
 * @property {'user' | 'environment'} [facingMode]
 * @property {boolean | number} [simulcast] how many layers, 1 to 3; default: as many as the capture size is worth
 * @property {VideoCodec} [codec] preferred codec (default VP8)
 * @property {string} [scalabilityMode] temporal and spatial layers of each encoding, as `L3T3_KEY` (default: the codec's)
 */

/**
 * @typedef {object} MicrophoneOptions
 * @property {MediaStreamTrack} [track] an open microphone; default: opened here
 * @property {string} [deviceId]
 * @property {boolean} [muted] publish it muted
 */

/**
 * @typedef {object} ScreenOptions
 * @property {boolean} [audio] share the sound too, where the browser and the person allow it (default true)
 * @property {VideoCodec} [codec]
 */

/**
 * @typedef {object} PublishOptions
 * @property {Source} source
 * @property {boolean | number} [simulcast]
 * @property {VideoCodec} [codec]
 * @property {string} [scalabilityMode]
 * @property {boolean} [muted]
 * @property {(deviceId: string) => Promise<MediaStreamTrack>} [open] opens a device for this track again, '' being the
 *   system's choice. A camera with it is released while muted; a track without it is only silenced or blackened
 * @property {string} [deviceId] what `track` was opened with
 */

/** @typedef {PublishOptions & {track: MediaStreamTrack}} PublishWish */

/** @typedef {'connecting' | 'connected' | 'reconnecting' | 'closed'} ConnectionState */

/**
 * One layer of a track we send, or the one layer of a track we receive. Absent values are not known (yet).
 * @typedef {object} LayerStatistics
 * @property {string} rid
 * @property {number} bitrateBps since the last call
 * @property {number} packets
 * @property {number} packetsLost
 * @property {number} [width]
 * @property {number} [height]
 * @property {number} [framesPerSecond]
 * @property {number} [framesEncoded]
 * @property {number} [framesReceived] whole
 * @property {number} [framesDecoded]
 * @property {number} [framesDropped]
 * @property {number} [freezes]
 * @property {number} [freezesS]
 * @property {number} [decodeS] spent on decoding
 * @property {number} [jitterBufferS] mean time that a frame or sample waits
 * @property {number} [audioEnergy] only grows; stands still in silence
 * @property {string} [codec]
 * @property {string} [limitedBy] why we do not send better: `cpu`, `bandwidth`, …
 * @property {number} [roundTripS]
 */

/**
 * @typedef {object} TrackStatistics
 * @property {'send' | 'receive'} direction
 * @property {string} track
 * @property {string} participant
 * @property {Source} source
 * @property {Kind} kind
 * @property {LayerStatistics[]} layers
 */

/**
 * @typedef {object} ConnectionStatistics
 * @property {string} state
 * @property {number} [roundTripS]
 * @property {number} [availableBps] what the browser thinks it can send
 */

/** @typedef {{publish: ConnectionStatistics, subscribe: ConnectionStatistics, tracks: TrackStatistics[]}} RoomStatistics */

export {};
