"""How many frames a second a layer has, from how many came in each window of some seconds.

Counts wobble: by one at a window's ends, by a dozen where an uplink stood still for a moment and then brought all at
once. What follows from a rate, whether half of it still moves, must not come and go with that. So the rate is what two
windows in a row say, rises to what both have, and falls only where both stay far below.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

# A rate is kept down to this share of it. Higher: rungs come and go with a wobbling camera; lower: one that has become
# slower, in a dark room say, is taken for what it was.
KEPT = 0.85
FALLS_AFTER_S = 3.0  # of staying below. Lower: a moment's trouble counts; higher: a slower camera is believed late


class FrameRate:
    """Of one layer. `per_s` is `None` before a first window."""

    def __init__(self) -> None:
        self.per_s: float | None = None
        self._below_since: float | None = None

    def on_windows(self, rates: Sequence[float], now: float) -> None:
        """Of the last one or two. Where nothing came in one that is a pause, and says nothing of what will come."""
        if not all(rates):
            self._below_since = None
            return
        least, most = min(rates), max(rates)
        if self.per_s is None or least > self.per_s:
            self.per_s = least
        elif most >= KEPT * self.per_s:
            self._below_since = None
        elif self._below_since is None:
            self._below_since = now
        elif now - self._below_since >= FALLS_AFTER_S:
            self.per_s, self._below_since = most, None


def of_one_track(rates: Sequence[float | None]) -> list[float | None]:
    """Layers are counted at different moments, but made of one camera's frames: they have as many as the best of them,
    unless clearly fewer. So has one that has just begun."""
    best = max((rate for rate in rates if rate is not None), default=None)
    if best is None:
        return list(rates)
    return [best if rate is None or rate >= KEPT * best else rate for rate in rates]


def shares_up_to(frames: Sequence[int]) -> tuple[float, ...]:
    """By temporal id: the share of frames that have it or a lower one. Encoders halve; what is nearly so, is."""
    total, shares, so_far = sum(frames), [], 0
    for count in frames:
        so_far += count
        shares.append(_halved(so_far / total) if so_far else 0.0)
    return tuple(shares)


def _halved(share: float) -> float:
    dyadic = float(2.0 ** round(log2(share)))
    return dyadic if KEPT <= share / dyadic <= 1 / KEPT else share
