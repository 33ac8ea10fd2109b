"""Counters that only grow, read now and then: what of it is about now."""

from __future__ import annotations

from collections import deque
from math import sqrt

# A share of fewer packets than this says nothing: of the five a second that silence takes, one is 20 %.
LEAST_PACKETS = 20
# For so long a picture that stood still is held against it.
STALLS_REMEMBERED_S = 10.0


class Losses:
    """Of one stream of packets, from totals as reports and receptions count them."""

    def __init__(self) -> None:
        self.share = 0.0  # 0 to 1, of the last packets that were enough
        self.packets = 0  # so many those were
        self._before: tuple[int, int] | None = None

    def on_totals(self, expected: int, lost: int) -> bool:
        """Whether `share` is another now."""
        before = self._before
        if before is None or expected < before[0]:  # begun, or begun anew under another SSRC
            self._before = expected, lost
            return False
        if expected - before[0] < LEAST_PACKETS:
            return False
        # Late ones may have been counted as lost by the report before.
        self.packets = expected - before[0]
        self.share = min(1.0, max(0.0, (lost - before[1]) / self.packets))
        self._before = expected, lost
        return True


class Stalls:
    """Of one picture: how often it stood still lately, and for how long together."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, float]] = deque()  # (when, count, seconds): totals

    def restart(self) -> None:
        """What comes is another picture, or this one after a pause that was meant."""
        self._seen.clear()

    def on_totals(self, count: int, seconds: float, now: float) -> None:
        self._seen.append((now, count, seconds))
        while len(self._seen) > 2 and self._seen[1][0] <= now - STALLS_REMEMBERED_S:
            self._seen.popleft()

    @property
    def recent(self) -> tuple[int, float]:
        if not self._seen:
            return 0, 0.0
        (_, count_before, before_s), (_, count, seconds) = self._seen[0], self._seen[-1]
        return count - count_before, seconds - before_s


def at_worst(share: float, packets: int) -> float:
    """What may be lost of so few packets, by bad luck (in one case of forty), where this share is lost of many."""
    return min(1.0, share + 2 * sqrt(share * (1 - share) / packets))


def beside(total: float, upstream: float) -> float:
    """What of a loss belongs to the last part of the way: who receives misses also what never reached the server."""
    return max(0.0, 1 - (1 - total) / (1 - upstream)) if upstream < 1 else 0.0
