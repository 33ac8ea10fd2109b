"""Growing delay is told from swinging delay. Many Transports at once come to what each would alone."""

from __future__ import annotations

from itertools import cycle, islice

import numpy as np
import pytest

from sfu.core.estimation.groups import deal
from sfu.core.estimation.trend import LOWEST_MS, START_MS, Trend, Usage
from tests.support.paths import groups

SPACING_MS = 20.0


def feed(trend: Trend, row: int, later_ms: list[float], arrived_ms: float = 0.0) -> list[Usage]:
    """Each group comes so much later than the one before it would have it. The usage after each."""
    seen = []
    for later in later_ms:
        arrived_ms += SPACING_MS + later
        told = groups((0.0, arrived_ms / 1000, SPACING_MS / 1000, (SPACING_MS + later) / 1000, 0.0, 1000))
        trend.on_groups(deal(np.array([row]), np.array([1]), told))
        seen.append(Usage(trend.usage[row]))
    return seen


def fresh(rows: int = 1) -> Trend:
    trend = Trend(rows)
    for row in range(rows):
        trend.reset(row)
    return trend


@pytest.mark.parametrize(
    ("path", "later_ms", "found"),
    [
        ("nothing is late", [0.0] * 100, {Usage.NORMAL}),
        ("a queue grows by 10 ms with each group", [0.0] * 30 + [10.0] * 20, {Usage.NORMAL, Usage.OVER}),
        ("a queue grows by 1 ms with each group", [0.0] * 30 + [1.0] * 60, {Usage.NORMAL, Usage.OVER}),
        ("one group is 15 ms late", [0.0] * 30 + [15.0, -15.0] + [0.0] * 60, {Usage.NORMAL}),
        ("delay swings by 5 ms", list(islice(cycle((5.0, -5.0)), 400)), {Usage.NORMAL}),
        ("the remote's clock runs 200 ppm slow", [0.004] * 500, {Usage.NORMAL}),
    ],
)
def test_tells_growing_delay_from_what_passes(path: str, later_ms: list[float], found: set[Usage]) -> None:
    assert set(feed(fresh(), 0, later_ms)) - {Usage.UNDER} == found


def test_overuse_is_seen_within_a_few_groups() -> None:
    seen = feed(fresh(), 0, [0.0] * 60 + [15.0] * 10)
    assert Usage.OVER in seen[60:66]


def test_a_queue_that_drains_is_underuse() -> None:
    seen = feed(fresh(), 0, [0.0] * 60 + [15.0] * 10 + [-10.0] * 30)
    assert seen[-1] is Usage.UNDER


def test_the_threshold_follows_how_the_path_is() -> None:
    trend = fresh()
    feed(trend, 0, [0.0] * 300)
    calm_ms = float(trend._threshold_ms[0])
    assert calm_ms == LOWEST_MS < START_MS
    feed(trend, 0, [1.0] * 100)
    assert trend._threshold_ms[0] > calm_ms + 2


def test_all_at_once_is_as_one_by_one() -> None:
    draw = np.random.default_rng(5)
    later = {row: draw.normal(0.5, 6.0, 150).tolist() for row in range(3)}
    together, alone = fresh(3), fresh(3)
    for row, series in later.items():
        feed(alone, row, series)
    arrived = [0.0] * 3
    for turn in range(0, 150, 3):
        rows = []
        for row in range(3):
            for late in later[row][turn : turn + 3]:
                arrived[row] += SPACING_MS + late
                rows.append((0.0, arrived[row] / 1000, SPACING_MS / 1000, (SPACING_MS + late) / 1000, 0.0, 1000))
        together.on_groups(deal(np.arange(3), np.array([3, 3, 3]), groups(*rows)))
    assert together.usage.tolist() == alone.usage.tolist()
    np.testing.assert_allclose(together._slope, alone._slope, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(together._threshold_ms, alone._threshold_ms, rtol=1e-9)
