"""Probing goes on while it succeeds, waits longer while it does not, and never without a use for more."""

from __future__ import annotations

import numpy as np
import pytest

from sfu.core.estimation.delivery import Stretch
from sfu.core.estimation.probing import (
    ASKS_AGAIN_S,
    BOLD,
    CAREFUL,
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    LOWERS_TO,
    NEVER_ANSWERED_S,
    REFUSED_WAIT_S,
    SATURATED,
    WORTHWHILE,
    Probing,
)


class Prober:
    """Against a path that carries so much."""

    def __init__(self, carries_bps: float, goal_bps: float, rate_bps: float = 1e6) -> None:
        self.probing = Probing(1)
        self.probing.reset(0)
        self.carries_bps = carries_bps
        self.rate_bps = rate_bps
        self.queue_stands = False
        self.now = 0.0
        self.tried: list[tuple[float, float]] = []  # (time, total rate)
        self.probing.set_goal(0, goal_bps, 0.0)

    def is_due(self) -> bool:
        return bool(len(self.probing.due(np.array([self.rate_bps]), np.array([self.queue_stands]), self.now)))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            if self.is_due():
                arriving_bps = 0.8 * self.rate_bps
                probe = self.probing.begin(0, 7, self.rate_bps, arriving_bps, self.now)
                total_bps = probe.rate_bps + arriving_bps
                self.tried.append((self.now, total_bps))
                stretch = Stretch(10, total_bps, min(total_bps, self.carries_bps), 0.15)
                self.now += 0.3
                found = self.probing.on_answer(0, 1100.0, stretch, self.rate_bps, False, self.now)
                if found is not None:
                    self.rate_bps = found
            self.now += 0.05


def probing_for(goal_bps: float) -> Probing:
    probing = Probing(1)
    probing.reset(0)
    probing.set_goal(0, goal_bps, 0.0)
    return probing


def test_it_doubles_until_there_is_no_use_for_more() -> None:
    prober = Prober(carries_bps=1e9, goal_bps=5e6)
    prober.run(3.0)
    assert [round(total / 1e6, 1) for _, total in prober.tried] == [2.0, 4.0, 5.2]
    assert prober.rate_bps == pytest.approx(WORTHWHILE * 5e6)


def test_where_the_path_ends_it_stays_below_and_asks_less_and_less() -> None:
    prober = Prober(carries_bps=3e6, goal_bps=9e6)
    prober.run(60.0)
    assert prober.rate_bps == pytest.approx(SATURATED * 3e6)
    waits = np.diff([at for at, _ in prober.tried][2:])
    assert waits[0] >= FIRST_WAIT_S and waits[-1] == pytest.approx(LONGEST_WAIT_S + 0.3, abs=0.1)
    assert all(total <= CAREFUL * 3e6 for _, total in prober.tried[3:])


@pytest.mark.parametrize(("steady_for_s", "found_bps"), [(0.1, 2.9e6), (0.01, None)])
def test_what_queues_up_is_one_group_and_tells_something_if_it_takes_its_time(
    steady_for_s: float, found_bps: float | None
) -> None:
    prober = Prober(carries_bps=3e6, goal_bps=9e6)
    prober.probing.begin(0, 7, 1.5e6, 1e6, 0.0)
    assert prober.probing.on_answer(0, 1100.0, Stretch(2, 3e6, 2.9e6, steady_for_s), 1.5e6, False, 0.3) == found_bps


def test_not_while_a_key_frame_is_on_its_way() -> None:
    prober = Prober(carries_bps=3e6, goal_bps=9e6)
    prober.probing.hold(np.array([0]), 0.5)
    prober.probing.hold(np.array([0]), 0.2)
    prober.run(1.0)
    assert 0.5 <= prober.tried[0][0] < 0.6


def test_a_limit_that_lifts_is_found_within_the_longest_wait() -> None:
    prober = Prober(carries_bps=1e6, goal_bps=9e6)
    prober.run(60.0)
    prober.carries_bps = 3e6
    prober.run(LONGEST_WAIT_S + 2.0)
    assert prober.rate_bps >= 0.85 * 3e6


