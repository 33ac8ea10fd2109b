"""What the Worker says of the quality of a call, as clients and operators are told it. Pure."""

from __future__ import annotations

from typing import Literal, cast

from msgspec.structs import replace

from sfu.control import ParticipantQuality
from signaling.message_values import Quality, QualityLevel

Direction = Literal["up", "down"]

DIGITS = 2  # of scores: more than anybody can hear


def quality_of(told: ParticipantQuality, *, figures: bool = False) -> Quality | None:
    """`figures`: with all that it is made of. `None`: nothing is sent or received."""
    if told.quality is None:
        return None
    quality = Quality(
        level=cast(QualityLevel, told.quality),
        cause=told.cause,
        score=rounded(told.score),
        direction=cast(Direction | None, told.direction),
    )
    if not figures:
        return quality
    return replace(quality, up=rounded(told.up), down=rounded(told.down), rtt_s=told.rtt_s)


def rounded(score: float | None) -> float | None:
    return None if score is None else round(score, DIGITS)
