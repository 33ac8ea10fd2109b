"""What an estimator was told and what it answered, as lines of JSON, so that what happened once can be looked into.

    TracedEstimator ─► a line per call ─► a file (`sfu serve --trace-estimates FILE`) ─► replay ─► another estimator

A trace is all that an estimator knows: whoever replays it through the same code gets the same estimates, bit for bit,
and through other code what that makes of the same path, until it asks for other probes than were sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from sfu.core.estimation.estimator import Estimator
from sfu.core.estimation.probing import Probe
from sfu.core.transport_feedback import CLUSTER, GROUP, REPORT, FeedbackBatch


class Moment(NamedTuple):
    """After one tick."""

    now: float
    batch: FeedbackBatch
    estimates_bps: dict[int, int]  # by Transport, as they were traced
    probes: list[Probe]


class TracedEstimator(Estimator):
    def __init__(self, capacity: int, most_bps: float, write: Callable[[str], object]) -> None:
        super().__init__(capacity, most_bps)
        self._write = write
        self._transports: dict[int, None] = {}
        self._tell("begin", capacity, most_bps)

    def add(self, transport: int, now: float) -> None:
        self._tell("add", transport, now)
        super().add(transport, now)
        self._transports[transport] = None

    def remove(self, transport: int) -> None:
        self._tell("remove", transport)
        super().remove(transport)
        self._transports.pop(transport, None)

    def expect_reports(self, transport: int, now: float) -> None:
        self._tell("expect_reports", transport, now)
        super().expect_reports(transport, now)

    def set_goal(self, transport: int, goal_bps: float, now: float) -> None:
        self._tell("set_goal", transport, goal_bps, now)
        super().set_goal(transport, goal_bps, now)

    def on_burst(self, transport: int, now: float) -> None:
        self._tell("on_burst", transport, now)
        super().on_burst(transport, now)

    def expect_burst(self, transport: int, now: float) -> None:
        self._tell("expect_burst", transport, now)
        super().expect_burst(transport, now)

    def on_feedback(self, batch: FeedbackBatch, now: float) -> None:
        super().on_feedback(batch, now)
        estimates = ((transport, self.estimate(transport)) for transport in self._transports)
        told = [(transport, estimate.bps) for transport, estimate in estimates if estimate is not None]
        self._tell("on_feedback", now, *(rows.tolist() for rows in batch), told)

    def take_probes(self, now: float) -> list[Probe]:
        probes = super().take_probes(now)
        # Without any, too: that they were asked for is part of what happened.
        self._tell("take_probes", now, [(p.transport, p.rate_bps, p.packets, p.cluster) for p in probes])
        return probes

    def on_probe_refused(self, transport: int, now: float) -> None:
        self._tell("on_probe_refused", transport, now)
        super().on_probe_refused(transport, now)

    def _tell(self, *line: Any) -> None:
        self._write(json.dumps(line, separators=(",", ":")) + "\n")


def replay(lines: Iterable[str], estimator: Estimator | None = None) -> Iterator[tuple[Estimator, Moment]]:
    """Tells an estimator all of it once more. Yields it after each tick, with what had come of that."""
    fed: tuple[float, FeedbackBatch, dict[int, int]] | None = None
    for line in lines:
        call, *rest = json.loads(line)
        if call == "begin":
            estimator = Estimator(*rest) if estimator is None else estimator
            continue
        assert estimator is not None
        if call == "on_feedback":
            now, *tables, told = rest
            rows = zip(tables, (REPORT, GROUP, CLUSTER), strict=True)
            batch = FeedbackBatch(*(np.array([tuple(row) for row in table], kind) for table, kind in rows))
            estimator.on_feedback(batch, now)
            fed = now, batch, dict(told)
        elif call == "take_probes":
            now, sent = rest
            estimator.take_changed(now)
            estimator.take_probes(now)
            if fed is not None:
                yield estimator, Moment(*fed, [Probe(*probe) for probe in sent])
        else:
            getattr(estimator, call)(*rest)