def test_nothing_is_probed_for_without_use() -> None:
    prober = Prober(carries_bps=1e9, goal_bps=0.0)
    prober.run(10.0)
    assert prober.tried == []
    prober.probing.set_goal(0, 1.02e6, prober.now)
    assert prober.is_due(), "what is missing may be little"


def test_after_overuse_it_waits_and_is_careful_though_more_is_wanted_now() -> None:
    prober = Prober(carries_bps=1e9, goal_bps=0.0)
    prober.probing.on_fall(np.array([0]), 0.0)
    prober.probing.set_goal(0, 6e6, 0.0)
    prober.run(FIRST_WAIT_S - 0.1)
    assert prober.tried == []
    prober.run(0.2)
    assert prober.tried[0][1] == pytest.approx(CAREFUL * 1e6) and CAREFUL < BOLD


def test_a_fall_makes_void_the_probe_that_was_under_way() -> None:
    probing, row, now = probing_for(9e6), np.array([0]), 1.0
    probe = probing.begin(0, 7, 1e6, 0.5e6, now)
    probing.on_fall(row, now + 0.3)
    assert not probing.expects(0, probe.cluster)
    assert probing.is_under_way(row, np.array([now]), now + 0.3)[0], "but its queue is still its own"
    assert probing.begin(0, 7, 0.4e6, 0.2e6, now + 0.3 + FIRST_WAIT_S).cluster != probe.cluster


def test_when_much_more_is_wanted_than_before_it_does_not_wait() -> None:
    prober = Prober(carries_bps=1e6, goal_bps=2e6)
    prober.run(20.0)
    tried = len(prober.tried)
    prober.probing.set_goal(0, 6e6, prober.now)
    prober.run(0.1)
    assert len(prober.tried) == tried + 1


def test_a_queue_that_stands_is_not_made_longer() -> None:
    prober = Prober(carries_bps=1e9, goal_bps=2e6)
    prober.queue_stands = True
    prober.run(5.0)
    assert prober.tried == []
    prober.queue_stands = False
    assert prober.is_due()


@pytest.mark.parametrize(
    ("steady_for_s", "is_queued", "expected_bps"), [(0.0, True, 0.9e6), (0.15, False, 0.9e6), (0.0, False, 1e6)]
)
def test_a_slow_answer_is_the_paths_doing_if_a_queue_stands_or_packets_came_one_after_the_other(
    steady_for_s: float, is_queued: bool, expected_bps: float
) -> None:
    probing = probing_for(9e6)
    stretch = Stretch(10, 2e6, 0.5e6, steady_for_s)
    assert probing.on_answer(0, 1100.0, stretch, 1e6, is_queued, 0.3) == pytest.approx(expected_bps)


def test_what_is_far_below_the_estimate_is_asked_again_and_then_believed() -> None:
    prober = Prober(carries_bps=0.5e6, goal_bps=9e6)
    prober.run(0.4)
    assert prober.rate_bps == pytest.approx(LOWERS_TO * 1e6)
    prober.run(ASKS_AGAIN_S + 0.4)
    assert prober.rate_bps == pytest.approx(SATURATED * 0.5e6)
    prober.run(60.0)
    assert prober.rate_bps == pytest.approx(SATURATED * 0.5e6)


def test_of_two_doubts_the_smaller_one_is_believed() -> None:
    probing = probing_for(9e6)
    probing.on_answer(0, 1100.0, Stretch(10, 2e6, 0.6e6, 0.15), 1e6, False, 0.3)
    assert probing.on_answer(0, 1100.0, Stretch(10, 2e6, 0.3e6, 0.15), 0.9e6, False, 1.5) == pytest.approx(0.57e6)
    assert probing.on_answer(0, 1100.0, Stretch(10, 2e6, 0.3e6, 0.15), 0.57e6, False, 4.0) == pytest.approx(0.513e6)


