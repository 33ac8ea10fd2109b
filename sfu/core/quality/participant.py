"""One participant's quality: of all it sends and receives, the part that spoils it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sfu.core.quality.score import Score, worst


class Direction(StrEnum):
    UP = "up"  # from the participant to the server
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`None`: nothing is sent in this direction, or nothing known of it."""

    up: Score | None
    down: Score | None

    @property
    def score(self) -> Score | None:
        return worst((self.up, self.down))

    @property
    def direction(self) -> Direction | None:
        """The worse one."""
        if self.score is None:
            return None
        return Direction.UP if self.score is self.up else Direction.DOWN


def judge(
    published: Iterable[Score | None],
    sounds: Iterable[Score | None],
    pictures: Sequence[tuple[Score | None, int]],
) -> Judgement:
    """`published`: all that the participant sends: the worst of it is what the others suffer from. `sounds` and
    `pictures` (with the pixels wanted of each) are received: a voice that breaks up spoils a call, but one small
    picture of twenty-five does not."""
    return Judgement(worst(published), worst((worst(sounds), _mean(pictures))))


def _mean(pictures: Sequence[tuple[Score | None, int]]) -> Score | None:
    """By size, with the cause of whichever costs the most."""
    weighed = [(score, max(1, pixels)) for score, pixels in pictures if score is not None]
    if not weighed:
        return None
    value = sum(score.value * weight for score, weight in weighed) / sum(weight for _, weight in weighed)
    costly, _ = min(weighed, key=lambda one: (one[0].value - 5) * one[1])
    return Score(value, costly.cause)
