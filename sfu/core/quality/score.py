"""A score and what keeps it from being better."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

WORST, BEST = 1.0, 4.5  # of the mean opinion scores that G.107 annex B makes; 5 is for nobody
# With this nobody complains (G.107 table B.1: R = 80, "satisfied"), and there is nothing to explain.
CONTENT = 4.03


class Cause(StrEnum):
    """What costs a stream the most: what would have to change."""

    NOTHING = "nothing"
    LOSS = "loss"  # packets do not arrive
    DELAY = "delay"  # the way there and back is long
    JITTER = "jitter"  # packets come unevenly, so that receivers have to wait for them
    FREEZES = "freezes"
    FRAME_RATE = "frame_rate"
    BANDWIDTH = "bandwidth"  # layers are missing that somebody would show, or pictures are paused
    SILENCE = "silence"  # nothing comes of what should be there
    CONNECTION = "connection"  # nothing is heard of the participant at all


@dataclass(frozen=True, slots=True)
class Score:
    """`value` from 1 to 4.5."""

    value: float
    cause: Cause = Cause.NOTHING


def worst(scores: Iterable[Score | None]) -> Score | None:
    """Of those there are."""
    return min((score for score in scores if score is not None), key=lambda score: score.value, default=None)


def blamed(value: float, costs: Iterable[tuple[Cause, float]]) -> Score:
    """With the cause that costs the most, unless that is not worth a word."""
    cause, cost = max(costs, key=lambda one: one[1])
    return Score(value, Cause.NOTHING if value >= CONTENT or cost <= 0 else cause)
