"""One room and who is in it, as plain state. What is decided with it: rooms.py, moderation.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeVar

from msgspec import UNSET
from msgspec.structs import asdict, replace

from signaling import events
from signaling.auth import Grant
from signaling.lasting import LastingQualities
from signaling.message_values import Grants, Participant, ParticipantState, Quality, Source, TrackDescription
from signaling.messages import Speakers
from signaling.moderation_messages import GrantChanges, RoomState, Waiting
from signaling.records import StoredDecision, StoredParticipant
from signaling.room_events import LoudestChanged
from signaling.room_settings import RoomSettings

V = TypeVar("V")


@dataclass(slots=True)
class Member:
    """Somebody who is in the room. `grant`: as the token says; `grants`: what counts now."""

    id: str
    session: int
    grant: Grant
    grants: Grants
    state: ParticipantState = "connected"
    tracks: dict[str, TrackDescription] = field(default_factory=dict)
    media: dict[str, str | None] = field(default_factory=dict)  # of the tracks that have moved
    away: bool = False  # its client may come back
    quality: Quality | None = None
    is_listed: bool = True  # else it is one of many viewers, and only counted
    hand: int = 0
    on_stage: bool = False
    metadata: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    consent: bool | None = None  # to being recorded
    version: int = 1  # grows with each change of the five above, and of `grants`

    @property
    def identity(self) -> str:
        return self.grant.identity

    @property
    def hidden(self) -> bool:
        return self.grants.hidden

    @property
    def is_told_of(self) -> bool:
        return self.is_listed and not self.hidden

    def describe(self) -> Participant:
        return Participant(
            identity=self.grant.identity,
            name=self.grant.name,
            state=self.state,
            tracks=tuple(self.tracks.values()),
            moderator=self.grants.administer,
            hand=self.hand,
            on_stage=self.on_stage,
            metadata=self.metadata,
            attributes=dict(self.attributes),
            quality=self.quality,
            consent=self.consent,
        )

    def recall(self, before: StoredParticipant) -> None:
        """What was said of him before the restart."""
        self.hand, self.on_stage = before.hand, before.on_stage
        self.metadata, self.attributes = before.metadata, dict(before.attributes)

    def refer(self) -> events.ParticipantReference:
        return events.ParticipantReference(id=self.id, identity=self.identity, name=self.grant.name)


@dataclass(slots=True)
class Room:
    id: str
    name: str
    by: Literal["join", "api"]
    settings: RoomSettings
    version: int = 1
    room_seq: int = 0  # of its last event
    members: dict[int, Member] = field(default_factory=dict)  # by session, in order of arrival
    # Sessions that are told everything and are not here, with the token by which they may; None: ours.
    onlookers: dict[int, Grant | None] = field(default_factory=dict)
    recordings: dict[str, bool] = field(default_factory=dict)  # that run; whether they are paused
    was_auto_recorded: bool = False  # since somebody came: who stops that recording means it
    waiting: dict[int, Grant] = field(default_factory=dict)  # by session: the lobby, the longest first
    expected: dict[str, StoredParticipant] = field(default_factory=dict)  # by identity; were here before a restart
    expected_until: float = 0.0
    # By identity, of people that may be gone: what they would find again after reloading the page.
    held: dict[str, frozenset[Source]] = field(default_factory=dict)  # kept muted
    consents: dict[str, bool] = field(default_factory=dict)  # to being recorded
    changed_grants: dict[str, GrantChanges] = field(default_factory=dict)
    admitted: dict[str, None] = field(default_factory=dict)  # through the lobby; an ordered set
    seats: dict[str, float] = field(default_factory=dict)  # kept for who is moved here, until then
    hands: int = 0  # raised so far
    empty_since: float | None = None
    was_entered: bool = False
    speakers: Speakers | None = None
    loudest: LoudestChanged | None = None
    qualities: LastingQualities = field(default_factory=LastingQualities)

    @property
    def viewers(self) -> int:
        """Those who are only counted."""
        return sum(not (member.is_listed or member.hidden) for member in self.members.values())

    def lists(self, grants: Grants, most: int) -> bool:
        """Whether one with these grants is listed, beside `most` viewers who are."""
        listed = sum(member.is_told_of and not member.grants.publish for member in self.members.values())
        return grants.publish or listed < most

    def refer(self) -> events.RoomReference:
        return events.RoomReference(id=self.id, name=self.name)

    def present(self, identity: str) -> Member | None:
        return next((member for member in self.members.values() if member.identity == identity), None)

    def session_waiting(self, identity: str) -> int | None:
        return next((session for session, grant in self.waiting.items() if grant.identity == identity), None)

    def seats_taken(self, now: float) -> int:
        """Those kept for who is moved here included; hidden members take none."""
        present = {member.identity for member in self.members.values() if not member.hidden}
        return len(present | {identity for identity, until in self.seats.items() if until > now})

    def state(self) -> RoomState:
        settings = self.settings
        return RoomState(
            locked=settings.locked,
            lobby=settings.lobby,
            end_to_end_encrypted=settings.end_to_end_encrypted,
            max_participants=settings.max_participants,
            metadata=settings.metadata,
            recording=bool(self.recordings),
            recording_paused=bool(self.recordings) and all(self.recordings.values()),
            recording_consent=settings.recording_consent,
            version=self.version,
        )

    def who_waits(self) -> tuple[Waiting, ...]:
        return tuple(Waiting(identity=grant.identity, name=grant.name) for grant in self.waiting.values())

    def grants_of(self, grant: Grant, *, on_stage: bool = False) -> Grants:
        """What a token permits here: moderators may have given or taken something, and the stage gives publishing."""
        changes = self.changed_grants.get(grant.identity)
        grants = grant.grants if changes is None else apply_grant_changes(grant.grants, changes)
        return replace(grants, publish=True, sources=None) if on_stage else grants

    def decision(self, identity: str) -> StoredDecision:
        """What was decided of somebody here, to be kept."""
        return StoredDecision(
            room=self.id,
            identity=identity,
            held=tuple(sorted(self.held.get(identity, ()))),
            grants=self.changed_grants.get(identity, GrantChanges()),
            admitted=identity in self.admitted,
            consent=self.consents.get(identity),
        )

    def recall(self, decision: StoredDecision) -> None:
        identity = decision.identity
        if decision.held:
            self.held[identity] = frozenset(decision.held)
        if decision.grants != GrantChanges():
            self.changed_grants[identity] = decision.grants
        if decision.admitted:
            self.admitted[identity] = None
        if decision.consent is not None:
            self.consents[identity] = decision.consent


def remember(memory: dict[str, V], identity: str, value: V, most: int) -> list[str]:
    """Forgets of whom it was last told the longest ago, beyond `most`. Returns who that was."""
    memory.pop(identity, None)
    memory[identity] = value
    forgotten = list(islice(memory, max(0, len(memory) - most)))
    for one in forgotten:
        del memory[one]
    return forgotten


def apply_grant_changes(grants: Grants, changes: GrantChanges) -> Grants:
    return replace(grants, **_named(changes))


def merge_grant_changes(first: GrantChanges, then: GrantChanges) -> GrantChanges:
    return replace(first, **_named(then))


def _named(changes: GrantChanges) -> dict[str, Any]:
    return {name: value for name, value in asdict(changes).items() if value is not UNSET}
