"""What outlives the process: typed values by kind and key, and the events. Values only.

    something happens ─► Record (Event, Put, Drop) ─► the turn's Transaction (ledger.py) ─► store/

A Stored value is put whole whenever it changes, and dropped when it is no more. Keys that are added to a type need a
default, so that what an older version kept can still be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import Struct

from signaling.events import AnyEvent, ParticipantReference, RecordingState
from signaling.message_values import QualityLevel, Source, TrackDescription
from signaling.moderation_messages import GrantChanges
from signaling.recordings.options import RecordedFile, RecordingOptions, StoredMix, UploadStanding
from signaling.room_settings import RoomSettings
from signaling.webhooks.delivery import Delivery


class Stored(Struct, frozen=True, kw_only=True):
    """Base of what is kept. `key` names it among its kind."""

    @property
    def key(self) -> str:
        raise NotImplementedError


class StoredRoom(Stored, frozen=True, kw_only=True):
    """A room that is open. `room_seq`: of its last event."""

    id: str
    name: str
    by: Literal["join", "api"]
    room_seq: int
    version: int = 1
    settings: RoomSettings | None = None  # None: kept by a version that had none

    @property
    def key(self) -> str:
        return self.id


class StoredParticipant(Stored, frozen=True, kw_only=True):
    """Somebody who is in a room, as `joined` told and `left` will, and what is said of him there."""

    id: str
    room: str  # its id
    identity: str
    name: str
    tracks: tuple[TrackDescription, ...]
    hand: int = 0
    on_stage: bool = False
    metadata: str = ""
    attributes: dict[str, str] = {}
    quality_told: QualityLevel | None = None  # by the last event

    @property
    def key(self) -> str:
        return self.id

    def refer(self) -> ParticipantReference:
        return ParticipantReference(id=self.id, identity=self.identity, name=self.name)


class StoredDecision(Stored, frozen=True, kw_only=True):
    """What a moderator decided of somebody, here or gone, for as long as the room is; and whether he consented to being
    recorded."""

    room: str  # its id
    identity: str
    held: tuple[Source, ...] = ()  # kept muted
    grants: GrantChanges = GrantChanges()
    admitted: bool = False  # through the lobby
    consent: bool | None = None  # None: has not said

    @property
    def key(self) -> str:
        return f"{self.room}/{self.identity}"


class StoredBan(Stored, frozen=True, kw_only=True):
    """Somebody who may not come into rooms of this name. `until`: Unix time; None: until it is lifted."""

    room: str  # its name
    identity: str
    reason: str
    until: float | None

    @property
    def key(self) -> str:
        return f"{self.room}/{self.identity}"


# No identity has this name.
EVERYBODY: Final = "*"


class StoredRevocation(Stored, frozen=True, kw_only=True):
    """Tokens of this identity that were made before are no good for rooms of this name. Unix time."""

    room: str  # its name
    identity: str  # EVERYBODY: of any
    revoked_at: float

    @property
    def key(self) -> str:
        return f"{self.room}/{self.identity}"


class StoredKey(Stored, frozen=True, kw_only=True):
    """An API key, whose secret is derived and not kept. `expires_at`: None: good until it is retired. Unix time."""

    id: str
    name: str
    created_at: float
    expires_at: float | None = None

    @property
    def key(self) -> str:
        return self.id


class StoredWebhook(Stored, frozen=True, kw_only=True):
    """Where events are sent. `room`: only those of rooms of this name; `types`: only these; none: all."""

    id: str
    url: str
    secret: str
    previous_secret: str = ""  # signs beside it
    room: str | None = None
    types: tuple[str, ...] = ()
    version: int = 1

    @property
    def key(self) -> str:
        return self.id


class StoredTokenRevocation(Stored, frozen=True, kw_only=True):
    """The token of this id (`jti`) is no good for any room. Unix time."""

    token_id: str
    revoked_at: float

    @property
    def key(self) -> str:
        return self.token_id


class StoredAnswer(Stored, frozen=True, kw_only=True):
    """What a request with an Idempotency-Key was answered, for when it comes again. `until`: Unix time."""

    caller: str
    idempotency_key: str
    fingerprint: bytes
    status: int
    headers: dict[str, str]
    body: bytes
    until: float

    @property
    def key(self) -> str:
        return f"{self.caller}/{self.idempotency_key}"


# Why a recording has ended: the last one who could be recorded has left, a while ago.
ROOM_EMPTY: Final = "room_empty"


class StoredRecording(Stored, frozen=True, kw_only=True):
    """A recording, running or ended. Unix times. `failure`: what is wrong with it at the moment, in words."""

    id: str
    room_id: str
    room: str  # its name
    state: RecordingState
    options: RecordingOptions
    started_at: float
    by: Literal["api", "room", "token"] = "api"  # room: because it is set so; token: somebody's who came says so
    ended_at: float | None = None
    reason: str = ""  # why it ended, or failed
    failure: str = ""
    bytes: int = 0  # of its journal
    duration_s: float | None = None  # once its files are made
    files: tuple[RecordedFile, ...] = ()
    upload: UploadStanding | None = None  # None: it is not uploaded
    live_view: str = ""  # the secret in its composite's address; empty: it has none
    mixes: tuple[StoredMix, ...] = ()  # in the order in which they were asked for

    @property
    def key(self) -> str:
        return self.id


# The names under which a store keeps them; never reused for another type.
KINDS: Final[dict[str, type[Stored]]] = {
    "room": StoredRoom,
    "participant": StoredParticipant,
    "decision": StoredDecision,
    "ban": StoredBan,
    "revocation": StoredRevocation,
    "token_revocation": StoredTokenRevocation,
    "key": StoredKey,
    "webhook": StoredWebhook,
    "answer": StoredAnswer,
    "recording": StoredRecording,
}
KIND_OF: Final = {type: kind for kind, type in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Put:
    value: Stored


@dataclass(frozen=True, slots=True)
class Drop:
    type: type[Stored]
    key: str


Record = AnyEvent | Put | Drop


@dataclass(frozen=True, slots=True)
class Transaction:
    """What came of one turn: all of it is kept, or nothing. `puts` and `drops` by kind and key, each in one of them."""

    events: tuple[AnyEvent, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    puts: dict[tuple[str, str], Stored] = field(default_factory=dict)
    drops: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store has when it is opened."""

    last_seq: int = 0
    values: tuple[Stored, ...] = ()
    pending: tuple[Delivery, ...] = ()  # in the order of their events
