"""What a recording is to take, and what is to be made of it. Values only."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from signaling.message_values import Source


class RecordingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`participants`, `sources`: only theirs and these; null: all, also who comes later. `mode`: `decode` gives every
    file one size, codec and steady quality; `copy` keeps the publishers' pictures and costs hardly more than reading;
    `audio` makes one sound file per participant. `max_layer`: no better simulcast layer than this (0 is the smallest);
    null: the best there is."""

    participants: Annotated[tuple[Annotated[str, Meta(max_length=128)], ...], Meta(max_length=256)] | None = None
    sources: Annotated[tuple[Source, ...], Meta(max_length=4)] | None = None
    mode: Literal["decode", "copy", "audio"] = "decode"
    container: Literal["mp4", "mkv", "webm", "wav", "flac", "ogg"] | None = None
    max_layer: Annotated[int, Meta(ge=0, le=7)] | None = None
    max_duration_s: Annotated[float, Meta(gt=0, le=172_800)] | None = None
    max_bytes: Annotated[int, Meta(gt=0)] | None = None

    def takes(self, participant: str, source: Source) -> bool:
        if self.participants is not None and participant not in self.participants:
            return False
        if self.mode == "audio" and source in ("camera", "screen"):
            return False
        return self.sources is None or source in self.sources


class RecordedFile(Struct, frozen=True, kw_only=True):
    """`path`: within the recording."""

    path: str
    participant: str
    size_bytes: int
    duration_s: float
    error: str = ""
