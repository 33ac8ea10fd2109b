"""The messages in which a client says how its machine gets on with what it receives and sends. See messages.py."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from signaling.message_values import MAX_TILES, Request

# Since the report before: more would be a client that has miscounted, or means to mislead.
MAX_FRAMES = 100_000
MAX_FREEZES = 1000
MAX_FROZEN_S = 600.0
Frames = Annotated[int, Meta(ge=0, le=MAX_FRAMES)]


class FramesOf(Struct, frozen=True, kw_only=True):
    """What became of one track of video that we receive, since our last report."""

    track: str
    decoded: Frames
    dropped: Frames = 0
    freezes: Annotated[int, Meta(ge=0, le=MAX_FREEZES)] = 0
    frozen_s: Annotated[float, Meta(ge=0, le=MAX_FROZEN_S)] = 0.0


class ReportReceived(Request, frozen=True, kw_only=True):
    """How we get on with what we receive. `overused`: our machine cannot keep up."""

    frames: Annotated[tuple[FramesOf, ...], Meta(max_length=MAX_TILES)] = ()
    overused: bool = False


class ReportSent(Request, frozen=True, kw_only=True):
    """What keeps our encoder from sending more of a track: another than we said last."""

    track: str
    limited_by: Literal["none", "cpu", "bandwidth", "other"]
