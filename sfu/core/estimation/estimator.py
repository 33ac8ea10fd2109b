"""How much the path to each subscriber carries: all Transports at once, from the plane's matched feedback.

    FeedbackBatch ─┬► reports ─► Paths (paths.py) ─► rates ─► take_changed
                   └► clusters ─► Probing: how much more would pass? ─► rates
    set_goal ─► Probing ─► take_probes

Decides nothing about pictures, sends nothing: the caller spends the estimate and hands probes to the plane. Fed a few
times per round trip; ESTIMATION.md tells the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfu.core.estimation.choice import make_paths
from sfu.core.estimation.columns import RowNumbers
from sfu.core.estimation.paths import GRACE_S
from sfu.core.estimation.probing import Probe
from sfu.core.estimation.rates import WAITED_S
from sfu.core.transport_feedback import FeedbackBatch

STALLED_S = 0.2  # between two calls, of which there are some twenty a second: this machine was too busy
RESTS_AFTER_S = 1.0  # without a report. Browsers send four a second at least


@dataclass(frozen=True, slots=True)
class Estimate:
    bps: int
    lost_share: float  # of packets, lastingly: what RTX takes beside the media
    queue_s: float  # that stood on the path at the last report


class Estimator:
    def __init__(self, capacity: int, most_bps: float) -> None:
        """`most_bps`: no estimate goes above it."""
        self._most_bps = most_bps
        self._numbers = RowNumbers(capacity)
        self._paths = make_paths(capacity)
        self._looked_at = np.inf
        self._rested = False  # the next look is not due soon
        self.awaited_until = -np.inf

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, transport: int) -> bool:
        return transport in self._numbers

    def add(self, transport: int, now: float) -> None:
        if not len(self):
            self._looked_at = np.inf  # nobody was looked at before
        self._paths.reset(self._numbers.add(transport), self._most_bps, now)

    def is_awaited(self, now: float) -> bool:
        """Whether reports come, or should. Else, at the time of one call of `on_feedback`, the next may be late."""
        return now < self.awaited_until

    def remove(self, transport: int) -> None:
        row = self._numbers.row(transport)
        if row is not None:
            self._paths.forget(row)
            self._numbers.remove(transport)

    def estimate(self, transport: int) -> Estimate | None:
        """`None` for a Transport that is not estimated, or has never reported in spite of what was sent to it."""
        row = self._numbers.row(transport)
        if row is None or self._paths.is_silent[row]:
            return None
        paths = self._paths
        return Estimate(int(paths.rates.bps[row]), float(paths.loss.usual[row]), float(paths.queueing.waited_s[row]))

    def expect_reports(self, transport: int, now: float) -> None:
        """Pictures are sent to it from now on. Again: nothing changes."""
        row = self._numbers.row(transport)
        if row is not None and self._paths.expect_reports(row, now):
            self.awaited_until = max(self.awaited_until, now + GRACE_S)

    def set_goal(self, transport: int, goal_bps: float, now: float) -> None:
        """So much there would be use for, if it is more than the estimate."""
        row = self._numbers.row(transport)
        if row is not None:
            self._paths.probing.set_goal(row, min(goal_bps, self._most_bps), now)

    def on_feedback(self, batch: FeedbackBatch, now: float) -> None:
        """Also when nothing has come: at each tick."""
        # What has piled up here is sent at once, as a key frame is.
        if now - self._looked_at > STALLED_S and not self._rested:
            self._paths.excuse(np.arange(self._numbers.bound), now)
        self._looked_at, self._rested = now, not self.is_awaited(now)
        if len(batch.reports):
            self.awaited_until = max(self.awaited_until, now + RESTS_AFTER_S)
            rows = self._numbers.rows(batch.reports["transport"])
            self._paths.on_reports(rows, batch.reports, batch.groups, now)
        for cluster in batch.clusters:  # by now it is known whether it has met a queue
            self._on_cluster(cluster, now)

    def on_burst(self, transport: int, now: float) -> None:
        """A key frame is on its way there: the queue that it makes is no sign that the path is too slow."""
        row = self._numbers.row(transport)
        if row is not None:
            self._paths.on_burst(row, now)

    def expect_burst(self, transport: int, now: float) -> None:
        """A larger picture was asked for, which begins with a key frame."""
        row = self._numbers.row(transport)
        if row is not None:
            self._paths.expect_burst(row, now)

    def take_changed(self, now: float) -> list[int]:
        """Transports whose estimate has changed by more than a little since it was told last, or counts no more."""
        return [self._numbers.transport(row) for row in self._paths.take_changed(self._numbers.bound, now)]

    def take_probes(self, now: float) -> list[Probe]:
        """To be sent now. What the plane refuses comes back by `on_probe_refused`."""
        return [self._probe(row, now) for row in self._paths.probes_due(self._numbers.bound, now)]

    def on_probe_refused(self, transport: int, now: float) -> None:
        row = self._numbers.row(transport)
        if row is not None:
            self._paths.probing.on_refused(row, now)

    def _probe(self, row: int, now: float) -> Probe:
        rate_bps, sending_bps = float(self._paths.rates.bps[row]), float(self._paths.sending_bps[row])
        return self._paths.probing.begin(row, self._numbers.transport(row), rate_bps, sending_bps, now)

    def _on_cluster(self, cluster: np.void, now: float) -> None:
        row, paths = self._numbers.row(int(cluster["transport"])), self._paths
        if row is None or not paths.probing.expects(row, int(cluster["cluster"])):
            return
        stretch = paths.delivery.stretch(row, float(cluster["first_sent_at_s"]), float(cluster["last_sent_at_s"]))
        packet_bytes = float(cluster["sent_bytes"]) / max(1, int(cluster["sent_packets"]))
        is_queued = bool(paths.queueing.waited_s[row] > WAITED_S)
        found_bps = paths.probing.on_answer(row, packet_bytes, stretch, float(paths.rates.bps[row]), is_queued, now)
        if found_bps is not None:
            paths.rates.on_measured(row, found_bps)
