"""The messages in which a client asks why it receives what it does, and is told. See messages.py."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from signaling.message_values import MAX_TILES, Quality, Request, ServerMessage


class Explain(Request, frozen=True, kw_only=True):
    """Why do we receive what we do? `tracks`: we ask about these alone."""

    tracks: Annotated[tuple[str, ...], Meta(max_length=MAX_TILES)] | None = None


class ReceivedFrames(Struct, frozen=True, kw_only=True):
    """What the client has said that became of a track of video, since that came on its m-line."""

    decoded: int
    dropped: int
    freezes: int
    frozen_s: float


class TrackExplanation(Struct, frozen=True, kw_only=True):
    """Why a track looks as it does. Rids are empty without simulcast, and null where nothing is sent. `since_s`: null
    where that is not known."""

    track: str
    reason: str
    since_s: float | None
    rid: str | None  # being sent
    wanted_rid: str | None
    ideal_rid: str | None  # if bandwidth were no object
    bitrate_bps: int  # of what is wanted
    missing_bps: int  # so much more would make it better
    tile_pixels: int | None
    score: float | None = None  # how well it gets here, 1 to 4.5
    cause: str = "nothing"  # what costs that the most
    loss: float = 0.0  # share of packets
    frames: ReceivedFrames | None = None  # None: the client does not say


class Explanation(ServerMessage, frozen=True, kw_only=True):
    id: int
    budget_bps: int
    estimate_bps: int | None
    tracks: tuple[TrackExplanation, ...]
    quality: Quality | None = None  # one's own
