"""Rates are what arrives, by the clock of who receives it."""

from __future__ import annotations

import numpy as np
import pytest

from sfu.core.estimation.delivery import KEPT, Delivery
from sfu.core.estimation.groups import deal
from tests.support.paths import Bottleneck, batch

ROW = np.array([0])


def told(path: Bottleneck, now: float) -> Delivery:
    delivery = Delivery(1)
    delivery.reset(0)
    told = batch([path], now)
    delivery.on_groups(deal(ROW, told.reports["groups"], told.groups))
    return delivery


def test_below_what_the_path_carries_it_arrives_as_it_was_sent() -> None:
    path = Bottleneck(1, rate_bps=5e6)
    path.run(1e6, 0.0, 2.0)
    arrived, sent, later_s, _, sent_at_s = told(path, 10.0).pace(ROW, 0.5)
    assert later_s[0] == pytest.approx(0.0, abs=1e-6)
    assert sent_at_s[0] == pytest.approx(2.0 - path.spacing_s)
    assert arrived[0] == pytest.approx(1e6, rel=0.01)
    assert sent[0] == pytest.approx(1e6, rel=0.01)


def test_above_it_what_arrives_is_what_the_path_carries() -> None:
    path = Bottleneck(1, rate_bps=1e6)
    path.run(3e6, 0.0, 1.0)
    delivery = told(path, 10.0)
    for window_s in (0.2, 0.5):
        arrived, sent, later_s, _, _ = delivery.pace(ROW, window_s)
        assert later_s[0] == pytest.approx(window_s * 2 / 3, rel=0.35)
        assert arrived[0] == pytest.approx(1e6, rel=0.01)
        assert sent[0] == pytest.approx(3e6, rel=0.05)


def test_the_quickest_packet_of_the_last_moment_was_under_way_so_long() -> None:
    path = Bottleneck(1, rate_bps=1e6)
    path.run(0.5e6, 0.0, 1.0)
    calm_s = told(path, 10.0).pace(ROW, 0.2).under_way_s[0]
    path.run(3e6, 1.0, 1.5)
    assert told(path, 10.0).pace(ROW, 0.2).under_way_s[0] - calm_s == pytest.approx(1.0 - 0.2 * 2 / 3, abs=0.05)


def test_before_two_groups_have_come_there_is_no_rate() -> None:
    delivery = Delivery(1)
    delivery.reset(0)
    assert delivery.pace(ROW, 0.5).arrived_bps[0] == 0
    assert np.isinf(delivery.pace(ROW, 0.5).under_way_s[0])
    assert delivery.stretch(0, 0.0, 10.0).groups == 0


def test_after_a_pause_only_what_came_since_counts() -> None:
    path = Bottleneck(1, rate_bps=2e6)
    path.run(0.5e6, 0.0, 1.0)
    path._free_at = 1.8  # away
    path.run(0.5e6, 1.0, 1.9)
    arrived, _, later_s, _, _ = told(path, 10.0).pace(ROW, 0.2)
    assert arrived[0] == pytest.approx(2e6, rel=0.01)
    assert later_s[0] < 0, "what had waited comes faster than it was sent"


def test_nor_does_what_came_just_before_the_pause() -> None:
    """A path that is away for a moment while a queue stands: what passed before and after passed no slower."""
    path = Bottleneck(1, rate_bps=2e6)
    path.run(0.5e6, 0.0, 1.0)
    path._free_at = 1.13  # away
    path.run(0.5e6, 1.0, 1.02)
    arrived, _, later_s, _, _ = told(path, 10.0).pace(ROW, 0.2)
    assert (arrived[0], later_s[0]) == (0, 0), "nothing has come since, but for what ended it"


