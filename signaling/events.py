"""What happens in rooms, as app backends hear of it: webhooks, the event stream, the store. Values only.

An event is recorded by the room directory in the turn in which it happens (`room`, `room_seq`, what happened), and
stamped when that turn ends (`id`, `seq`, `created_at`). It is kept in one transaction with the change it tells of.
`joined` and `left` come in pairs, also when somebody is replaced, moved, or lost with the server; so do `published` and
`unpublished`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from msgspec import Struct

from signaling.message_values import LeaveReason, Quality, QualityLevel, TrackDescription

UNSTAMPED = datetime.fromtimestamp(0, UTC)

RecordingState = Literal["recording", "paused", "finishing", "ready", "failed"]
RoomEndReason = Literal["empty", "deleted"]
# `server_restart`: the server stopped without a word, and who was there has not come back in time.
DepartureReason = LeaveReason | Literal["server_restart"]


class RoomReference(Struct, frozen=True, kw_only=True):
    """`id` is of one life of a room: the same name opened again has another."""

    id: str
    name: str


class ParticipantReference(Struct, frozen=True, kw_only=True):
    """`id` is of one stay: from `joined` to `left`."""

    id: str
    identity: str
    name: str


class Event(Struct, frozen=True, kw_only=True, tag_field="type"):
    """`seq` grows over all rooms, `room_seq` by one from 1 in each; `id` is never used twice. Times are UTC."""

    id: str = ""
    seq: int = 0
    created_at: datetime = UNSTAMPED
    room: RoomReference
    room_seq: int


class RoomCreated(Event, frozen=True, kw_only=True, tag="room.created"):
    by: Literal["join", "api"]


class RoomChanged(Event, frozen=True, kw_only=True, tag="room.changed"):
    changes: dict[str, Any]


class RoomEnded(Event, frozen=True, kw_only=True, tag="room.ended"):
    """The last event of this room."""

    reason: RoomEndReason


class ParticipantJoined(Event, frozen=True, kw_only=True, tag="participant.joined"):
    participant: ParticipantReference


class ParticipantChanged(Event, frozen=True, kw_only=True, tag="participant.changed"):
    participant: ParticipantReference
    changes: dict[str, Any]


class ParticipantLeft(Event, frozen=True, kw_only=True, tag="participant.left"):
    """After `track.unpublished` for each of its tracks."""

    participant: ParticipantReference
    reason: DepartureReason


class ParticipantQualityChanged(Event, frozen=True, kw_only=True, tag="participant.quality_changed"):
    """In rooms with `quality_events` only: another level than `previous` has described the call for somebody for some
    seconds. `quality`: as it was when its level came, with what it is made of; null: nothing is sent or received any
    more. Who does well from the start is not told of."""

    participant: ParticipantReference
    quality: Quality | None
    previous: QualityLevel | None


class TrackPublished(Event, frozen=True, kw_only=True, tag="track.published"):
    participant: ParticipantReference
    track: TrackDescription


class TrackUnpublished(Event, frozen=True, kw_only=True, tag="track.unpublished"):
    participant: ParticipantReference
    track: TrackDescription


class TrackMuted(Event, frozen=True, kw_only=True, tag="track.muted"):
    """Or not muted any more: `track.muted` says which."""

    participant: ParticipantReference
    track: TrackDescription


class WebhookTest(Event, frozen=True, kw_only=True, tag="webhook.test"):
    """Nothing happened: somebody asked whether a webhook arrives. To that one only, in a room that there is not."""

    webhook: str


class RecordingReference(Struct, frozen=True, kw_only=True):
    """`reason`: why it ended, or failed; of an upload or a mix, why that did. `url`: where it was uploaded to. `mix`:
    its id."""

    id: str
    state: RecordingState
    reason: str = ""
    duration_s: float | None = None
    files: int = 0
    url: str = ""
    mix: str = ""


class _RecordingEvent(Event, frozen=True, kw_only=True):
    """`room_seq` is 0 for what happens when the room is no more: its files may take longer than it lasted."""

    recording: RecordingReference


class RecordingStarted(_RecordingEvent, frozen=True, kw_only=True, tag="recording.started"):
    pass


class RecordingPaused(_RecordingEvent, frozen=True, kw_only=True, tag="recording.paused"):
    pass


class RecordingResumed(_RecordingEvent, frozen=True, kw_only=True, tag="recording.resumed"):
    pass


class RecordingStopped(_RecordingEvent, frozen=True, kw_only=True, tag="recording.stopped"):
    """Nothing more is taken; the files are being made."""


class RecordingReady(_RecordingEvent, frozen=True, kw_only=True, tag="recording.ready"):
    pass


class RecordingFailed(_RecordingEvent, frozen=True, kw_only=True, tag="recording.failed"):
    pass


class RecordingUploaded(_RecordingEvent, frozen=True, kw_only=True, tag="recording.uploaded"):
    """All of it is in the storage, and was verified there."""


class RecordingUploadFailed(_RecordingEvent, frozen=True, kw_only=True, tag="recording.upload_failed"):
    """After a week of attempts, or because trying again would not help. What is here stays."""


class RecordingMixReady(_RecordingEvent, frozen=True, kw_only=True, tag="recording.mix_ready"):
    pass


class RecordingMixFailed(_RecordingEvent, frozen=True, kw_only=True, tag="recording.mix_failed"):
    pass


class RecordingDeleted(_RecordingEvent, frozen=True, kw_only=True, tag="recording.deleted"):
    """With its files. `reason`: `deleted` by somebody, or `retention_age`, `retention_size`."""


RecordingEvent = (
    RecordingStarted
    | RecordingPaused
    | RecordingResumed
    | RecordingStopped
    | RecordingReady
    | RecordingFailed
    | RecordingUploaded
    | RecordingUploadFailed
    | RecordingMixReady
    | RecordingMixFailed
    | RecordingDeleted
)

AnyEvent = (
    RoomCreated
    | RoomChanged
    | RoomEnded
    | ParticipantJoined
    | ParticipantChanged
    | ParticipantLeft
    | ParticipantQualityChanged
    | TrackPublished
    | TrackUnpublished
    | TrackMuted
    | WebhookTest
    | RecordingStarted
    | RecordingPaused
    | RecordingResumed
    | RecordingStopped
    | RecordingReady
    | RecordingFailed
    | RecordingUploaded
    | RecordingUploadFailed
    | RecordingMixReady
    | RecordingMixFailed
    | RecordingDeleted
)
# As they stand in `type`.
TYPES: Final = frozenset(str(one.__struct_config__.tag) for one in get_args(AnyEvent))
