/**
 * What a room tells its page, by the names of its events. Types only; nothing imports this file at run time.
 */

/** @typedef {import('./types.js').ConnectionState} ConnectionState */
/** @typedef {import('./local-track.js').LocalTrack} LocalTrack */
/** @typedef {import('./participants.js').LocalParticipant} LocalParticipant */
/** @typedef {import('./participants.js').Participant} Participant */
/** @typedef {import('./participants.js').RemoteTrack} RemoteTrack */
/** @typedef {import('./messages.js').Message & {participant: Participant | null}} RoomMessage */

/**
 * The details of a room's events, by name.
 * @typedef {object} RoomEvents
 * @property {{participant: Participant}} participantjoined
 * @property {{participant: Participant | LocalParticipant}} participantchanged its `state`, hand, attributes, `quality` or `consent` are others now
 * @property {{participant: Participant, reason: string}} participantleft after its tracks went
 * @property {{viewers: number}} viewerschanged
 * @property {{participant: Participant, track: RemoteTrack}} trackpublished
 * @property {{participant: Participant, track: RemoteTrack}} trackunpublished
 * @property {{participant: Participant, track: RemoteTrack, mediaTrack: MediaStreamTrack}} tracksubscribed
 * @property {{participant: Participant, track: RemoteTrack}} trackunsubscribed
 * @property {{participant: Participant | LocalParticipant, track: RemoteTrack | LocalTrack, muted: boolean}} muted
 * @property {{track: RemoteTrack, rid: string}} layerchanged
 * @property {{participant: Participant | LocalParticipant, speaking: boolean}} speaking
 * @property {{track: LocalTrack}} localtrackpublished
 * @property {{track: LocalTrack}} localtrackunpublished
 * @property {{track: LocalTrack}} localtrackreplaced its `mediaTrack` is another device now
 * @property {{track: LocalTrack}} localtrackended its device was taken away; the track is muted (a screen: unpublished)
 * @property {{track: LocalTrack | null, by: string}} mutedby a moderator has muted a track of ours, which stays so
 * @property {{source: import('./types.js').Source, by: string}} unmuterequested a moderator lets us unmute, and asks for it
 * @property {{track: LocalTrack, by: string}} trackstopped a moderator has unpublished a track of ours
 * @property {{}} grantschanged `grants` are others now, and what is not permitted any more has ended
 * @property {{}} roomchanged `moderation.state` is another
 * @property {{}} lobbychanged `moderation.waiting` are others
 * @property {{from: string}} moved we are in another room now, where our tracks go on
 * @property {RoomMessage} message somebody sent one; `participant` is null if we know nobody of this `identity` (any more)
 * @property {{code: string, reason: string, topic: string}} messagerefused one of ours was not delivered, or not to all
 * @property {{count: number}} messageslost so many reliable ones came faster than this connection takes them
 * @property {{inS: number}} tokenexpiring the session ends then, unless `refresh` is given another token
 * @property {{token: string}} tokenrefreshed we are here by this one now
 * @property {{state: ConnectionState}} connectionstate
 * @property {{code: string, reason: string}} closing the server is about to end the session
 * @property {{code: string, reason: string}} closed it ended; `left` when we did it
 */

export {};
