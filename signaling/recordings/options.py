"""What a recording is to take, and what is to be made of it. Values only."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from recorder.mix import layouts
from recorder.mix.layouts import BUILT_IN, Layout
from signaling.message_values import Source

Mode = Literal["decode", "copy", "audio"]
MixState = Literal["waiting", "mixing", "ready", "failed"]
UploadState = Literal["uploading", "uploaded", "failed"]
LiveLayout = Literal["grid", "speaker"]
Container = Literal["mp4", "mkv", "webm", "wav", "flac", "ogg"]
# What recorder/config.py takes.
CONTAINERS: Final[dict[Mode, tuple[Container, ...]]] = {
    "decode": ("mp4", "mkv", "webm"),
    "copy": (),
    "audio": ("flac", "wav", "ogg"),
}


class LiveWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An HLS stream of all together, while it is recorded."""

    layout: LiveLayout = "grid"


class RecordingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`participants`, `sources`: only theirs and these; null: all, also who comes later. `mode`: `decode` gives every
    file one size, codec and steady quality; `copy` keeps the publishers' pictures and costs hardly more than reading;
    `audio` makes one sound file per participant. `max_layer`: no better simulcast layer than this (0 is the smallest);
    null: the best there is. `live`: a composite besides, for viewers; null: none."""

    participants: Annotated[tuple[Annotated[str, Meta(max_length=128)], ...], Meta(max_length=256)] | None = None
    sources: Annotated[tuple[Source, ...], Meta(max_length=4)] | None = None
    mode: Mode = "decode"
    container: Container | None = None
    max_layer: Annotated[int, Meta(ge=0, le=7)] | None = None
    max_duration_s: Annotated[float, Meta(gt=0, le=172_800)] | None = None
    max_bytes: Annotated[int, Meta(gt=0, lt=2**53)] | None = None
    live: LiveWish | None = None

    def contradiction(self) -> str:
        """In words; empty: there is none."""
        if self.live is not None and self.mode == "audio":
            return "live: with mode audio no pictures are taken"
        if self.container is None or self.container in CONTAINERS[self.mode]:
            return ""
        if not CONTAINERS[self.mode]:
            return f"container: with mode {self.mode} it follows from what is sent"
        return f"container: with mode {self.mode} one of {', '.join(CONTAINERS[self.mode])}"

    def takes(self, participant: str, source: Source) -> bool:
        if self.participants is not None and participant not in self.participants:
            return False
        if self.mode == "audio" and source in ("camera", "screen"):
            return False
        return self.sources is None or source in self.sources


class Destination(Struct, frozen=True, kw_only=True):
    """Where recordings are uploaded to: `s3://BUCKET/` or `s3://BUCKET/PREFIX/`. `with_journal`: the journal, too.
    `delete`: here, what has been verified there. `endpoint`: None is Amazon's, or what AWS_ENDPOINT_URL_S3 says."""

    url: str
    endpoint: str | None = None
    with_journal: bool = False
    delete: bool = False


class UploadStanding(Struct, frozen=True, kw_only=True):
    """How far a recording has come on its way to storage. `reason`: why it, or its last attempt, failed. `freed_bytes`:
    deleted here, as it is there. `freeing`: that is under way, and nothing is made of it now. `since`: Unix time."""

    state: UploadState
    url: str
    reason: str = ""
    freed_bytes: int = 0
    freeing: bool = False
    since: float = 0.0


class MixOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one file of a recording shows. `layout`: a built-in one, or one as recorder/mix/README.md describes.
    `container`: `wav`, `flac` and `ogg` have sound alone. `names`: whether they are written into the pictures."""

    layout: LiveLayout | Layout = "grid"
    names: bool = True
    container: Container = "mp4"

    def drawn(self) -> Layout:
        layout = BUILT_IN[self.layout] if isinstance(self.layout, str) else self.layout
        return layout if self.names else replace(layout, label=0)

    def contradiction(self, most_pixels: int, most_frames_per_s: int) -> str:
        """In words; empty: there is none."""
        layout = self.drawn()
        try:
            layouts.check(layout)
        except ValueError as error:
            return str(error)
        if layout.width * layout.height > most_pixels or layout.frames_per_s > most_frames_per_s:
            return f"layout: at most {most_pixels} pixels, {most_frames_per_s} times a second"
        return ""


class StoredMix(Struct, frozen=True, kw_only=True):
    """`created_at`: Unix time. `reason`: why it failed."""

    id: str
    options: MixOptions
    created_at: float
    state: MixState = "waiting"
    reason: str = ""
    size_bytes: int = 0

    @property
    def is_unfinished(self) -> bool:
        return self.state in ("waiting", "mixing")


class RecordedFile(Struct, frozen=True, kw_only=True):
    """`path`: within the recording."""

    path: str
    participant: str
    size_bytes: int
    duration_s: float
    error: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]
