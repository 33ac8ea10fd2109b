"""Whether the delay of packets grows: the trend line of GCC, and the threshold that adapts to the path.

    group: arrived_delta - sent_delta ─► sum ─► smoothed ─► slope over the last 20 ─► against the threshold ─► Usage

A queue that fills makes each group later than the one before. How steep is too steep depends on the path: where delay
swings by itself the threshold rises until the swings pass below it, and falls again when they end. Constants are those
of libwebrtc's `TrendlineEstimator`; ESTIMATION.md lists them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfu.core.estimation.columns import Counts, Floats, Rows
from sfu.core.estimation.groups import DealtGroups

WINDOW = 20  # groups that a line is laid through. Higher: surer and later
SMOOTHING = 0.9  # of the sum of delays; a tenth of each new one
GAIN = 4.0  # slopes are small numbers; the threshold was tuned for another scale
MOST_COUNTED = 60  # a slope weighs more with each group, up to this one
START_MS = 12.5
LOWEST_MS, HIGHEST_MS = 6.0, 600.0
RISE, FALL = 0.0087, 0.039  # of the threshold per ms, towards the trend: slower up than down, or a slowly filling
# queue would carry the threshold along (Carlucci et al. 2016, §4)
OUTLIER_MS = 15.0  # so far above the threshold the trend does not move it: that is a jump, not how the path is
MOST_ELAPSED_MS = 100.0  # what one step may move the threshold by
OVER_FOR_MS = 10.0  # above the threshold for so long, and for more than one group: overuse


class Usage(IntEnum):
    UNDER = -1  # a queue drains: wait until it is empty
    NORMAL = 0
    OVER = 1


class Trend:
    def __init__(self, capacity: int) -> None:
        self.usage: Counts = np.zeros(capacity, np.int64)
        self._count: Counts = np.zeros(capacity, np.int64)
        self._sum_ms: Floats = np.zeros(capacity)
        self._smoothed_ms: Floats = np.zeros(capacity)
        self._arrivals_ms: Floats = np.zeros((capacity, WINDOW))
        self._delays_ms: Floats = np.zeros((capacity, WINDOW))
        self._slope: Floats = np.zeros(capacity)
        self._threshold_ms: Floats = np.zeros(capacity)
        self._over_ms: Floats = np.zeros(capacity)  # for how long above it
        self._over_count: Counts = np.zeros(capacity, np.int64)

    def reset(self, row: int) -> None:
        for column in (self.usage, self._count, self._sum_ms, self._smoothed_ms, self._slope, self._over_count):
            column[row] = 0
        self._threshold_ms[row] = START_MS
        self._over_ms[row] = -1

    def on_groups(self, dealt: DealtGroups) -> None:
        for rows, groups in dealt.in_turns():
            sent_ms = groups["sent_delta_s"] * 1000
            self._add(rows, groups, groups["arrived_delta_s"] * 1000 - sent_ms)
            slope = self._fit(rows)
            self._judge(rows, slope, sent_ms, groups["arrived_delta_s"] * 1000)
            self._slope[rows] = slope

    def _add(self, rows: Rows, groups: NDArray[Any], later_ms: Floats) -> None:
        count = self._count[rows]
        self._sum_ms[rows] += later_ms
        self._smoothed_ms[rows] = SMOOTHING * self._smoothed_ms[rows] + (1 - SMOOTHING) * self._sum_ms[rows]
        self._arrivals_ms[rows, count % WINDOW] = groups["arrived_at_s"] * 1000
        self._delays_ms[rows, count % WINDOW] = self._smoothed_ms[rows]
        self._count[rows] = count + 1

    def _fit(self, rows: Rows) -> Floats:
        """Least squares; until the window is full, what there was before, which is nothing."""
        arrivals, delays = self._arrivals_ms[rows], self._delays_ms[rows]
        arrivals -= arrivals.mean(axis=1, keepdims=True)
        delays -= delays.mean(axis=1, keepdims=True)
        spread = np.einsum("ij,ij->i", arrivals, arrivals)
        full = (self._count[rows] >= WINDOW) & (spread > 0)
        slope = np.einsum("ij,ij->i", arrivals, delays) / np.where(full, spread, 1.0)
        return np.where(full, slope, self._slope[rows])

    def _judge(self, rows: Rows, slope: Floats, sent_ms: Floats, arrived_ms: Floats) -> None:
        trend_ms = np.minimum(self._count[rows], MOST_COUNTED) * slope * GAIN
        threshold_ms = self._threshold_ms[rows]
        above, below = trend_ms > threshold_ms, trend_ms < -threshold_ms
        # The first group that is above may have become so anywhere within its time.
        over_ms = np.where(self._over_ms[rows] < 0, sent_ms / 2, self._over_ms[rows] + sent_ms)
        over_count = self._over_count[rows] + 1
        is_over = above & (over_ms > OVER_FOR_MS) & (over_count > 1) & (slope >= self._slope[rows])
        usage = np.where(below, Usage.UNDER, np.where(above, self.usage[rows], Usage.NORMAL))
        self.usage[rows] = np.where(is_over, Usage.OVER, usage)
        self._over_ms[rows] = np.where(is_over, 0.0, np.where(above, over_ms, -1.0))
        self._over_count[rows] = np.where(above & ~is_over, over_count, 0)

        size_ms = np.abs(trend_ms)
        elapsed_ms = np.clip(arrived_ms, 0.0, MOST_ELAPSED_MS)
        moved_ms = np.where(size_ms < threshold_ms, FALL, RISE) * (size_ms - threshold_ms) * elapsed_ms
        adapts = size_ms <= threshold_ms + OUTLIER_MS
        adapted_ms = np.clip(threshold_ms + moved_ms, LOWEST_MS, HIGHEST_MS)
        self._threshold_ms[rows] = np.where(adapts, adapted_ms, threshold_ms)
