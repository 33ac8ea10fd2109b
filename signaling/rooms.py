"""Who is in which room and publishes what: rooms, rosters, and who is told of each change. Sans-IO.

    RoomTable ◄── Entering ◄── Moderation ◄── RoomDirectory       each an idea of its own, on the state of the first
    room_table.py  entering.py   moderation.py  here

Members are known by their session, a number; an identity is in a room at most once. A change is announced to everybody
else in the room, as the event of PROTOCOL.md that tells it. Who receives which track is each session's own decision.

Who may not publish is a viewer. The first few are listed like everybody; of more than that the others are told the
number only, or a room of hundreds would hear of nothing but who comes to watch.

A room comes into being when somebody with the `create` grant enters, and goes a while after the last one left. What
app backends are to hear of it, and what outlives the process, is put down as records (`poll_record`), in the same turn.
After a restart, rooms go on with who comes back in time; of the others, `left` is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, assert_never

from msgspec.structs import replace

from sfu import control
from signaling import events
from signaling.messages import (
    ParticipantChanged,
    ParticipantJoined,
    ParticipantQuality,
    QualityChanged,
    Speakers,
    TrackMuted,
    TrackPublished,
    TrackUnpublished,
)
from signaling.moderation import Moderation
from signaling.moderation_messages import RoomChanged
from signaling.names import public_name
from signaling.quality import quality_of
from signaling.records import (
    ROOM_EMPTY,
    Drop,
    Put,
    Stored,
    StoredBan,
    StoredDecision,
    StoredParticipant,
    StoredRecording,
    StoredRevocation,
    StoredRoom,
    StoredTokenRevocation,
)
from signaling.room import Room
from signaling.room_events import Change, LoudestChanged, MediaMoved
from signaling.room_settings import default_settings

NO_DETAILS: Final[Mapping[str, str]] = MappingProxyType({})


class RoomDirectory(Moderation):
    """Feed with its methods, then take from `poll`, `poll_record` and `poll_closed` until there is nothing."""

    def restore(self, kept: Iterable[Stored], now: float) -> None:
        """What was kept of the last process, before anything else. Whoever was in a room then is expected back."""
        rooms: dict[str, Room] = {}
        kept = list(kept)
        for value in kept:
            if isinstance(value, StoredRoom):
                settings = value.settings or default_settings(self._limits)
                room = Room(value.id, value.name, value.by, settings, value.version, value.room_seq)
                room.expected_until = now + self._limits.return_within_s
                room.empty_since, room.was_entered = now, value.by == "join"
                rooms[room.id] = self._rooms[room.name] = room
            elif isinstance(value, StoredBan):
                self._bans.setdefault(value.room, {})[value.identity] = value
        for value in kept:
            if isinstance(value, StoredDecision):
                if value.room in rooms:
                    rooms[value.room].recall(value)
                else:
                    self._records.append(Drop(StoredDecision, value.key))  # forgotten before its room ended
            elif isinstance(value, StoredParticipant):
                room = rooms[value.room]
                # Who comes back publishes anew.
                for track in value.tracks:
                    self._record(room, events.TrackUnpublished, participant=value.refer(), track=track)
                room.expected[value.identity] = replace(value, tracks=())
                room.hands = max(room.hands, value.hand)
                room.was_entered = True
                room.empty_since = None
                self._records.append(Put(room.expected[value.identity]))
        revocations = [value for value in kept if isinstance(value, StoredRevocation)]
        for value in sorted(revocations, key=lambda one: one.revoked_at):
            self._revocations[value.room, value.identity] = value
        tokens = [value for value in kept if isinstance(value, StoredTokenRevocation)]
        self._revoked_tokens = {one.token_id: one for one in sorted(tokens, key=lambda one: one.revoked_at)}

    def attend(self, session: int, *, away: bool) -> None:
        """Nothing happens if the session is in no room (any more)."""
        room = self._room_of.get(session)
        if room is not None and session in room.members:
            room.members[session].away = away
            if not away:
                self._tell_state(room, room.members[session])  # it may be more than was kept

    def change(self, session: int, change: Change) -> None:
        """A member says something of itself. Nothing happens if the session is in no room (any more)."""
        room = self._room_of.get(session)
        if room is None or session not in room.members:
            return
        member = room.members[session]
        if isinstance(change, TrackPublished) and not member.is_listed:
            member.is_listed = True  # may publish by now, and does
            self._announce_presence(room, member, ParticipantJoined(participant=member.describe()))
            self._announce_viewers(room, member)
        match change:
            case ParticipantChanged(state=state):
                member.state = state
            case TrackPublished(track=track):
                member.tracks[track.id] = track
                self._record_track(room, member, events.TrackPublished, track)
            case TrackUnpublished(track=name):
                track = member.tracks.pop(name)
                member.media.pop(name, None)
                self._record_track(room, member, events.TrackUnpublished, track)
            case MediaMoved(track=name, media=media):
                member.media[name] = media
            case TrackMuted(track=name, muted=muted):
                track = member.tracks[name] = replace(member.tracks[name], muted=muted)
                self._record_track(room, member, events.TrackMuted, track)
            case _:
                assert_never(change)
        if member.is_told_of:
            self._announce(room, session, change)

    def on_notice(self, notice: control.RoomNotice, now: float) -> float | None:
        """The Worker says who speaks, whose sound is worth forwarding, or how good the call is. Returns by when to call
        `on_timeout` for that: `next_timeout` would ask all rooms, at every word that somebody says."""
        match notice:
            case control.SpeakersChanged(room=name, recent=recent, speaking=speaking):
                self.on_speakers(name, Speakers(recent=tuple(recent), speaking=speaking))
            case control.LoudestChanged(room=name, tracks=tracks):
                self.on_loudest(name, LoudestChanged(frozenset(public_name(track) for track in tracks)))
            case control.QualityChanged(room=name, participants=participants):
                return self.on_quality(name, participants, now)
        return None

    def on_speakers(self, name: str, speakers: Speakers) -> None:
        """Everybody is told, also who speaks. Nothing happens if there is no such room (any more)."""
        room = self._rooms.get(name)
        if room is not None:
            room.speakers = speakers
            self._announce(room, None, speakers)

    def on_loudest(self, name: str, loudest: LoudestChanged) -> None:
        """Nothing happens if there is no such room (any more)."""
        room = self._rooms.get(name)
        if room is not None:
            room.loudest = loudest
            self._announce(room, None, loudest)

    def on_quality(self, name: str, participants: Iterable[control.ParticipantQuality], now: float) -> float | None:
        """Everybody is told, but of hidden people and viewers who are not listed only they themselves. What lasts is
        an event, later; returns when, at the earliest."""
        room = self._rooms.get(name)
        if room is None:
            return None
        qualities = {one.participant: one for one in participants}
        told: list[ParticipantQuality] = []
        alone: dict[int, ParticipantQuality] = {}  # by session
        for member in room.members.values():
            if member.identity in qualities:
                judged = qualities[member.identity]
                member.quality = quality_of(judged)
                room.qualities.on_quality(member.id, quality_of(judged, figures=True), now)
                one = ParticipantQuality(identity=member.identity, quality=member.quality)
                if member.is_told_of:
                    told.append(one)
                else:
                    alone[member.session] = one
        for session in (*room.members, *room.onlookers):
            heard = (*told, *((alone[session],) if session in alone else ()))
            if heard:
                self._tell(session, QualityChanged(participants=heard))
        return room.qualities.next_timeout(self._limits.quality_hold_s) if room.settings.quality_events else None

    def change_recording(
        self, event: type[events.RecordingEvent], recording: StoredRecording, details: Mapping[str, str] = NO_DETAILS
    ) -> None:
        """Begun, too. Everybody in the room is told whether one runs; the room may be no more. `details`: what the
        event says otherwise of the recording."""
        self._records.append(Put(recording))
        room = self._record_recording(event, recording, details)
        if room is None:
            return
        if event is events.RecordingStopped and recording.reason == ROOM_EMPTY:
            room.was_auto_recorded = False  # nobody meant to stop it, and who was still here cannot be recorded
            self._look_if_to_record(room)
        before = room.state()
        if recording.state in ("recording", "paused"):
            room.recordings[recording.id] = recording.state == "paused"
        else:
            room.recordings.pop(recording.id, None)
        if before != room.state():
            self._announce(room, None, RoomChanged(room=room.state()))

    def keep_recording(self, recording: StoredRecording) -> None:
        """Nobody needs to hear of it."""
        self._records.append(Put(recording))

    def drop_recording(self, recording: StoredRecording) -> None:
        """`reason`: why it is deleted."""
        self._records.append(Drop(StoredRecording, recording.id))
        self._record_recording(events.RecordingDeleted, recording, NO_DETAILS)

    def _record_recording(
        self, event: type[events.RecordingEvent], recording: StoredRecording, details: Mapping[str, str]
    ) -> Room | None:
        """Returns the room, if it is still."""
        plain = events.RecordingReference(
            id=recording.id,
            state=recording.state,
            reason=recording.reason,
            duration_s=recording.duration_s,
            files=len(recording.files),
        )
        reference = replace(plain, **details)
        room = self._rooms.get(recording.room)
        if room is None or room.id != recording.room_id:
            past = events.RoomReference(id=recording.room_id, name=recording.room)
            self._records.append(event(room=past, room_seq=0, recording=reference))
            return None
        self._record(room, event, recording=reference)
        return room

    def shut_down(self, now: float) -> None:
        """The server stops: everybody leaves and nobody is told. Rooms are kept, as they may go on soon."""
        for session in list(self._room_of):
            self.leave(session, "server_shutdown", now)
        self._deliveries.clear()

    def next_timeout(self) -> float | None:
        whens = [self._ends_at(room) for room in self._rooms.values()]
        whens += [room.expected_until for room in self._rooms.values() if room.expected]
        hold_s = self._limits.quality_hold_s
        whens += [one.qualities.next_timeout(hold_s) for one in self._rooms.values() if one.settings.quality_events]
        return min((when for when in whens if when is not None), default=None)

    def on_timeout(self, now: float) -> None:
        for room in list(self._rooms.values()):
            if room.expected and room.expected_until <= now:
                self._give_up(room, "server_restart", now)
            if room.settings.quality_events:
                self._record_qualities(room, now)
            ends_at = self._ends_at(room)
            if ends_at is not None and ends_at <= now:
                self._end_room(room, "empty")

    def _record_qualities(self, room: Room, now: float) -> None:
        members = {member.id: member for member in room.members.values()}
        while (one := room.qualities.poll(self._limits.quality_hold_s, now)) is not None:
            member = members[one.participant]
            self._record(
                room,
                events.ParticipantQualityChanged,
                participant=member.refer(),
                quality=one.quality,
                previous=one.previous,
            )
            self._save(room, member)

    def _ends_at(self, room: Room) -> float | None:
        if room.empty_since is None:
            return None
        # Moved people are under way.
        since = max(room.empty_since, *room.seats.values()) if room.seats else room.empty_since
        settings = room.settings
        # A room made by the app that is to wait for ever does so also between its calls.
        if room.by == "api" and settings.empty_timeout_s is None:
            return None
        patience = settings.departure_timeout_s if room.was_entered else settings.empty_timeout_s
        return None if patience is None else since + patience
