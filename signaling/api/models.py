"""What the API takes and gives, as types: they validate, are the document's schemas, and the Python client uses them.

Values only. In what is taken, a key that is not declared is an error: a misspelt one would else have no effect.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from signaling.auth import IDENTITY_PATTERN, MAX_NAME_CHARACTERS, NAME_PATTERN, ROOM_PATTERN
from signaling.events import AnyEvent
from signaling.limits import RoomLimits
from signaling.message_values import Grants, ParticipantState, Quality, Source, TrackDescription
from signaling.moderation_messages import GrantChanges
from signaling.recordings.options import RecordingOptions

# The document states these, so they are what no server exceeds; the rest is as each is set (`out_of_range`).
_LIMITS: Final = RoomLimits()
MAX_METADATA_CHARACTERS: Final = _LIMITS.metadata_bytes
MAX_TIMEOUT_S: Final = _LIMITS.max_timeout_s
MAX_HISTORY_MESSAGES: Final = _LIMITS.max_history_messages
# A sentence, on a screen.
MAX_REASON_CHARACTERS: Final = 200
# Thirty years are for ever.
MAX_BAN_S: Final = 1e9
# Of the ids in bodies, which are ours.
MAX_ID_CHARACTERS: Final = 64

Seconds = Annotated[float, Meta(ge=0)]

# --- rooms ---------------------------------------------------------------------------------------------------

Metadata = Annotated[
    str, Meta(max_length=MAX_METADATA_CHARACTERS, description="Yours; the server does not look into it.")
]
Timeout = Annotated[float, Meta(ge=0, le=MAX_TIMEOUT_S)]
Locked = Annotated[bool, Meta(description="Nobody new comes in but who administers.")]
Lobby = Annotated[bool, Meta(description="Who does not administer waits to be admitted.")]
Encrypted = Annotated[bool, Meta(description="Clients encrypt end to end; the server keeps no messages.")]
History = Annotated[
    int,
    Meta(ge=0, le=MAX_HISTORY_MESSAGES, description="So many of the last messages to all are told to latecomers."),
]
Seats = Annotated[int, Meta(ge=1, description="How many may be here at once.")]
Departure = Annotated[Timeout, Meta(description="How long it stays after the last one left.")]
Empty = Annotated[
    Timeout | None, Meta(description="How long nobody need come until it ends. Null: it stays, also between calls.")
]
AsksConsent = Annotated[
    bool, Meta(description="Of a recording only who has consented is taken; clients ask for it while one runs.")
]
RecordsCiphertext = Annotated[
    bool, Meta(description="It may be recorded though it is end-to-end encrypted: a journal of ciphertext, no files.")
]
AutoRecord = Annotated[
    RecordingOptions | None,
    Meta(description="It is recorded so by itself, from when the first one comes until it is empty for a minute."),
]
QualityEvents = Annotated[
    bool,
    Meta(
        description="`participant.quality_changed` tells whose call goes badly for some seconds, and when it is over."
    ),
]
WebhookUrl = Annotated[str, Meta(max_length=2048, description="Where its events go beside the server's own webhooks.")]


class Waiting(Struct, frozen=True, kw_only=True):
    """Somebody in the lobby."""

    identity: str
    name: str


class Room(Struct, frozen=True, kw_only=True):
    """A room as it is set, and how many are in it. `id` is of one life: the same name opened again has another."""

    id: str
    name: str
    version: Annotated[int, Meta(description="Grows with each change of what can be changed; also the ETag.")]
    participants: int
    tracks: int
    waiting: Annotated[list[Waiting], Meta(description="The lobby, the longest first.")]
    max_participants: Seats
    empty_timeout_s: Empty
    departure_timeout_s: Departure
    duplicates: Annotated[
        Literal["replace", "reject"], Meta(description="What a second connection of one identity does.")
    ]
    locked: Locked
    lobby: Lobby
    end_to_end_encrypted: Encrypted
    history_messages: History
    metadata: Metadata
    webhook_url: WebhookUrl
    recording_consent: AsksConsent
    record_ciphertext: RecordsCiphertext
    auto_record: AutoRecord
    quality_events: QualityEvents


class RoomChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is not named stays as it is."""

    max_participants: Seats | UnsetType = UNSET
    empty_timeout_s: Empty | UnsetType = UNSET
    departure_timeout_s: Departure | UnsetType = UNSET
    duplicates: Literal["replace", "reject"] | UnsetType = UNSET
    locked: Locked | UnsetType = UNSET
    lobby: Lobby | UnsetType = UNSET
    end_to_end_encrypted: Encrypted | UnsetType = UNSET
    history_messages: History | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    webhook_url: WebhookUrl | UnsetType = UNSET
    recording_consent: AsksConsent | UnsetType = UNSET
    record_ciphertext: RecordsCiphertext | UnsetType = UNSET
    auto_record: AutoRecord | UnsetType = UNSET
    quality_events: QualityEvents | UnsetType = UNSET


