"""From scores that jump to a word that stays: good, fair, poor or lost.

score ─► smoothed, down faster than up ─► worse than the word: at once
                                      └─► better, and clearly so, for a while ─► a better word
"""

from __future__ import annotations

from enum import StrEnum

from sfu.core.quality.score import Score

# G.107 table B.1: below R = 70 (3.60) many are dissatisfied, below R = 50 (2.58) nearly all are.
GOOD_FROM = 3.60
FAIR_FROM = 2.58
# Of a new score so much is taken at once (LiveKit has the same two): who is in trouble is to know it, and who comes out
# of it may be back soon.
WORSE_SHARE, BETTER_SHARE = 0.7, 0.4
# Up only when it is so much above the bound, and has been for so long. Higher: bars that come back late; lower: bars
# that go up and down.
RISE_MARGIN = 0.15
RISE_AFTER_S = 5.0
# Nothing was sent or received for so long: nobody knows.
FORGOTTEN_AFTER_S = 10.0


class Level(StrEnum):
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    LOST = "lost"


_RANKS = {Level.LOST: 0, Level.POOR: 1, Level.FAIR: 2, Level.GOOD: 3}


class Rating:
    """Of one participant."""

    def __init__(self) -> None:
        self.level: Level | None = None  # None: nothing is known
        self.value: float | None = None  # smoothed
        self._better_since: float | None = None
        self._judged_at = 0.0

    def on_lost(self, now: float) -> bool:
        """Nothing is heard of it. Returns whether `level` has changed, as do the others."""
        self.value = None
        self._judged_at = now
        return self._set(Level.LOST)

    def on_score(self, score: Score | None, now: float) -> bool:
        if score is None:
            if self.level is None or now - self._judged_at < FORGOTTEN_AFTER_S:
                return False
            self.value = None
            return self._set(None)
        self._judged_at = now
        if self.value is None:
            self.value = score.value
        else:
            share = WORSE_SHARE if score.value < self.value else BETTER_SHARE
            self.value += share * (score.value - self.value)
        return self._judge(self.value, now)

    def _judge(self, value: float, now: float) -> bool:
        level = _level(value)
        if self.level in (None, Level.LOST) or _RANKS[level] < _RANKS[self.level]:
            return self._set(level)
        better = _level(value - RISE_MARGIN)
        if _RANKS[better] <= _RANKS[self.level]:
            self._better_since = None
            return False
        if self._better_since is None:
            self._better_since = now
        return now - self._better_since >= RISE_AFTER_S and self._set(better)

    def _set(self, level: Level | None) -> bool:
        changed = level is not self.level
        self.level, self._better_since = level, None
        return changed


def _level(value: float) -> Level:
    if value >= GOOD_FROM:
        return Level.GOOD
    return Level.FAIR if value >= FAIR_FROM else Level.POOR