@pytest.mark.parametrize("between", ["success", "fall"])
def test_doubts_with_something_else_between_them_are_one_each(between: str) -> None:
    probing = probing_for(9e6)
    slow = Stretch(10, 2e6, 0.5e6, 0.15)
    probing.on_answer(0, 1100.0, slow, 1e6, False, 0.3)
    if between == "success":
        probing.on_answer(0, 1100.0, Stretch(10, 1e6, 1e6, 0.15), 1e6, False, 1.5)
    else:
        probing.on_fall(np.array([0]), 1.0)
    assert probing.on_answer(0, 1100.0, slow, 1e6, False, 3.0) == pytest.approx(LOWERS_TO * 1e6)


def test_only_what_left_since_the_first_of_several_began_may_wait_behind_one() -> None:
    probing, row = Probing(1), np.array([0])
    probing.reset(0)
    probing.set_goal(0, 9e6, 0.0)
    probing.begin(0, 7, 1e6, 0.0, 1.0)
    probing.begin(0, 7, 2e6, 0.0, 1.3)
    left_s, now = np.array([0.9]), 1.4
    assert not probing.is_under_way(row, left_s, now)[0]
    assert probing.is_under_way(row, left_s + 0.2, now)[0]
    assert not probing.is_under_way(row, left_s + 0.2, 3.0)[0]
    probing.begin(0, 7, 2e6, 0.0, 5.0)
    assert not probing.is_under_way(row, left_s + 0.2, 5.1)[0], "that was an earlier one's"


def test_a_stall_says_nothing_and_does_not_come_between() -> None:
    probing = probing_for(9e6)
    slow = Stretch(10, 2e6, 0.5e6, 0.15)
    probing.on_answer(0, 1100.0, slow, 1e6, False, 0.3)
    assert probing.on_answer(0, 1100.0, slow._replace(steady_for_s=0.0), 0.9e6, False, 1.5) == pytest.approx(0.9e6)
    assert probing.on_answer(0, 1100.0, slow, 0.9e6, False, 3.0) == pytest.approx(SATURATED * 0.5e6)


@pytest.mark.parametrize(("later_s", "expected_bps"), [(0.1, 0.5e6), (10.0, LOWERS_TO * 0.8e6)])
def test_what_a_probe_found_is_taken_back_when_the_next_says_something_else(
    later_s: float, expected_bps: float
) -> None:
    probing = probing_for(9e6)
    assert probing.on_answer(0, 1100.0, Stretch(10, 0.8e6, 0.8e6, 0.15), 0.5e6, False, 0.3) == pytest.approx(0.8e6)
    probing.begin(0, 7, 0.8e6, 0.2e6, 0.3 + later_s)
    slow = Stretch(10, 1.6e6, 0.4e6, 0.15)
    assert probing.on_answer(0, 1100.0, slow, 0.8e6, False, 0.6 + later_s) == pytest.approx(expected_bps)


def test_what_the_plane_refuses_or_never_answers_is_tried_again() -> None:
    prober = Prober(carries_bps=1e9, goal_bps=9e6)
    prober.probing.begin(0, 7, 1e6, 0.0, 0.0)
    prober.probing.on_refused(0, 0.0)
    assert not prober.is_due() and not prober.probing.is_under_way(np.array([0]), np.zeros(1), 0.0)[0]
    prober.now = REFUSED_WAIT_S
    assert prober.is_due()
    probe = prober.probing.begin(0, 7, 1e6, 0.0, prober.now)
    assert prober.probing.expects(0, probe.cluster) and not prober.is_due()
    prober.now += NEVER_ANSWERED_S + 2.0
    assert prober.is_due() and not prober.probing.expects(0, probe.cluster)


def test_an_answer_about_too_little_says_nothing() -> None:
    prober = Prober(carries_bps=1e9, goal_bps=9e6)
    prober.probing.begin(0, 7, 1e6, 0.0, 0.0)
    assert prober.probing.on_answer(0, 0.0, Stretch(1, 0.0, 0.0, 0.0), 1e6, False, 0.3) is None