class RoomWish(RoomChange, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is not named is as the server is set."""

    name: Annotated[str, Meta(pattern=f"^{ROOM_PATTERN.pattern}$", description="Stands in addresses and tokens.")]


class RoomPage(Struct, frozen=True, kw_only=True):
    """Rooms by name."""

    items: list[Room]
    next_cursor: str | None


class WhyQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(max_length=MAX_REASON_CHARACTERS, description="Shown to those concerned.")] = ""


# --- participants and tracks ---------------------------------------------------------------------------------


class ParticipantItem(Struct, frozen=True, kw_only=True):
    """Somebody in a room. `id` is of one stay: from joining to leaving."""

    id: str
    identity: str
    name: str
    state: ParticipantState
    version: Annotated[int, Meta(description="Grows with each change of what can be changed; also the ETag.")]
    grants: Annotated[Grants, Meta(description="What counts now: the token's, as they have been changed since.")]
    held: Annotated[list[str], Meta(description="Sources that are kept muted until he is asked to unmute.")]
    hand: Annotated[int, Meta(description="0: not raised; else hands were raised in the order of these numbers.")]
    on_stage: bool
    consent: Annotated[bool | None, Meta(description="To being recorded; null: has not said.")]
    metadata: str
    attributes: dict[str, str]
    tracks: list[TrackDescription]
    quality: Annotated[Quality | None, Meta(description="As it was told last; null: nothing is sent or received.")]


class ParticipantPage(Struct, frozen=True, kw_only=True):
    """Participants by identity."""

    items: list[ParticipantItem]
    next_cursor: str | None


class ParticipantChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is not named stays as it is."""

    grants: Annotated[GrantChanges, Meta(description="What is not permitted any more stops.")] | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    attributes: (
        Annotated[dict[str, str | None], Meta(description="Null takes a key away; keys that are not named stay.")]
        | UnsetType
    ) = UNSET
    hand_raised: bool | UnsetType = UNSET
    on_stage: Annotated[bool, Meta(description="Who is on stage may publish.")] | UnsetType = UNSET


class RemoveQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(max_length=MAX_REASON_CHARACTERS, description="Shown to who is removed.")] = ""
    ban: Annotated[bool, Meta(description="He may not come back, whatever token he has.")] = False
    ban_for_s: Annotated[
        Annotated[float, Meta(gt=0, le=MAX_BAN_S)] | None, Meta(description="Left out: until the ban is lifted.")
    ] = None
    revoke: Annotated[bool, Meta(description="Tokens made for him so far are no good for this room any more.")] = True


