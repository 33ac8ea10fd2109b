"""How fast packets arrive: the last groups of every Transport, and rates over them.

Measured by the remote's clock, from one arrival to another, so that neither feedback's pace nor a burst of it matters.
While a queue stands, this is what the path carries, however short the stretch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sfu.core.estimation.columns import Counts, Flags, Floats, Rows
from sfu.core.estimation.groups import DealtGroups

KEPT = 128  # groups: half a second and more of one each 5 ms, which is how far rates look back
# Without any arrival. Lower: the packets of a path of 100 kbit/s would be pauses; higher: a stall of a tenth of a
# second, and the small packet after it, would be taken for a slow path.
PAUSE_S = 0.1
SHORTEST_S = 1e-3  # remotes tell times in quarters of a millisecond; below, a rate would be noise


class Stretch(NamedTuple):
    """The same packets as they left and as they arrived."""

    groups: int
    sent_bps: float
    arrived_bps: float
    steady_for_s: float  # so long it took to arrive; 0: at once, or most of that was a pause


class Pace(NamedTuple):
    """The same for many rows. `later_s`: by so much more was the last packet under way than the first.
    `under_way_s`: how long the quickest was, by two clocks; infinite without any. `sent_at_s`: the last of all."""

    arrived_bps: Floats
    sent_bps: Floats
    later_s: Floats
    under_way_s: Floats
    sent_at_s: Floats


class Delivery:
    def __init__(self, capacity: int) -> None:
        self._count: Counts = np.zeros(capacity, np.int64)
        self._sent_s: Floats = np.zeros((capacity, KEPT))
        self._arrived_s: Floats = np.zeros((capacity, KEPT))
        self._gap_s: Floats = np.zeros((capacity, KEPT))  # the longest before or within each
        self._bytes: Floats = np.zeros((capacity, KEPT))

    def reset(self, row: int) -> None:
        self._count[row] = 0
        self._arrived_s[row] = -np.inf
        self._sent_s[row] = -np.inf
        self._gap_s[row] = self._bytes[row] = 0

    def on_groups(self, dealt: DealtGroups) -> None:
        rows, places = dealt.rows, (self._count[dealt.rows] + dealt.turns) % KEPT
        self._sent_s[rows, places] = dealt.groups["sent_at_s"]
        self._arrived_s[rows, places] = dealt.groups["arrived_at_s"]
        self._gap_s[rows, places] = dealt.groups["longest_gap_s"]
        self._bytes[rows, places] = dealt.groups["bytes"]
        np.add.at(self._count, rows, 1)

    def pace(self, rows: Rows, window_s: float) -> Pace:
        """Of what arrived in the last `window_s` of arrivals. Rates are 0 until two groups are that far apart.

        After a pause only what came since counts: a receiver that was busy, a radio link that was away, say nothing of
        how much a path carries. A large frame that takes as long, its packets one after the other, says just that. Of a
        path that is so slow each group is one more pause, and then they do count.
        """
        arrived_s, sent_s, gap_s = self._arrived_s[rows], self._sent_s[rows], self._gap_s[rows]
        newest_s = arrived_s.max(axis=1, keepdims=True)
        within = arrived_s > newest_s - window_s
        # From the arrival of the last before: its own bytes are not of the window.
        began_s, began_sent_s = _latest(arrived_s, sent_s, ~within)
        first_s = np.where(within & (gap_s > PAUSE_S), arrived_s, -np.inf).max(axis=1)  # behind the last pause
        others = within & (arrived_s > first_s[:, None])
        before_s = np.where(arrived_s < first_s[:, None], arrived_s, -np.inf).max(axis=1)
        is_alone = ~others.any(axis=1) & (_longest_s(gap_s, arrived_s == before_s[:, None]) > PAUSE_S)
        paused = np.isfinite(began_s) & np.isfinite(first_s) & ~is_alone
        first_sent_s = np.where(arrived_s == first_s[:, None], sent_s, -np.inf).max(axis=1)
        began_s, began_sent_s = np.where(paused, first_s, began_s), np.where(paused, first_sent_s, began_sent_s)
        counted = np.where(paused[:, None], others, within)
        size = 8 * np.where(counted, self._bytes[rows], 0.0).sum(axis=1)
        known = np.isfinite(began_s) & counted.any(axis=1)
        arrived_for_s = _span_s(known, began_s, newest_s[:, 0])
        sent_at_s = sent_s.max(axis=1)
        sent_for_s = _span_s(known, began_sent_s, sent_at_s)
        later_s = np.where(known, arrived_for_s, 0.0) - np.where(known, sent_for_s, 0.0)
        under_way_s = np.where(within, arrived_s - np.where(within, sent_s, 0.0), np.inf).min(axis=1)
        return Pace(size / arrived_for_s, size / sent_for_s, later_s, under_way_s, sent_at_s)

    def stretch(self, row: int, since_s: float, until_s: float) -> Stretch:
        """What was sent from then until then; from its first group on or from its second, whichever came slower."""
        sent_s = self._sent_s[row]
        chosen = np.flatnonzero((sent_s >= since_s) & (sent_s <= until_s))
        chosen = chosen[np.argsort(sent_s[chosen])]
        if len(chosen):  # from the first that arrived on: those before it were overtaken
            chosen = chosen[int(self._arrived_s[row, chosen].argmin()) :]
        if len(chosen) < 2:
            return Stretch(len(chosen), 0.0, 0.0, 0.0)
        begun = self._stretch(row, chosen)
        # A packet of the first group may have been overtaken, and come late: so did the clock begin.
        later = self._stretch(row, chosen[1:]) if len(chosen) > 2 else begun
        return begun if begun.arrived_bps <= later.arrived_bps else later._replace(groups=len(chosen))

    def _stretch(self, row: int, groups: Rows) -> Stretch:
        """Of these, the first being where the clock begins."""
        sent_s, arrived_s = self._sent_s[row, groups], self._arrived_s[row, groups]
        size = 8 * float(self._bytes[row, groups[1:]].sum())
        arrived_for_s = float(arrived_s.max() - arrived_s[0])
        return Stretch(
            len(groups),
            size / max(SHORTEST_S, float(sent_s[-1] - sent_s[0])),
            size / max(SHORTEST_S, arrived_for_s),
            arrived_for_s if self._gap_s[row, groups[1:]].max() < arrived_for_s / 2 else 0.0,
        )


def _latest(arrived_s: Floats, sent_s: Floats, among: Flags) -> tuple[Floats, Floats]:
    """When the last of these arrived, and when the last of them was sent; -inf: there is none."""
    return np.where(among, arrived_s, -np.inf).max(axis=1), np.where(among, sent_s, -np.inf).max(axis=1)


def _longest_s(gap_s: Floats, among: Flags) -> Floats:
    longest_s: Floats = np.where(among, gap_s, 0.0).max(axis=1)
    return longest_s


def _span_s(known: Flags, began_s: Floats, ended_s: Floats) -> Floats:
    """Endless where nothing is known, so that a rate comes out as 0."""
    return np.where(known, np.maximum(ended_s - np.where(known, began_s, 0.0), SHORTEST_S), np.inf)
