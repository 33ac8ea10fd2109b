"""The compiled loops do what NumPy's do, on whatever comes."""

from __future__ import annotations

import importlib
import os

import numpy as np
import pytest

from sfu.core.estimation.columns import Rows
from sfu.core.estimation.delivery import KEPT, Delivery
from sfu.core.estimation.groups import DealtGroups, deal
from sfu.core.estimation.trend import Trend, Usage
from sfu.core.transport_feedback import GROUP

if os.environ.get("CI") != "true":  # elsewhere there may be no compiler
    pytest.importorskip("sfu.core.estimation.compiled._loops")
compiled = importlib.import_module("sfu.core.estimation.compiled.columns")

ROWS = 12
PATHS = ("even", "swings", "fills", "jumps", "pauses", "stands still")


def some_groups(random: np.random.Generator, clock_s: np.ndarray, path: str) -> tuple[Rows, DealtGroups]:
    """Of some of the rows, a few each; `clock_s` goes on."""
    rows = np.flatnonzero(random.random(ROWS) < 0.8)
    counts = random.integers(1, 9, len(rows))
    groups = np.zeros(int(counts.sum()), GROUP)
    groups["sent_delta_s"] = random.choice([0.005, 0.02, 0.033], len(groups))
    later_s = {
        "even": np.zeros(len(groups)),
        "swings": random.normal(0, 0.006, len(groups)),
        "fills": random.uniform(0, 0.02, len(groups)),
        "jumps": np.where(random.random(len(groups)) < 0.03, 0.3, 0.0),
        "pauses": np.where(random.random(len(groups)) < 0.2, 0.25, 0.0),
        "stands still": -groups["sent_delta_s"],
    }[path]
    groups["arrived_delta_s"] = groups["sent_delta_s"] + later_s
    trickles = random.random(len(groups)) < 0.3  # its packets came one after the other
    groups["longest_gap_s"] = np.where(trickles, 0.1, 1.0) * groups["arrived_delta_s"].clip(min=0.0)
    groups["bytes"] = random.integers(100, 6000, len(groups))
    at = 0
    for row, count in zip(rows, counts, strict=True):
        mine = slice(at, at + count)
        groups["sent_at_s"][mine] = clock_s[0, row] + np.cumsum(groups["sent_delta_s"][mine])
        groups["arrived_at_s"][mine] = clock_s[1, row] + np.cumsum(groups["arrived_delta_s"][mine])
        clock_s[:, row] = groups["sent_at_s"][mine][-1], groups["arrived_at_s"][mine][-1]
        at += count
    return rows, deal(rows, counts, groups)


@pytest.mark.parametrize("path", PATHS)
def test_trends_are_the_same(path: str, seed: int) -> None:
    random, clock_s = np.random.default_rng(seed), np.array([np.zeros(ROWS), np.full(ROWS, 1e4)])
    ours, theirs = compiled.CompiledTrend(ROWS), Trend(ROWS)
    seen = set()
    for step in range(120):
        if step % 50 == 0:
            for one in (ours, theirs):
                one.reset(step % ROWS)
        _, dealt = some_groups(random, clock_s, path)
        ours.on_groups(dealt)
        theirs.on_groups(dealt)
        seen |= set(theirs.usage.tolist())
        for name, column in vars(theirs).items():
            np.testing.assert_allclose(getattr(ours, name), column, rtol=1e-6, atol=1e-9, err_msg=f"{name} at {step}")
    assert seen & {Usage.OVER, Usage.UNDER} or path in ("even", "stands still"), "something was judged"


@pytest.mark.parametrize("path", PATHS)
def test_paces_are_the_same(path: str, seed: int) -> None:
    random, clock_s = np.random.default_rng(seed), np.array([np.zeros(ROWS), np.full(ROWS, 1e4)])
    ours, theirs = compiled.CompiledDelivery(ROWS), Delivery(ROWS)
    for row in range(ROWS):
        ours.reset(row)
        theirs.reset(row)
    for step in range(KEPT // 2):
        rows, dealt = some_groups(random, clock_s, path)
        ours.on_groups(dealt)
        theirs.on_groups(dealt)
        for window_s in (0.2, 0.5):
            for found, wanted in zip(ours.pace(rows, window_s), theirs.pace(rows, window_s), strict=True):
                np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9, err_msg=f"{window_s} s at {step}")


def test_nothing_in_nothing_out() -> None:
    nobody: Rows = np.empty(0, np.intp)
    compiled.CompiledTrend(1).on_groups(deal(nobody, np.empty(0, np.int64), np.empty(0, GROUP)))
    assert [len(column) for column in compiled.CompiledDelivery(1).pace(nobody, 0.5)] == [0] * 4
