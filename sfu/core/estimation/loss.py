"""How much is lost on the way to each subscriber, and whether that is congestion.

A path may lose packets by itself: radio, a bad cable. Sending less does not help there, so what is lost lastingly comes
to count as usual, and only what goes beyond it is answered.
"""

from __future__ import annotations

import numpy as np

from sfu.core.estimation.columns import Flags, Floats, Rows

MEMORY_S = 1.0  # the share is of about the last second. Higher: surer and later
FEWEST_PACKETS = 50.0  # below that, one burst of five would be a flood, as soon as counting begins anew
ACCEPTED = 0.02  # up to here nothing is wrong, and the rate may grow (GCC draft §6)
CONGESTING = 0.10  # from here on the rate falls (the same)
ABOVE_USUAL = 0.05
BURSTS = 8.0  # packets: so many more may be lost by chance, or two bursts in a hundred packets would be congestion
USUAL_RISES_S, USUAL_FALLS_S = 10.0, 2.0  # how long it takes a share to become usual, and to be so no more
ANSWERED_FOR_S = 0.7  # at least: a full queue and a report
PERHAPS_USUAL = 0.25  # of what is lost when it is answered
MOST_USUAL = 0.3  # a path that loses more is no path


class Loss:
    def __init__(self, capacity: int) -> None:
        self.share: Floats = np.zeros(capacity)
        self.usual: Floats = np.zeros(capacity)
        self._lost: Floats = np.zeros(capacity)
        self._all: Floats = np.zeros(capacity)
        self._answered_until: Floats = np.zeros(capacity)
        self._is_queued: Flags = np.zeros(capacity, np.bool_)

    def reset(self, row: int) -> None:
        self._answered_until[row] = -np.inf
        self._is_queued[row] = False
        for column in (self.share, self.usual, self._lost, self._all):
            column[row] = 0

    def on_answered(self, rows: Rows, rtt_s: Floats, now: float) -> None:
        """Less is sent from now on. What is reported lost in the next round trip was sent before that. And some of it
        was perhaps usual: if it goes on like this, it shall be answered less."""
        share, usual = self.share[rows], self.usual[rows]
        perhaps = np.where(self._is_queued[rows], 0.0, PERHAPS_USUAL * np.maximum(0.0, share - usual))
        self.usual[rows] = np.minimum(MOST_USUAL, usual + perhaps)
        self._lost[rows] = self._all[rows] = self.share[rows] = 0
        self._answered_until[rows] = now + np.maximum(rtt_s, ANSWERED_FOR_S)

    def on_reports(
        self, rows: Rows, lost: Floats, acked: Floats, is_queued: Flags, elapsed_s: Floats, now: float
    ) -> None:
        """Packets since the last report: lost less those that arrived after all, and acknowledged. `is_queued`: a queue
        stands, so that it is its end which they have fallen off, and nothing usual."""
        self._is_queued[rows] = is_queued
        counts = now >= self._answered_until[rows]
        lost, acked = np.where(counts, lost, 0.0), np.where(counts, acked, 0.0)
        kept = np.exp(-elapsed_s / MEMORY_S)
        self._lost[rows] = np.maximum(0.0, self._lost[rows] * kept + lost)
        self._all[rows] = self._all[rows] * kept + np.maximum(0.0, lost + acked)
        enough = self._all[rows] >= FEWEST_PACKETS
        share = np.where(enough, np.minimum(1.0, self._lost[rows] / np.maximum(self._all[rows], 1.0)), 0.0)
        self.share[rows] = share
        usual = self.usual[rows]
        towards_s = np.where(share > usual, np.where(is_queued, np.inf, USUAL_RISES_S), USUAL_FALLS_S)
        moved = usual + (share - usual) * -np.expm1(-elapsed_s / towards_s)
        self.usual[rows] = np.where(enough, np.minimum(MOST_USUAL, moved), usual)

    def is_congestion(self, rows: Rows) -> Flags:
        usual = np.where(self._is_queued[rows], 0.0, self.usual[rows] + ABOVE_USUAL)
        by_chance = np.where(self._is_queued[rows], 0.0, BURSTS / np.maximum(self._all[rows], 1.0))
        return self.share[rows] > np.maximum(CONGESTING, usual) + by_chance

    def allows_growth(self, rows: Rows) -> Flags:
        return self.share[rows] <= np.maximum(ACCEPTED, self.usual[rows] + ACCEPTED)
