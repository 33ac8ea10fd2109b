"""How much the path to each subscriber carries: all Transports at once, from the plane's matched feedback.

    FeedbackBatch ─┬► Trend      is a queue growing?            ─┐
                   ├► Delivery   how fast do packets arrive?    ─┼─► Rates ─► estimates ─► take_changed
                   ├► Loss       how many do not?               ─┘     ▲
                   └► clusters ─► Probing  how much more would pass? ──┘
    set_goal ─► Probing ─► take_probes

Decides nothing about pictures, sends nothing: the caller spends the estimate and hands probes to the plane. Fed a few
times per round trip; ESTIMATION.md tells the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfu.core.estimation.choice import make_delivery, make_trend
from sfu.core.estimation.columns import Flags, Floats, RowNumbers, Rows
from sfu.core.estimation.groups import deal
from sfu.core.estimation.loss import Loss
from sfu.core.estimation.probing import Probe, Probing
from sfu.core.estimation.queueing import Queueing
from sfu.core.estimation.rates import STANDING_S, WAITED_S, Rates, Signals
from sfu.core.transport_feedback import FeedbackBatch

ARRIVING_S = 0.5  # what arrives, over this: some frames, and the pauses between (libwebrtc's bitrate window)
CARRIED_S = 0.2  # what a path carries while a queue stands. Lower: a jitter of arrivals shows; higher: what arrived
# before the path became slower still counts
KNOWN_FOR_S = 1.0  # without a report for longer, the queue may have gone
BURST_S = 0.6  # a key frame of half a megabit on a path of one, and the report about it
BURST_SPACING_S = 1.0
FIRST_RTT_S = 0.1
RTT_SHARE = 0.125  # of each new sample (RFC 6298 §2)
LONGEST_ELAPSED_S = 1.0  # between two reports: a path that was silent for longer has not proved anything meanwhile
GRACE_S = 2.0  # for the first report: a key frame is asked for and comes, and a report goes back. Lower: on a long path
# much would be sent before anything is known of it
STALLED_S = 0.2  # between two calls, of which there are some twenty a second: this machine was too busy
TOLD_DOWN, TOLD_UP = 0.98, 1.03  # who spends it hears of changes beyond these


@dataclass(frozen=True, slots=True)
class Estimate:
    bps: int
    lost_share: float  # of packets, lastingly: what RTX takes beside the media


class Estimator:
    def __init__(self, capacity: int, most_bps: float) -> None:
        """`most_bps`: no estimate goes above it."""
        self._most_bps = most_bps
        self._numbers = RowNumbers(capacity)
        self._trend = make_trend(capacity)
        self._delivery = make_delivery(capacity)
        self._loss = Loss(capacity)
        self._queueing = Queueing(capacity)
        self._rates = Rates(capacity)
        self._probing = Probing(capacity)
        self._rtt_s: Floats = np.zeros(capacity)
        self._reported_at: Floats = np.zeros(capacity)
        self._told_bps: Floats = np.zeros(capacity)
        self._sending_bps: Floats = np.zeros(capacity)
        self._burst_until: Floats = np.zeros(capacity)
        self._silent_at: Floats = np.full(capacity, np.inf)  # if there is no report by then; NaN: it never will be so
        self._is_silent: Flags = np.zeros(capacity, np.bool_)
        self._looked_at = np.inf

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, transport: int) -> bool:
        return transport in self._numbers

    def add(self, transport: int, now: float) -> None:
        if not len(self):
            self._looked_at = np.inf  # nobody was looked at before
        row = self._numbers.add(transport)
        for column in (self._trend, self._delivery, self._loss, self._probing):
            column.reset(row)
        self._queueing.reset(row, now)
        self._rates.reset(row, self._most_bps)
        self._rtt_s[row] = FIRST_RTT_S
        self._reported_at[row] = now
        self._sending_bps[row] = 0
        self._burst_until[row] = -np.inf
        self._told_bps[row] = self._rates.bps[row]
        self._silent_at[row] = np.inf
        self._is_silent[row] = False

    def remove(self, transport: int) -> None:
        row = self._numbers.row(transport)
        if row is not None:
            self._probing.reset(row)  # or a goal would be left, and probed for
            self._silent_at[row] = np.inf
            self._numbers.remove(transport)

    def estimate(self, transport: int) -> Estimate | None:
        """`None` for a Transport that is not estimated, or has never reported in spite of what was sent to it."""
        row = self._numbers.row(transport)
        if row is None or self._is_silent[row]:
            return None
        return Estimate(int(self._rates.bps[row]), float(self._loss.usual[row]))

    def expect_reports(self, transport: int, now: float) -> None:
        """Pictures are sent to it from now on. Again: nothing changes."""
        row = self._numbers.row(transport)
        if row is not None and self._silent_at[row] == np.inf:
            self._silent_at[row] = now + GRACE_S

    def set_goal(self, transport: int, goal_bps: float, now: float) -> None:
        """So much there would be use for, if it is more than the estimate."""
        row = self._numbers.row(transport)
        if row is not None:
            self._probing.set_goal(row, min(goal_bps, self._most_bps), now)

    def on_feedback(self, batch: FeedbackBatch, now: float) -> None:
        """Also when nothing has come: at each tick."""
        if (
            now - self._looked_at > STALLED_S
        ):  # what has piled up here is sent at once, and makes a queue, as a key frame
            self._excuse(np.arange(len(self._burst_until)), now)
        self._looked_at = now
        if not len(batch.reports) and not len(batch.clusters):
            return
        rows = self._numbers.rows(batch.reports["transport"])
        dealt = deal(rows, batch.reports["groups"], batch.groups)
        self._trend.on_groups(dealt)
        self._delivery.on_groups(dealt)
        known = rows >= 0
        if known.any():
            self._on_reports(rows[known], batch.reports[known], now)
        for cluster in batch.clusters:  # by now it is known whether it has met a queue
            self._on_cluster(cluster, now)

    def on_burst(self, transport: int, now: float) -> None:
        """A key frame is on its way there: the queue that it makes is no sign that the path is too slow. One at a time,
        or who is sent many would never be heard."""
        row = self._numbers.row(transport)
        if row is not None:
            self._excuse(np.array([row]), now)

    def take_changed(self, now: float) -> list[int]:
        """Transports whose estimate has changed by more than a little since it was told last, or counts no more."""
        rates, told = self._rates.bps, self._told_bps
        fell_silent = self._silent_at <= now
        self._is_silent |= fell_silent
        self._silent_at[fell_silent] = np.nan
        for row in np.flatnonzero(fell_silent).tolist():
            self._probing.reset(row)
        changed = np.flatnonzero(fell_silent | (rates < TOLD_DOWN * told) | (rates > TOLD_UP * told))
        told[changed] = rates[changed]
        return [self._numbers.transport(row) for row in changed.tolist()]

    def take_probes(self, now: float) -> list[Probe]:
        """To be sent now. What the plane refuses comes back by `on_probe_refused`."""
        probes = []
        stands = (self._queueing.waited_s > STANDING_S) & (now - self._reported_at < KNOWN_FOR_S)
        for row in self._probing.due(self._rates.bps, stands, now).tolist():
            rate_bps, sending_bps = float(self._rates.bps[row]), float(self._sending_bps[row])
            probes.append(self._probing.begin(row, self._numbers.transport(row), rate_bps, sending_bps, now))
        return probes

    def on_probe_refused(self, transport: int, now: float) -> None:
        row = self._numbers.row(transport)
        if row is not None:
            self._probing.on_refused(row, now)

    def _excuse(self, rows: Rows, now: float) -> None:
        rested = rows[now >= self._burst_until[rows] + BURST_SPACING_S]
        self._burst_until[rested] = now + BURST_S + self._rtt_s[rested]

    def _on_cluster(self, cluster: np.void, now: float) -> None:
        row = self._numbers.row(int(cluster["transport"]))
        if row is None or not self._probing.expects(row, int(cluster["cluster"])):
            return
        stretch = self._delivery.stretch(row, float(cluster["first_sent_at_s"]), float(cluster["last_sent_at_s"]))
        packet_bytes = float(cluster["sent_bytes"]) / max(1, int(cluster["sent_packets"]))
        is_queued = bool(self._queueing.waited_s[row] > WAITED_S)
        found_bps = self._probing.on_answer(row, packet_bytes, stretch, float(self._rates.bps[row]), is_queued, now)
        if found_bps is not None:
            self._rates.on_measured(row, found_bps)

    def _on_reports(self, rows: Rows, reports: NDArray[Any], now: float) -> None:
        elapsed_s = np.clip(reports["at_s"] - self._reported_at[rows], 0.0, LONGEST_ELAPSED_S)
        self._reported_at[rows] = reports["at_s"]
        self._silent_at[rows] = np.nan
        self._told_bps[rows] = np.where(self._is_silent[rows], 0.0, self._told_bps[rows])  # it counts again
        self._is_silent[rows] = False
        rtt_s = self._rtt_s[rows]
        sample_s = np.where(np.isnan(reports["rtt_s"]), rtt_s, reports["rtt_s"])
        self._rtt_s[rows] = rtt_s + RTT_SHARE * (sample_s - rtt_s)
        lost = (reports["lost_packets"] - reports["reordered_packets"]).astype(np.float64)
        acked = (reports["acked_packets"]).astype(np.float64)
        arriving_bps = self._delivery.pace(rows, ARRIVING_S).arrived_bps
        self._sending_bps[rows] = _sending_bps(arriving_bps, reports["in_flight_bytes"], sample_s)
        pace = self._delivery.pace(rows, CARRIED_S)
        self._queueing.on_moment(rows, pace.under_way_s, now)
        waited_s = self._queueing.waited_s[rows]
        self._loss.on_reports(rows, lost, acked, waited_s > STANDING_S, elapsed_s, now)
        fell_at = self._rates.fell_at[rows]
        signals = Signals(
            usage=self._trend.usage[rows],
            arriving_bps=arriving_bps,
            carried_bps=pace.arrived_bps,
            later_s=pace.later_s,
            waited_s=waited_s,
            rose_s=self._queueing.rose_s[rows],
            rtt_s=self._rtt_s[rows],
            lost_share=self._loss.share[rows],
            is_losing=self._loss.is_congestion(rows),
            may_grow=self._loss.allows_growth(rows),
            is_excused=self._probing.is_under_way(rows, now) | (now < self._burst_until[rows]),
            is_settling=self._probing.is_under_way(rows, now - self._rtt_s[rows]),
        )
        self._rates.on_signals(rows, signals, elapsed_s, now)
        fell = rows[self._rates.fell_at[rows] != fell_at]
        self._probing.on_fall(fell, now)
        self._loss.on_answered(fell, self._rtt_s[fell], now)


def _sending_bps(arriving_bps: Floats, in_flight_bytes: NDArray[np.int64], rtt_s: Floats) -> Floats:
    """What leaves, over the last half second: what arrives was sent a round trip ago, before the last step up."""
    span_s = np.maximum(ARRIVING_S, rtt_s)
    sending_bps: Floats = (8 * in_flight_bytes + arriving_bps * (span_s - rtt_s)) / span_s
    return np.maximum(arriving_bps, sending_bps)
