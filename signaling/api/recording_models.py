"""What the API takes and gives, as models.py: of recordings. What is wished is a RecordingOptions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from recorder.mix.layouts import Layout
from signaling.api.models import Seconds
from signaling.api.paging import PageQuery
from signaling.events import RecordingState
from signaling.recordings.options import Container, MixState, RecordingOptions, UploadState

_Number = Annotated[int, Meta(ge=0, le=999_999_999)]


class RecordingFile(Struct, frozen=True, kw_only=True):
    """One file of a recording. It begins with the recording and is as long as it."""

    name: str
    participant: Annotated[str, Meta(description="The identity.")]
    size_bytes: int
    duration_s: Seconds
    error: Annotated[str, Meta(description="Why it ends early; empty: it does not.")]
    href: Annotated[str, Meta(description="Where it is fetched.")]


class RecordingUpload(Struct, frozen=True, kw_only=True):
    """On its way to storage, or there. `failed`: it is not tried again by itself."""

    state: UploadState
    url: Annotated[str, Meta(description="Where it goes: files, manifest and journal lie below.")]
    reason: Annotated[str, Meta(description="Why it, or its last attempt, failed; empty: it did not.")]


class Recording(Struct, frozen=True, kw_only=True):
    """A recording of a room. `finishing`: nothing more is taken, its files are being made."""

    id: str
    room: str
    room_id: Annotated[str, Meta(description="Of the one life of the room that is in it.")]
    state: RecordingState
    reason: Annotated[str, Meta(description="Why it ended, or failed.")]
    failure: Annotated[str, Meta(description="What is wrong with it at the moment, in words; empty: nothing.")]
    by: Annotated[
        Literal["api", "room", "token"],
        Meta(description="Who began it; `room`: it did, as it is set; `token`: that of somebody who came."),
    ]
    options: RecordingOptions
    started_at: datetime
    ended_at: Annotated[datetime | None, Meta(description="Null: it runs.")]
    duration_s: Annotated[Seconds | None, Meta(description="Null: its files are not made yet.")]
    journal_bytes: Annotated[int, Meta(description="Of what was received, on the server's disk.")]
    files: list[RecordingFile]
    manifest: Annotated[str | None, Meta(description="Where its manifest is fetched; null: it is not made yet.")]
    live: Annotated[
        str | None,
        Meta(description="Where its composite is watched, an HLS playlist: whoever knows it may. Null: it has none."),
    ]
    upload: Annotated[RecordingUpload | None, Meta(description="Null: the server has no storage for it.")]


class PlaybackWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long a recording may be played under an address."""

    valid_for_s: Annotated[float, Meta(ge=60, le=86400, description="A long recording, and its pauses.")] = 6 * 3600.0


class PlaybackLink(Struct, frozen=True, kw_only=True):
    """Where a browser plays a recording."""

    href: str
    expires_at: datetime


class RecordingPage(Struct, frozen=True, kw_only=True):
    """Recordings, the latest first."""

    items: list[Recording]
    next_cursor: str | None


class LiveQuery(Struct, frozen=True, kw_only=True):
    segment: Annotated[_Number | UnsetType, Meta(description="The playlist waits for it. Left out: for nothing.")] = (
        field(name="_HLS_msn", default=UNSET)
    )
    part: Annotated[_Number | UnsetType, Meta(description="For this part of it. Left out: for all of it.")] = field(
        name="_HLS_part", default=UNSET
    )


class Mix(Struct, frozen=True, kw_only=True):
    """One file of a recording's files."""

    id: str
    recording: str
    state: MixState
    share: Annotated[float, Meta(ge=0, le=1, description="So much of it is made.")]
    reason: Annotated[str, Meta(description="Why it failed.")]
    layout: Literal["grid", "speaker"] | Layout
    names: bool
    container: Container
    created_at: datetime
    size_bytes: Annotated[int | None, Meta(description="Null: it is not made.")]
    href: Annotated[str | None, Meta(description="Where it is fetched; null: it is not made.")]


class MixList(Struct, frozen=True, kw_only=True):
    """A recording's mixes."""

    items: list[Mix]


class RecordingQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: Annotated[RecordingState | UnsetType, Meta(description="Only these. Left out: all.")] = UNSET
