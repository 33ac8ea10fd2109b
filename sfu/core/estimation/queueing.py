"""Whether a queue stands on the path: what even the quickest packet of the last moment waited.

    under way: arrived - sent ─┬► least of the last moment ─────┐
                               └► least of the last 10 to 20 s ─┴► the difference: nobody passed without waiting so long

A trend tells of queues that grow. One that is full grows no more, one that jitter mimics has packets between that did
not wait, and a busy remote is late with some and not with all: none of these shows in a slope, all do here.
The remote's clock is another one, so only differences mean anything; it drifts by less than a millisecond in this time.
"""

from __future__ import annotations

import numpy as np

from sfu.core.estimation.columns import Floats, Rows

FLOOR_S = 10.0  # the least is renewed so often, from what was seen since. Lower: a queue that stays is taken for the
# way; higher: a way that has become longer is taken for a queue
LONGEST_S = 3.0  # no queue is longer: the remote's clock has jumped


class Queueing:
    def __init__(self, capacity: int) -> None:
        self.waited_s: Floats = np.zeros(capacity)
        self.rose_s: Floats = np.zeros(capacity)  # since the moment before
        self._least_s: Floats = np.zeros(capacity)  # since the renewal
        self._before_s: Floats = np.zeros(capacity)  # in the time before it
        self._renewed_at: Floats = np.zeros(capacity)

    def reset(self, row: int, now: float) -> None:
        self.waited_s[row] = self.rose_s[row] = 0.0
        self._least_s[row] = self._before_s[row] = np.inf
        self._renewed_at[row] = now

    def on_moment(self, rows: Rows, under_way_s: Floats, now: float) -> None:
        """`under_way_s`: of the quickest packet of the last moment; infinite where none came."""
        rows, under_way_s = rows[np.isfinite(under_way_s)], under_way_s[np.isfinite(under_way_s)]
        ages = now - self._renewed_at[rows] >= FLOOR_S
        floor_s = np.minimum(self._least_s[rows], self._before_s[rows])
        jumped = np.isfinite(floor_s) & (np.abs(under_way_s - floor_s) > LONGEST_S)
        self._before_s[rows] = np.where(jumped, np.inf, np.where(ages, self._least_s[rows], self._before_s[rows]))
        self._least_s[rows] = np.where(ages | jumped, under_way_s, np.minimum(self._least_s[rows], under_way_s))
        self._renewed_at[rows] = np.where(ages, now, self._renewed_at[rows])
        waited_s = under_way_s - np.minimum(self._least_s[rows], self._before_s[rows])
        self.rose_s[rows], self.waited_s[rows] = waited_s - self.waited_s[rows], waited_s
