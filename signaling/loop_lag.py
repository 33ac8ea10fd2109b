"""How late the event loop is: the time between when something was due and when it was done.

Everybody's signaling waits in this one loop, so its lateness is what users feel when the server is short of time.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from typing import Final

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric

# Often enough that a pause of a quarter of a second is always hit by one. Due at multiples of it, as a Worker's rounds
# are, and no more often than the slowest of them, so that no look wakes a loop which they share: waking up is most of
# what it costs.
LOOK_EVERY_S: Final = 0.25
BOUNDS_S: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0)
# From joining to the first media: 0.4 s for sound and 0.8 s for pictures are what people take for at once.
JOIN_BOUNDS_S: Final = (0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0)


class Histogram:
    """Counts by upper bounds, as Prometheus wants them when it asks."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._sum += value
        self._counts[bisect_left(self._bounds, value)] += 1

    def family(self, name: str, text: str) -> Metric:
        total, buckets = 0, []
        for bound, number in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += number
            buckets.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
        return HistogramMetricFamily(name, text, buckets=buckets, sum_value=self._sum)


class LoopLag:
    """Looks from `start` to `stop`."""

    def __init__(self) -> None:
        self.lateness = Histogram(BOUNDS_S)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        due = (self._loop.time() // LOOK_EVERY_S + 1) * LOOK_EVERY_S
        self._timer = self._loop.call_at(due, self._look, due)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, due: float) -> None:
        self.lateness.add(max(0.0, self._loop.time() - due))
        self.start()
