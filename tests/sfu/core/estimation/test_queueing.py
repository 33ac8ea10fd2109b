"""A queue is what even the quickest packet waits for; a remote that is busy now and then has none."""

from __future__ import annotations

import numpy as np
import pytest

from sfu.core.estimation.queueing import FLOOR_S, Queueing

ROW = np.array([0])
EVERY_S = 0.1
WAY_S = -1234.5  # the remote's clock is another one


class Path:
    def __init__(self) -> None:
        self.queueing = Queueing(1)
        self.queueing.reset(0, 0.0)
        self.now = 0.0

    def run(self, seconds: float, least_s: float, way_s: float = WAY_S) -> float:
        """The quickest packet of each moment waits so long. Returns what was found."""
        for _ in range(round(seconds / EVERY_S)):
            self.now += EVERY_S
            self.queueing.on_moment(ROW, np.array([way_s + least_s]), self.now)
        return float(self.queueing.waited_s[0])


def test_what_all_packets_wait_is_a_queue() -> None:
    path = Path()
    assert path.run(1.0, 0.0) == 0.0
    assert path.run(0.1, 0.3) == pytest.approx(0.3)
    assert path.queueing.rose_s[0] == pytest.approx(0.3)
    assert path.run(1.0, 0.3) == pytest.approx(0.3)
    assert path.queueing.rose_s[0] == 0.0
    assert path.run(0.1, 0.0) == 0.0


def test_a_moment_without_a_packet_changes_nothing() -> None:
    path = Path()
    path.run(1.0, 0.0)
    path.run(0.1, 0.3)
    assert path.run(1.0, np.inf) == pytest.approx(0.3)


def test_a_way_that_has_become_longer_is_known_after_a_while() -> None:
    path = Path()
    path.run(FLOOR_S + 1.0, 0.0)
    assert path.run(FLOOR_S - 2.0, 0.05) == pytest.approx(0.05)
    assert path.run(FLOOR_S + 2.0, 0.05) == pytest.approx(0.0, abs=1e-9)


def test_a_clock_that_jumps_is_no_queue() -> None:
    path = Path()
    path.run(3.0, 0.0)
    assert path.run(0.1, 0.0, WAY_S + 3600.0) == 0.0
    assert path.run(0.1, 0.2, WAY_S + 3600.0) == pytest.approx(0.2)
