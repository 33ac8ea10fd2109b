/**
 * What of manifest.json the page uses; recorder/manifest.schema.json describes all of it.
 *
 * @typedef {{from_s: number, to_s: number, reason?: string}} Span
 * @typedef {{identity: string, name: string, consent: boolean | null, presence: Span[]}} Participant
 * @typedef {{id: string, participant: string, kind: string, source: string, gaps: Span[], mutes: Span[]}} Track
 * @typedef {{at_s: number, degrees: number, mirrored?: boolean}} Turn
 * @typedef {{
 *   path: string, participant: string, sources: string[], start_s: number, duration_s: number,
 *   width: number | null, has_sound: boolean, turns?: Turn[], container_degrees?: number,
 * }} File
 * @typedef {{at_s: number, participants: string[]}} Speakers
 * @typedef {{
 *   version: number, room: string, started_at: string, duration_s: number, complete: boolean,
 *   participants: Participant[], tracks: Track[], files: File[], speakers: Speakers[], pauses: Span[],
 * }} Manifest
 */

export {};
