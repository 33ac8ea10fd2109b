"""What passes between a room and its members' sessions: what a member says of itself, and what it is told. Values only.

Most of what a member is told is a message for its client as it is. The rest are directives, for its session: what it
has to do itself, and to tell its client in its own way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sfu.control import SendMessage
from sfu.wire.message import SentMessage, build_sent
from signaling.auth import Grant
from signaling.message_values import Grants, LeaveReason, Participant, Source
from signaling.messages import (
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    QualityChanged,
    Speakers,
    TrackMuted,
    TrackPublished,
    TrackUnpublished,
    ViewersChanged,
)
from signaling.moderation_messages import (
    AttributesChanged,
    ConsentChanged,
    HandChanged,
    Lobby,
    RoomChanged,
    RoomState,
    StageChanged,
    UnmuteRequested,
)


@dataclass(frozen=True, slots=True)
class MediaMoved:
    """A track goes on as another Track of the Worker, its Transport having been lost. No client hears of it."""

    track: str
    media: str | None  # as named to the Worker; None: not for the moment


@dataclass(frozen=True, slots=True)
class LoudestChanged:
    """Whose sound is worth forwarding, where not everybody's is. No client hears of it."""

    tracks: frozenset[str]


# What a member says of itself; the others are told.
Change = ParticipantChanged | TrackPublished | TrackUnpublished | TrackMuted | MediaMoved


@dataclass(frozen=True, slots=True)
class Entered:
    """How a member finds the room: itself, the others in the order in which they came, and how many viewers more."""

    you: Participant
    others: tuple[Participant, ...]
    grants: Grants  # the token's, as the room has changed them
    room: RoomState
    media: Mapping[str, str | None] = field(default_factory=dict)  # of the tracks that have moved; see MediaMoved
    held: frozenset[Source] = frozenset()  # kept muted by a moderator
    keeps_messages: int = 0  # for who comes later
    viewers: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """How an onlooker finds the room, who is in nobody's roster."""

    participants: tuple[Participant, ...]
    media: Mapping[str, str | None]  # of the tracks that have moved; see MediaMoved
    room: RoomState


# --- directives ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Evicted:
    """To a member that is not in the room any more."""

    code: str
    reason: str
    departure: LeaveReason = "replaced"


@dataclass(frozen=True, slots=True)
class Admitted:
    """To somebody who waited in the lobby."""

    entered: Entered


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep everything of this source muted, also what is published later. `by`: empty: the app."""

    source: Source
    by: str


@dataclass(frozen=True, slots=True)
class Release:
    """The source may be unmuted again. It is not: that is up to whose it is."""

    source: Source


@dataclass(frozen=True, slots=True)
class Stop:
    """Unpublish this track."""

    track: str
    by: str


@dataclass(frozen=True, slots=True)
class Permit:
    """From now on this is granted; what is not any more ends."""

    grants: Grants


@dataclass(frozen=True, slots=True)
class Transfer:
    """To a member that is not in the room any more, as it is to go on in another: with this grant."""

    grant: Grant


Directive = Evicted | Admitted | Hold | Release | Stop | Permit | Transfer
RoomMessage = (
    ParticipantJoined
    | ParticipantChanged
    | ParticipantLeft
    | ViewersChanged
    | QualityChanged
    | TrackPublished
    | TrackUnpublished
    | TrackMuted
    | Speakers
    | Lobby
    | RoomChanged
    | HandChanged
    | StageChanged
    | AttributesChanged
    | ConsentChanged
    | UnmuteRequested
)
SingleEvent = RoomMessage | MediaMoved | LoudestChanged | Directive


@dataclass(frozen=True, slots=True)
class Together:
    """What happened within a moment, in order."""

    events: tuple[SingleEvent, ...]


RoomEvent = SingleEvent | Together


@dataclass(frozen=True, slots=True)
class Post:
    """A message of the app's to the people in a room, by their data channels. `to`: None: everybody."""

    room: str
    topic: str
    payload: bytes
    text: bool
    to: tuple[str, ...] | None
    reliable: bool

    def command(self, call: int) -> SendMessage:
        return SendMessage(
            call=call,
            room=self.room,
            channel="reliable" if self.reliable else "lossy",
            frame=build_sent(SentMessage(self.topic, self.to, self.text, self.payload)),
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """`members`: how many there are in the room, which is no part of what is told."""

    session: int
    event: SingleEvent
    members: int = field(default=0, compare=False)
