"""All rooms, by name: how they are made, set and deleted, what of them is told and recorded. Sans-IO.

The state under the directory (`rooms.py`), with what all the parts of that need of it. A room comes into being when
somebody with the `create` grant enters, or by `create_room`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, TypeVar

from msgspec.structs import asdict

from signaling import events
from signaling.auth import Grant
from signaling.errors import Refused
from signaling.limits import RoomLimits
from signaling.message_values import Grants, LeaveReason, Participant, TrackDescription
from signaling.messages import ParticipantJoined, ParticipantLeft, ViewersChanged
from signaling.moderation_messages import Lobby, RoomChanged, Waiting
from signaling.recordings.options import RecordingOptions
from signaling.records import Drop, Put, Record, StoredDecision, StoredParticipant, StoredRoom
from signaling.room import Member, Room, remember
from signaling.room_events import Delivery, Evicted, Observed, Post, SingleEvent
from signaling.room_settings import RoomChanges, RoomSettings, changed, default_settings

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class RoomView:
    """A room as app backends see it. `version` grows with each change of the settings."""

    id: str
    name: str
    version: int
    settings: RoomSettings
    participants: int
    tracks: int
    waiting: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class ToRecord:
    """By itself: because the room is set so, or by the token of somebody who is in it."""

    room: str
    by: Literal["room", "token"]
    options: RecordingOptions


@dataclass(frozen=True, slots=True)
class ParticipantView:
    """A participant as app backends see it. `version` grows with each change but those of tracks and state."""

    id: str
    version: int
    participant: Participant
    grants: Grants
    held: tuple[str, ...]  # sources that are kept muted


def _counting() -> Callable[[str], str]:
    numbers = count(1)
    return lambda prefix: f"{prefix}_{next(numbers)}"


class RoomTable:
    """`new_id` makes of `RM` an id like `RM_…` that is never used twice; by default they count up.
    `clock_offset_s`: Unix time less `now`."""

    def __init__(
        self, limits: RoomLimits, new_id: Callable[[str], str] | None = None, clock_offset_s: float = 0.0
    ) -> None:
        self._limits = limits
        self._new_id = new_id or _counting()
        self._clock_offset_s = clock_offset_s
        self._rooms: dict[str, Room] = {}
        self._room_of: dict[int, Room] = {}  # by session, of members and of who waits
        self._deliveries: deque[Delivery] = deque()
        self._records: deque[Record] = deque()
        self._posts: deque[Post] = deque()
        self._to_record: dict[str, None] = {}  # names of rooms, in order
        self._closed: deque[str] = deque()  # names of rooms that are no more
        self.draining = ""  # why no new rooms are taken; empty: they are

    @property
    def room_count(self) -> int:
        return len(self._rooms)

    @property
    def participant_count(self) -> int:
        return sum(len(room.members) for room in self._rooms.values())

    def poll(self) -> Delivery | None:
        return self._deliveries.popleft() if self._deliveries else None

    def poll_record(self) -> Record | None:
        """To be taken at the end of each turn, all of them into one transaction."""
        return self._records.popleft() if self._records else None

    def poll_post(self) -> Post | None:
        """A message for the Worker that has the room."""
        return self._posts.popleft() if self._posts else None

    def poll_to_record(self) -> ToRecord | None:
        """A room that is to be recorded now, by who is in it now: who made it so may have left meanwhile."""
        while self._to_record:
            name = next(iter(self._to_record))
            del self._to_record[name]
            room = self._rooms.get(name)
            if room is not None:
                found = _to_record(room)
                room.was_auto_recorded = found is not None
                if found is not None:
                    return found
        return None

    def poll_closed(self) -> str | None:
        """The name of a room that is no more."""
        return self._closed.popleft() if self._closed else None

    # --- rooms ---

    def create_room(self, name: str, changes: RoomChanges, now: float) -> RoomView:
        """Raises Refused: `room_exists`, `limit` or `out_of_range`."""
        if name in self._rooms:
            raise Refused("room_exists", f"there is a room {name} already")
        settings = changed(default_settings(self._limits), changes, self._limits)
        room = self._create(name, "api", settings)
        room.empty_since = now
        return self._view(room)

    def update_room(self, name: str, changes: RoomChanges, now: float, *, version: int | None = None) -> RoomView:
        """`version`: as it has to be still. Raises Refused: `room_not_found`, `version_mismatch` or `out_of_range`."""
        room = self._named(name)
        if version not in (None, room.version):
            raise Refused("version_mismatch", f"the room is at version {room.version}, not {version}")
        settings = changed(room.settings, changes, self._limits)
        if settings != room.settings:
            before, room.settings = room.settings, settings
            room.version += 1
            different = {key: value for key, value in asdict(settings).items() if value != getattr(before, key)}
            self._record(room, events.RoomChanged, changes=different)
            self._announce(room, None, RoomChanged(room=room.state()))
            self._settings_changed(room, before, now)
        return self._view(room)

    def delete_room(self, name: str, now: float, *, reason: str = "the room was closed") -> None:
        """Everybody has to go. Raises Refused: `room_not_found`."""
        room = self._named(name)
        for session in (*room.members, *room.waiting):
            self._tell(session, Evicted("room_deleted", reason, "room_deleted"))
        for session in list(room.waiting):
            del room.waiting[session], self._room_of[session]
        for member in list(room.members.values()):
            self._drop(room, member, "room_deleted", now)
        self._give_up(room, "room_deleted", now)
        self._end_room(room, "deleted")

    def room(self, name: str) -> RoomView:
        """Raises Refused: `room_not_found`."""
        return self._view(self._named(name))

    def names(self) -> Iterable[str]:
        """Of all rooms."""
        return self._rooms.keys()

    def session_of(self, name: str, identity: str) -> int | None:
        """Of a participant, if he is there."""
        room = self._rooms.get(name)
        member = None if room is None else room.present(identity)
        return None if member is None else member.session

    def rooms(self) -> list[RoomView]:
        return [self._view(room) for room in self._rooms.values()]

    def participants(self, name: str) -> list[ParticipantView]:
        """Hidden ones included. Raises Refused: `room_not_found`."""
        room = self._named(name)
        return [_participant_view(room, member) for member in room.members.values()]

    def participant(self, name: str, identity: str) -> ParticipantView:
        """Raises Refused: `room_not_found` or `unknown_participant`."""
        room, member = self._present(name, identity)
        return _participant_view(room, member)

    def observe(self, session: int, name: str, grant: Grant | None = None) -> Observed:
        """From now on it is told what members are, until `overlook`, the end of the room or that of `grant`'s being
        welcome (Evicted). Raises Refused: `room_not_found`."""
        room = self._named(name)
        room.onlookers[session] = grant
        shown = [member for member in room.members.values() if member.is_told_of]
        media = {track: media for member in shown for track, media in member.media.items()}
        return Observed(tuple(member.describe() for member in shown), media, room.state())

    def overlook(self, session: int, name: str) -> None:
        room = self._rooms.get(name)
        if room is not None:
            room.onlookers.pop(session, None)

    def place_of(self, session: int) -> tuple[str, str, Grants] | None:
        """The room a member is in, who it is there, and what it may do now."""
        room = self._room_of.get(session)
        member = None if room is None else room.members.get(session)
        return None if room is None or member is None else (room.name, member.identity, member.grants)

    # --- for those above it ---

    def _settings_changed(self, room: Room, before: RoomSettings, now: float) -> None:
        """Something may follow from it."""

    def _create(self, name: str, by: Literal["join", "api"], settings: RoomSettings) -> Room:
        if self.draining:
            raise Refused("draining", self.draining)
        if len(self._rooms) >= self._limits.max_rooms:
            raise Refused("limit", f"the server has its {self._limits.max_rooms} rooms")
        room = self._rooms[name] = Room(self._new_id("RM"), name, by, settings)
        self._record(room, events.RoomCreated, by=room.by)
        return room

    def _end_room(self, room: Room, reason: events.RoomEndReason) -> None:
        for session in room.onlookers:
            self._tell(session, Evicted("room_ended", "the room is no more"))
        del self._rooms[room.name]
        self._closed.append(room.name)
        self._record(room, events.RoomEnded, reason=reason)
        self._records.append(Drop(StoredRoom, room.id))
        for identity in {*room.held, *room.changed_grants, *room.admitted, *room.consents}:
            self._records.append(Drop(StoredDecision, room.decision(identity).key))

    def _named(self, name: str) -> Room:
        room = self._rooms.get(name)
        if room is None:
            raise Refused("room_not_found", f"there is no room {name[:64]}")
        return room

    def _present(self, name: str, identity: str) -> tuple[Room, Member]:
        room = self._named(name)
        member = room.present(identity)
        if member is None:
            raise Refused("unknown_participant", f"nobody here is called {identity[:128]}")
        return room, member

    def _drop(self, room: Room, member: Member, reason: LeaveReason, now: float) -> None:
        """Somebody is in the room no more."""
        del room.members[member.session], self._room_of[member.session]
        room.qualities.forget(member.id)
        for track in member.tracks.values():
            self._record(room, events.TrackUnpublished, participant=member.refer(), track=track)
        self._record(room, events.ParticipantLeft, participant=member.refer(), reason=reason)
        self._records.append(Drop(StoredParticipant, member.id))
        self._look_if_empty(room, now)
        self._announce_presence(room, member, ParticipantLeft(identity=member.identity, reason=reason))

    def _give_up(self, room: Room, reason: events.DepartureReason, now: float) -> None:
        """Who was here before the restart is not coming back."""
        for one in room.expected.values():
            self._record(room, events.ParticipantLeft, participant=one.refer(), reason=reason)
            self._records.append(Drop(StoredParticipant, one.id))
        room.expected.clear()
        self._look_if_empty(room, now)

    def _look_if_empty(self, room: Room, now: float) -> None:
        if not (room.members or room.waiting or room.expected) and room.empty_since is None:
            room.empty_since = now
            room.was_auto_recorded = False

    def _look_if_to_record(self, room: Room) -> None:
        if not room.was_auto_recorded and _to_record(room) is not None:
            room.was_auto_recorded = True
            self._to_record[room.name] = None

    def _view(self, room: Room) -> RoomView:
        tracks = sum(len(member.tracks) for member in room.members.values())
        return RoomView(room.id, room.name, room.version, room.settings, len(room.members), tracks, room.who_waits())

    def _record(self, room: Room, event: type[events.AnyEvent], **content: Any) -> None:
        room.room_seq += 1
        self._records.append(event(room=room.refer(), room_seq=room.room_seq, **content))
        self._records.append(
            Put(
                StoredRoom(
                    id=room.id,
                    name=room.name,
                    by=room.by,
                    room_seq=room.room_seq,
                    settings=room.settings,
                    version=room.version,
                )
            )
        )

    def _record_track(self, room: Room, member: Member, event: type[events.AnyEvent], track: TrackDescription) -> None:
        self._record(room, event, participant=member.refer(), track=track)
        self._save(room, member)

    def _save(self, room: Room, member: Member) -> None:
        kept = StoredParticipant(
            id=member.id,
            room=room.id,
            identity=member.identity,
            name=member.grant.name,
            tracks=tuple(member.tracks.values()),
            hand=member.hand,
            on_stage=member.on_stage,
            metadata=member.metadata,
            attributes=dict(member.attributes),
            quality_told=room.qualities.told(member.id),
        )
        self._records.append(Put(kept))

    def _decide(self, room: Room, memory: dict[str, V], identity: str, value: V) -> None:
        """`memory`: one of the room's, of people. Who is forgotten for that is not kept in the store either."""
        for one in (*remember(memory, identity, value, self._limits.max_remembered), identity):
            self._keep_decision(room, one)

    def _keep_decision(self, room: Room, identity: str) -> None:
        decision = room.decision(identity)
        nothing = StoredDecision(room=room.id, identity=identity)
        self._records.append(Put(decision) if decision != nothing else Drop(StoredDecision, decision.key))

    def _announce_presence(self, room: Room, member: Member, event: ParticipantJoined | ParticipantLeft) -> None:
        if member.is_told_of:
            self._announce(room, member.session, event)
        elif not member.hidden:
            self._announce_viewers(room, member)

    def _announce_viewers(self, room: Room, about: Member) -> None:
        viewers = room.viewers
        for member in room.members.values():
            if member is not about:
                own = not (member.is_listed or member.hidden)
                self._tell(member.session, ViewersChanged(count=viewers - own))

    def _announce(self, room: Room, about: int | None, event: SingleEvent) -> None:
        """To everybody but the session it is about."""
        for session in (*room.members, *room.onlookers):
            if session != about:
                self._tell(session, event)

    def _tell_moderators(self, room: Room) -> None:
        """Who waits."""
        for member in room.members.values():
            if member.grants.administer:
                self._tell(member.session, self._lobby(room))

    def _lobby(self, room: Room) -> Lobby:
        return Lobby(waiting=room.who_waits())

    def _tell(self, session: int, event: SingleEvent) -> None:
        room = self._room_of.get(session)
        self._deliveries.append(Delivery(session, event, 0 if room is None else len(room.members)))


def _participant_view(room: Room, member: Member) -> ParticipantView:
    held = tuple(sorted(room.held.get(member.identity, ())))
    return ParticipantView(member.id, member.version, member.describe(), member.grants, held)


def _to_record(room: Room) -> ToRecord | None:
    """Of who is hidden nothing comes."""
    if not any(member.is_told_of for member in room.members.values()):
        return None
    of_tokens = (member.grant.auto_record for member in room.members.values())
    by_token = next((options for options in of_tokens if options is not None), None)
    if room.settings.auto_record is not None:
        return ToRecord(room.name, "room", room.settings.auto_record)
    return None if by_token is None else ToRecord(room.name, "token", by_token)