class Destination(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another room, which is made if there is none."""

    to_room: Annotated[str, Meta(pattern=f"^{ROOM_PATTERN.pattern}$")]


class SourceToUnmute(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    source: Source


class TrackChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    muted: Annotated[
        bool, Meta(description="True keeps its source muted. False is refused: people unmute themselves, when asked.")
    ]


class TrackList(Struct, frozen=True, kw_only=True):
    """All that somebody publishes."""

    items: list[TrackDescription]


class LayerFigures(Struct, frozen=True, kw_only=True):
    """What of one layer arrives. `rid` is empty without simulcast."""

    rid: str
    active: bool
    bitrate_bps: int
    packets: int
    lost: int
    jitter_s: float
    frames: int
    freezes: Annotated[int, Meta(description="Long gaps between frames, as browsers count them.")]
    frozen_s: Annotated[float, Meta(description="What these took together.")]


Score = Annotated[
    float | None, Meta(description="How well it arrives, 1 to 4.5; null: nothing is to come, or not known yet.")
]
Cause = Annotated[str, Meta(description="What costs the score the most; a word of QUALITY.md.")]
Loss = Annotated[float, Meta(description="Of packets lost lately, 0 to 1.")]


class TrackFigures(Struct, frozen=True, kw_only=True):
    """What of a track arrives at the server."""

    track: str
    asked_rid: Annotated[
        str | None,
        Meta(description="The best layer that its publisher is asked to send, empty without simulcast; null: none."),
    ]
    key_frame_requests: int
    score: Score
    cause: Cause
    loss: Loss
    jitter_s: float
    layers: list[LayerFigures]


class ParticipantFigures(Struct, frozen=True, kw_only=True):
    """What arrives from somebody."""

    identity: str
    quality: Annotated[Quality | None, Meta(description="Of all that he sends and receives.")]
    published: list[TrackFigures]


# --- tokens --------------------------------------------------------------------------------------------------


class TokenToRead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    token: str


class TokenReading(Struct, frozen=True, kw_only=True):
    """Whether it would let somebody in now. `why` not is a code and a sentence."""

    valid: bool
    why: str
    identity: str | None
    name: str | None
    grants: Grants | None
    auto_record: RecordingOptions | None
    token_id: Annotated[str | None, Meta(description="Its `jti`, for revoking it alone; empty: it has none.")]


class IdentityToRevoke(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All tokens that were made for it and this room until now."""

    identity: Annotated[str, Meta(pattern=f"^{IDENTITY_PATTERN.pattern}$")]


class TokenWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom, to do what, for how long."""

    identity: Annotated[str, Meta(pattern=f"^{IDENTITY_PATTERN.pattern}$", description="Who it is for.")]
    name: Annotated[
        str,
        Meta(
            max_length=MAX_NAME_CHARACTERS,
            pattern=f"^{NAME_PATTERN.pattern}$",
            description="Shown to the others; empty: the identity is. Without controls and marks of direction.",
        ),
    ] = ""
    grants: Annotated[
        Grants | None, Meta(description="Default: create, publish, subscribe and message, but not administer.")
    ] = None
    valid_for_s: Annotated[int, Meta(ge=1, le=30 * 24 * 3600, description="Seconds from now on.")] = 3600
    auto_record: Annotated[
        RecordingOptions | None,
        Meta(description="When its holder comes, the room is recorded so by itself, unless it is already."),
    ] = None


class Token(Struct, frozen=True, kw_only=True):
    """`token` goes to the client, which joins with it. `token_id`, its `jti`, is for revoking it alone."""

    token: str
    token_id: str
    identity: str
    room: str
    expires_in_s: int


# --- bans ----------------------------------------------------------------------------------------------------


class BanWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(max_length=MAX_REASON_CHARACTERS)] = ""
    for_s: Annotated[
        Annotated[float, Meta(gt=0, le=MAX_BAN_S)] | None, Meta(description="Null: until it is lifted.")
    ] = None


class BanItem(Struct, frozen=True, kw_only=True):
    """Whom a room does not let in."""

    room: str
    identity: str
    reason: str
    until: Annotated[datetime | None, Meta(description="Null: until it is lifted.")]


class BanPage(Struct, frozen=True, kw_only=True):
    """Bans by identity."""

    items: list[BanItem]
    next_cursor: str | None


# --- events --------------------------------------------------------------------------------------------------


class EventList(Struct, frozen=True, kw_only=True):
    """Events in order of `seq`."""

    items: list[AnyEvent]
    next_since: Annotated[int, Meta(description="Ask again with this for what came after.")]


# --- nodes and health ----------------------------------------------------------------------------------------


class WorkerItem(Struct, frozen=True, kw_only=True):
    """A media worker."""

    index: int
    running: bool
    udp_port: int
    rooms: int


class Node(Struct, frozen=True, kw_only=True):
    """A machine that serves."""

    id: str
    version: str
    plane: Annotated[str, Meta(description="Which packet path: compiled, or the readable one.")]
    draining: Annotated[bool, Meta(description="It takes no new rooms.")]
    uptime_s: Seconds
    addresses: Annotated[list[str], Meta(description="Where media is received.")]
    rooms: int
    participants: int
    workers: list[WorkerItem]


class NodeList(Struct, frozen=True, kw_only=True):
    items: list[Node]


class WorkersRunning(Struct, frozen=True, kw_only=True):
    running: int
    of: int


class Health(Struct, frozen=True, kw_only=True):
    """Whether this process serves at all."""

    status: Literal["ok", "degraded", "down"]
    version: str
    plane: str
    workers: WorkersRunning


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether new rooms may be sent here. `why`: what keeps them out."""

    ready: bool
    why: str
