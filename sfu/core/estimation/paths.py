"""What is known of every path, a row each, and what a batch of reports changes of it.

    reports, groups ─┬► Trend      is a queue growing?            ─┐
                     ├► Delivery   how fast do packets arrive?     │
                     ├► Queueing   does a queue stand?            ─┼─► Signals ─► Rates ─► fell? ─► Loss, Probing
                     └► Loss       how many do not?               ─┘

Every step is one of NumPy's for all rows. `compiled/` does the same row by row, and quicker.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfu.core.estimation.columns import Flags, Floats, Rows
from sfu.core.estimation.delivery import Delivery
from sfu.core.estimation.groups import deal
from sfu.core.estimation.loss import Loss
from sfu.core.estimation.probing import Probing
from sfu.core.estimation.queueing import Queueing
from sfu.core.estimation.rates import STANDING_S, Rates, Signals
from sfu.core.estimation.trend import Trend

ARRIVING_S = 0.5  # what arrives, over this: some frames, and the pauses between (libwebrtc's bitrate window)
CARRIED_S = 0.2  # what a path carries while a queue stands. Lower: a jitter of arrivals shows; higher: what arrived
# before the path became slower still counts
SHARP_S = 0.1  # the same, where the way grew longer by `SHARPLY_S` in so short a time: then what arrived before the
# path became slower does not count. Lower: of two or three packets
SHARPLY_S = 0.05
KNOWN_FOR_S = 1.0  # without a report for longer, the queue may have gone
BURST_S = 0.6  # a key frame of half a megabit on a path of one, and the report about it
BURST_SPACING_S = 1.0
AWAITED_S = 0.5  # a key frame that was asked for is there after so long. Lower: a probe is sent just before it
DRAINED_S = 0.3  # and its queue is short again, on a path that carries the layer
FIRST_RTT_S = 0.1
RTT_SHARE = 0.125  # of each new sample (RFC 6298 §2)
LONGEST_ELAPSED_S = 1.0  # between two reports: a path that was silent for longer has not proved anything meanwhile
GRACE_S = 2.0  # for the first report: a key frame is asked for and comes, and a report goes back. Lower: on a long path
# much would be sent before anything is known of it
TOLD_DOWN, TOLD_UP = 0.98, 1.03  # who spends an estimate hears of changes beyond these


class Paths:
    def __init__(self, capacity: int) -> None:
        self.trend = Trend(capacity)
        self.delivery = Delivery(capacity)
        self.loss = Loss(capacity)
        self.queueing = Queueing(capacity)
        self.rates = Rates(capacity)
        self.probing = Probing(capacity)
        self.is_silent: Flags = np.zeros(capacity, np.bool_)
        self.sending_bps: Floats = np.zeros(capacity)
        self._rtt_s: Floats = np.zeros(capacity)
        self._reported_at: Floats = np.zeros(capacity)
        self._told_bps: Floats = np.zeros(capacity)
        self._burst_since: Floats = np.zeros(capacity)
        self._burst_until: Floats = np.zeros(capacity)
        self._awaited_until: Floats = np.zeros(capacity)
        self._silent_at: Floats = np.full(capacity, np.inf)  # if there is no report by then; NaN: it never will be so

    def reset(self, row: int, most_bps: float, now: float) -> None:
        for column in (self.trend, self.delivery, self.loss, self.probing):
            column.reset(row)
        self.queueing.reset(row, now)
        self.rates.reset(row, most_bps)
        self.is_silent[row] = False
        self.sending_bps[row] = 0
        self._rtt_s[row] = FIRST_RTT_S
        self._reported_at[row] = now
        self._told_bps[row] = self.rates.bps[row]
        self._burst_since[row] = self._burst_until[row] = self._awaited_until[row] = -np.inf
        self._silent_at[row] = np.inf

    def forget(self, row: int) -> None:
        """Nobody's from now on."""
        self.probing.reset(row)  # or a goal would be left, and probed for
        self._silent_at[row] = np.inf

    def expect_reports(self, row: int, now: float) -> bool:
        """Whether that was not so before."""
        begins = bool(self._silent_at[row] == np.inf)
        if begins:
            self._silent_at[row] = now + GRACE_S
        return begins

    def excuse(self, rows: Rows, now: float) -> None:
        """More than the paths carry is sent at once, and makes a queue."""
        self._burst_since[rows] = np.where(now < self._burst_until[rows], self._burst_since[rows], now)
        self._burst_until[rows] = now + BURST_S + self._rtt_s[rows]
        self.probing.hold(rows, now + DRAINED_S)

    def expect_burst(self, row: int, now: float) -> None:
        """Not for long."""
        self._awaited_until[row] = now + AWAITED_S + self._rtt_s[row]
        self.probing.hold(np.array([row]), now + AWAITED_S)

    def on_burst(self, row: int, now: float) -> None:
        """Those that were not expected are excused one at a time, or who is sent many would never be heard."""
        if now < self._awaited_until[row] or now >= self._burst_until[row] + BURST_SPACING_S:
            self._awaited_until[row] = -np.inf
            self.excuse(np.array([row]), now)

    def on_reports(self, rows: Rows, reports: NDArray[Any], groups: NDArray[Any], now: float) -> None:
        """`reports[i]`, of dtype REPORT, is of `rows[i]`, or of nobody if that is -1; so are its `groups`."""
        dealt = deal(rows, reports["groups"], groups)
        self.trend.on_groups(dealt)
        self.delivery.on_groups(dealt)
        known = rows >= 0
        if known.any():
            self._on_known(rows[known], reports[known], now)

    def take_changed(self, bound: int, now: float) -> list[int]:
        """Of the rows below `bound`, those whose rate has changed by more than a little since it was taken, or counts
        no more."""
        rates, told = self.rates.bps[:bound], self._told_bps[:bound]
        fell_silent = self._silent_at[:bound] <= now
        self.is_silent[:bound] |= fell_silent
        self._silent_at[:bound][fell_silent] = np.nan
        for row in np.flatnonzero(fell_silent).tolist():
            self.probing.reset(row)
        changed = np.flatnonzero(fell_silent | (rates < TOLD_DOWN * told) | (rates > TOLD_UP * told))
        told[changed] = rates[changed]
        return [int(row) for row in changed]

    def probes_due(self, bound: int, now: float) -> list[int]:
        """Of the rows below `bound`."""
        stands = self.queueing.waited_s[:bound] > STANDING_S
        stands &= now - self._reported_at[:bound] < KNOWN_FOR_S
        return [int(row) for row in self.probing.due(self.rates.bps[:bound], stands, now)]

    def _on_known(self, rows: Rows, reports: NDArray[Any], now: float) -> None:
        elapsed_s = np.clip(reports["at_s"] - self._reported_at[rows], 0.0, LONGEST_ELAPSED_S)
        self._reported_at[rows] = reports["at_s"]
        self._silent_at[rows] = np.nan
        self._told_bps[rows] = np.where(self.is_silent[rows], 0.0, self._told_bps[rows])  # it counts again
        self.is_silent[rows] = False
        rtt_s = self._rtt_s[rows]
        sample_s = np.where(np.isnan(reports["rtt_s"]), rtt_s, reports["rtt_s"])
        self._rtt_s[rows] = rtt_s + RTT_SHARE * (sample_s - rtt_s)
        lost = (reports["lost_packets"] - reports["reordered_packets"]).astype(np.float64)
        acked = (reports["acked_packets"]).astype(np.float64)
        longer = self.delivery.pace(rows, ARRIVING_S)
        arriving_bps = np.minimum(longer.arrived_bps, longer.sent_bps)  # what has piled up somewhere comes faster
        self.sending_bps[rows] = _sending_bps(arriving_bps, reports["in_flight_bytes"], sample_s)
        pace = self.delivery.pace(rows, CARRIED_S)
        sharp = self.delivery.pace(rows, SHARP_S)
        is_sharp = (sharp.later_s > SHARPLY_S) & (sharp.arrived_bps > 0)
        carried_bps = np.where(is_sharp, np.minimum(sharp.arrived_bps, pace.arrived_bps), pace.arrived_bps)
        self.queueing.on_moment(rows, pace.under_way_s, now)
        waited_s = self.queueing.waited_s[rows]
        self.loss.on_reports(rows, lost, acked, waited_s > STANDING_S, elapsed_s, now)
        fell_at = self.rates.fell_at[rows]
        signals = Signals(
            usage=self.trend.usage[rows],
            arriving_bps=arriving_bps,
            carried_bps=carried_bps,
            later_s=pace.later_s,
            waited_s=waited_s,
            rose_s=self.queueing.rose_s[rows],
            rtt_s=self._rtt_s[rows],
            lost_share=self.loss.share[rows],
            is_losing=self.loss.is_congestion(rows),
            may_grow=self.loss.allows_growth(rows),
            is_excused=self._is_excused(rows, pace.sent_at_s, now),
            is_settling=self.probing.is_under_way(rows, pace.sent_at_s, pace.sent_at_s),
        )
        self.rates.on_signals(rows, signals, elapsed_s, now)
        fell = rows[self.rates.fell_at[rows] != fell_at]
        self.probing.on_fall(fell, now)
        self.loss.on_answered(fell, self._rtt_s[fell], now)

    def _is_excused(self, rows: Rows, sent_at_s: Floats, now: float) -> Flags:
        """What has left before a probe or a key frame has not waited behind it."""
        bursts = (self._burst_since[rows] <= sent_at_s) & (now < self._burst_until[rows])
        return self.probing.is_under_way(rows, sent_at_s, now) | bursts


def _sending_bps(arriving_bps: Floats, in_flight_bytes: NDArray[np.int64], rtt_s: Floats) -> Floats:
    """What leaves, over the last half second: what arrives was sent a round trip ago, before the last step up."""
    span_s = np.maximum(ARRIVING_S, rtt_s)
    sending_bps: Floats = (8 * in_flight_bytes + arriving_bps * (span_s - rtt_s)) / span_s
    return np.maximum(arriving_bps, sending_bps)
