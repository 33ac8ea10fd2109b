"""What messages are made of: their bases, and the values that several of them carry. See messages.py."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from sfu.core.types import Kind

Source = Literal["camera", "microphone", "screen", "screen_audio"]
ParticipantState = Literal["connected", "reconnecting"]
ConnectionName = Literal["publish", "subscribe"]
QualityLevel = Literal["good", "fair", "poor", "lost"]
LeaveReason = Literal[
    "left", "disconnected", "timeout", "removed", "moved", "room_deleted", "replaced", "server_shutdown"
]

# What the Worker may be told a source is; the client names the source, the description the kind.
KIND_OF_SOURCE: dict[Source, Kind] = {
    "camera": "video",
    "screen": "video",
    "microphone": "audio",
    "screen_audio": "audio",
}

Side = Annotated[int, Meta(ge=0, le=16384)]  # of a picture, in pixels; more than any codec here has
MAX_TILES = 256  # of a layout: far more than are seen at once
# JavaScript counts exactly up to here, and it fits what carries it on to the Worker.
MAX_COUNT = 2**53 - 1
RequestId = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]


def _snake_case(class_name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", class_name).lower()


class Message(Struct, frozen=True, kw_only=True, tag_field="type", tag=_snake_case):
    """Base of all messages. Keys that are not declared are ignored."""


class Request(Message, frozen=True, kw_only=True):
    id: RequestId


class ServerMessage(Message, frozen=True, kw_only=True, omit_defaults=True, tag=_snake_case):
    """`seq` counts what the server says after `joined` from 1; the answers that begin a connection have none."""

    seq: int = 0


class Grants(Struct, frozen=True, kw_only=True):
    """What a token permits; what it does not mention is not permitted. `sources`: what may be published, where
    `publish` permits anything at all; null: any. `hidden`: in nobody's roster, and so without tracks."""

    create: bool = False
    publish: bool = False
    sources: tuple[Source, ...] | None = None
    subscribe: bool = False
    message: bool = False
    administer: bool = False
    record: bool = False
    hidden: bool = False
    update_own_metadata: bool = False

    def may_publish(self, source: Source) -> bool:
        if not self.publish or self.hidden:
            return False
        return self.sources is None or source in self.sources


class TrackDescription(Struct, frozen=True, kw_only=True):
    """A Track as others see it. `rids` ascend in quality; empty without simulcast."""

    id: str
    kind: Kind
    source: Source
    muted: bool
    rids: tuple[str, ...]


class Quality(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How good the call is for a participant. `score` from 1 to 4.5, none when it is `lost`; `cause`: what costs it the
    most, in the worse `direction` (`up`: from the participant). The rest is for itself and for operators."""

    level: QualityLevel
    cause: str
    score: float | None = None
    direction: Literal["up", "down"] | None = None
    up: float | None = None
    down: float | None = None
    rtt_s: float | None = None


class Participant(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`hand`: 0, not raised; else hands were raised in the order of these numbers. `moderator`: may administer.
    `consent`: to being recorded; None: has not said."""

    identity: str
    name: str
    state: ParticipantState
    tracks: tuple[TrackDescription, ...]
    moderator: bool = False
    hand: int = 0
    on_stage: bool = False
    metadata: str = ""
    attributes: dict[str, str] = {}
    quality: Quality | None = None
    consent: bool | None = None