def test_one_group_after_a_pause_says_nothing_unless_there_are_only_pauses() -> None:
    path = Bottleneck(1, rate_bps=2e6)
    path.run(0.5e6, 0.0, 1.0)
    path.send(1000, 1.7)
    assert told(path, 10.0).pace(ROW, 0.2).arrived_bps[0] == 0
    slow = Bottleneck(1, rate_bps=30_000)
    slow.run(40_000, 0.0, 1.0)  # until 1.3
    for _ in range(3):
        slow.send(1000, 1.0)
    assert told(slow, 10.0).pace(ROW, 0.2).arrived_bps[0] == pytest.approx(30_000, rel=0.01)


def test_a_large_frame_that_trickles_in_is_no_pause() -> None:
    path = Bottleneck(1, rate_bps=3e6)
    path.run(1.5e6, 0.0, 1.0)
    path.rate_bps = 0.5e6
    path.send(15_000, 1.0)  # 240 ms
    arrived, _, later_s, _, _ = told(path, 10.0).pace(ROW, 0.2)
    assert arrived[0] == pytest.approx(0.5e6, rel=0.1)
    assert later_s[0] > 0.2


def test_a_stretch_is_of_what_was_sent_then() -> None:
    path = Bottleneck(1, rate_bps=2e6)
    path.run(1e6, 0.0, 1.0)
    path.run(4e6, 1.0, 1.2)
    path.run(1e6, 1.2, 1.4)
    stretch = told(path, 10.0).stretch(0, 1.0, 1.19)
    assert stretch.groups == 10
    assert stretch.sent_bps == pytest.approx(4e6, rel=0.01)
    assert stretch.arrived_bps == pytest.approx(2e6, rel=0.01)


@pytest.mark.parametrize(("longest_gap_s", "is_steady"), [(0.01, True), (0.09, False)])
def test_a_stretch_of_two_groups_is_steady_unless_it_was_a_pause(longest_gap_s: float, is_steady: bool) -> None:
    told = batch([Bottleneck(1, rate_bps=2e6)], 10.0)
    groups = np.zeros(2, told.groups.dtype)
    groups["sent_at_s"], groups["arrived_at_s"] = (1.0, 1.1), (2.0, 2.1)
    groups["bytes"], groups["longest_gap_s"] = 20_000, (0.5, longest_gap_s)
    delivery = Delivery(1)
    delivery.reset(0)
    delivery.on_groups(deal(ROW, np.array([2]), groups))
    assert (delivery.stretch(0, 0.0, 10.0).steady_for_s > 0) is is_steady


def test_in_a_stretch_a_first_group_that_was_overtaken_does_not_make_the_path_faster() -> None:
    path = Bottleneck(1, rate_bps=2e6)
    path.run(4e6, 0.0, 0.2)
    told = batch([path], 10.0)
    told.groups["arrived_at_s"][0] += 0.015
    delivery = Delivery(1)
    delivery.reset(0)
    delivery.on_groups(deal(ROW, told.reports["groups"], told.groups))
    assert delivery.stretch(0, 0.0, 1.0).arrived_bps == pytest.approx(2e6, rel=0.05)


def test_nor_does_one_of_which_a_packet_was_overtaken() -> None:
    """Its last arrival is late, and a tenth of a second is short."""
    path = Bottleneck(1, rate_bps=2e6)
    path.run(4e6, 0.0, 0.1)
    told = batch([path], 10.0)
    told.groups["arrived_at_s"][0] += 0.015
    delivery = Delivery(1)
    delivery.reset(0)
    delivery.on_groups(deal(ROW, told.reports["groups"], told.groups))
    stretch = delivery.stretch(0, 0.0, 1.0)
    assert stretch.groups == len(told.groups)
    assert (stretch.sent_bps, stretch.arrived_bps) == pytest.approx((4e6, 2e6), rel=0.01)


def test_more_groups_than_are_kept_push_out_the_oldest() -> None:
    path = Bottleneck(1, rate_bps=1e7, spacing_s=0.006)
    path.run(2e6, 0.0, 3 * KEPT * 0.006)
    assert told(path, 10.0).pace(ROW, 0.5).arrived_bps[0] == pytest.approx(2e6, rel=0.02)
