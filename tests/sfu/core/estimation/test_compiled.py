"""The compiled loops do what NumPy's do, on whatever comes."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sfu.core.estimation.columns import Rows
from sfu.core.estimation.paths import Paths
from sfu.core.estimation.rates import LEAST_BPS
from sfu.core.estimation.trend import Usage
from sfu.core.transport_feedback import GROUP, REPORT

if os.environ.get("CI") != "true":  # elsewhere there may be no compiler
    pytest.importorskip("sfu.core.estimation.compiled._loops")
compiled = importlib.import_module("sfu.core.estimation.compiled.paths")

ROWS = 12
UNUSED = 3  # rows behind them
MOST_BPS = 8e6
TICK_S = 0.1
KINDS = ("even", "swings", "fills", "jumps", "pauses", "stands still", "loses")
PARTS = ("trend", "delivery", "queueing", "loss", "rates", "probing")


class Source:
    """Reports of some of the rows, each with a few groups; the remotes' clocks go on."""

    def __init__(self, kind: str, random: np.random.Generator) -> None:
        self.kind = kind
        self.random = random
        self.sent_s = np.zeros(ROWS)
        self.arrived_s = np.full(ROWS, 1e4)

    def batch(self, now: float) -> tuple[Rows, NDArray[Any], NDArray[Any]]:
        rows = np.flatnonzero(self.random.random(ROWS) < 0.8)
        reports = np.zeros(len(rows), REPORT)
        reports["at_s"] = now - self.random.uniform(0, 0.05, len(rows))
        reports["rtt_s"] = np.where(self.random.random(len(rows)) < 0.2, np.nan, self.random.uniform(0, 0.4, len(rows)))
        reports["acked_packets"] = self.random.integers(0, 60, len(rows))
        reports["lost_packets"] = self.random.integers(0, 30 if self.kind == "loses" else 2, len(rows))
        reports["reordered_packets"] = self.random.integers(0, 3, len(rows))
        reports["in_flight_bytes"] = self.random.integers(0, 40_000, len(rows))
        reports["groups"] = self.random.integers(0, 9, len(rows))
        counts = zip(rows.tolist(), reports["groups"].tolist(), strict=True)
        groups = [self._groups(row, count) for row, count in counts]
        nobodys = self.random.random(len(rows)) < 0.05
        return np.where(nobodys, -1, rows), reports, np.concatenate([np.zeros(0, GROUP), *groups])

    def _groups(self, row: int, count: int) -> NDArray[Any]:
        random, groups = self.random, np.zeros(count, GROUP)
        groups["sent_delta_s"] = random.choice([0.005, 0.02, 0.033], count)
        later_s = {
            "swings": random.normal(0, 0.006, count),
            "fills": random.uniform(0, 0.02, count),
            "jumps": np.where(random.random(count) < 0.03, random.choice([-5.0, 0.3], count), 0.0),
            "pauses": np.where(random.random(count) < 0.2, 0.25, 0.0),
            "stands still": -groups["sent_delta_s"],
        }.get(self.kind, np.zeros(count))
        groups["arrived_delta_s"] = groups["sent_delta_s"] + later_s
        trickles = random.random(count) < 0.3  # its packets came one after the other
        groups["longest_gap_s"] = np.where(trickles, 0.1, 1.0) * groups["arrived_delta_s"].clip(min=0.0)
        groups["bytes"] = random.integers(100, 6000, count)
        groups["sent_at_s"] = self.sent_s[row] + np.cumsum(groups["sent_delta_s"])
        groups["arrived_at_s"] = self.arrived_s[row] + np.cumsum(groups["arrived_delta_s"])
        if count:
            self.sent_s[row], self.arrived_s[row] = groups["sent_at_s"][-1], groups["arrived_at_s"][-1]
        return groups


def columns(paths: Paths) -> Iterator[tuple[str, NDArray[Any]]]:
    for owner in (paths, *(getattr(paths, part) for part in PARTS)):
        for name, column in vars(owner).items():
            if isinstance(column, np.ndarray):
                yield f"{type(owner).__name__}.{name}", column


@pytest.mark.parametrize("kind", KINDS)
def test_paths_are_the_same(kind: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    source, now = Source(kind, random), 10.0
    ours, theirs = compiled.CompiledPaths(ROWS + UNUSED), Paths(ROWS + UNUSED)
    for row in range(ROWS):
        for paths in (ours, theirs):
            paths.reset(row, MOST_BPS, now)
    seen, fell = set(), 0
    for step in range(150):
        now += TICK_S
        row, chance, rows_to_excuse = int(random.integers(ROWS)), random.random(), random.integers(ROWS, size=1)
        reported = source.batch(now)
        for paths in (ours, theirs):
            if chance < 0.05:
                paths.reset(row, MOST_BPS, now)
            elif chance < 0.3:
                paths.probing.set_goal(row, chance * 1e7, now)
            elif chance < 0.4:
                paths.expect_reports(row, now - 3)
            elif chance < 0.5:
                paths.excuse(rows_to_excuse, now)
            paths.on_reports(*reported, now)
        due = ours.probes_due(ROWS, now)
        assert due == theirs.probes_due(ROWS, now)
        for row in due:
            assert ours.probing.begin(row, row, 1e6, 1e5, now) == theirs.probing.begin(row, row, 1e6, 1e5, now)
        assert ours.take_changed(ROWS, now) == theirs.take_changed(ROWS, now)
        for (name, found), (_, wanted) in zip(columns(ours), columns(theirs), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9, err_msg=f"{name} at {step}")
            found[...] = wanted  # what differs in the last digit must not decide anything later
        seen |= set(theirs.trend.usage.tolist())
        fell += int((theirs.rates.fell_at == now).sum())
    assert seen & {Usage.OVER, Usage.UNDER} or kind not in ("swings", "fills"), "something was judged"
    assert fell or kind not in ("fills", "loses"), "something was answered"
    assert (theirs.rates.bps[:ROWS] >= LEAST_BPS).all()


def test_nothing_in_nothing_out() -> None:
    paths = compiled.CompiledPaths(1)
    paths.on_reports(np.empty(0, np.intp), np.empty(0, REPORT), np.empty(0, GROUP), 1.0)
    assert paths.take_changed(0, 1.0) == paths.probes_due(0, 1.0) == []
