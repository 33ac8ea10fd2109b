"""How many scores there were, by upper bounds: for a histogram that knows nobody."""

from __future__ import annotations

from itertools import accumulate

from sfu.core.quality.rating import FAIR_FROM, GOOD_FROM

# Where the words change, and a step between.
BOUNDS = (1.5, 2.0, FAIR_FROM, 3.1, GOOD_FROM, 4.0)


class Tally:
    def __init__(self) -> None:
        self.sum = 0.0
        self._counts = [0] * (len(BOUNDS) + 1)

    def note(self, value: float) -> None:
        self.sum += value
        self._counts[sum(value > bound for bound in BOUNDS)] += 1

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds and how many are below or at each, as Prometheus has them."""
        return list(zip((*map(str, BOUNDS), "+Inf"), map(float, accumulate(self._counts)), strict=True))
