"""The whole estimator against bottlenecks, many at once; and hostile feedback, which must not break it."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.core.estimation.estimator import Estimator
from sfu.core.estimation.paths import AWAITED_S, DRAINED_S, GRACE_S
from sfu.core.estimation.rates import LEAST_BPS, START_BPS
from sfu.core.transport_feedback import CLUSTER, GROUP, NO_FEEDBACK, REPORT, FeedbackBatch
from tests.support.paths import Bottleneck, GroupRow, batch

TICK_S = 0.1
MOST_BPS = 8e6


class Paths:
    """Each Transport sends as much as its estimate allows, or as much as it has."""

    def __init__(self, *paths: Bottleneck, has_bps: float = inf) -> None:
        self.estimator = Estimator(16, MOST_BPS)
        self.paths = paths
        self.has_bps = has_bps
        self.now = 10.0
        for path in paths:
            self.estimator.add(path.transport, self.now)

    def bps(self, transport: int) -> int:
        estimate = self.estimator.estimate(transport)
        assert estimate is not None
        return estimate.bps

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_S)):
            for path in self.paths:
                path.run(min(self.bps(path.transport), self.has_bps), self.now, self.now + TICK_S)
            self.now += TICK_S
            self.estimator.on_feedback(batch(self.paths, self.now), self.now)


def test_each_path_is_estimated_for_itself() -> None:
    paths = Paths(Bottleneck(1, rate_bps=0.5e6), Bottleneck(2, rate_bps=2e6), Bottleneck(3, rate_bps=1e9))
    paths.run(30.0)
    assert 0.75 * 0.5e6 <= paths.bps(1) <= 1.06 * 0.5e6
    assert 0.75 * 2e6 <= paths.bps(2) <= 1.06 * 2e6
    assert paths.bps(3) == MOST_BPS
    assert all(path.queue_s(paths.now) < 0.3 for path in paths.paths)


def test_who_has_little_to_send_is_not_thought_to_have_a_thin_path() -> None:
    paths = Paths(Bottleneck(1, rate_bps=5e6, jitter_s=(0.0, 0.008, 0.002)), has_bps=0.2e6)
    paths.run(20.0)
    assert paths.bps(1) == START_BPS


def test_overuse_is_answered_within_half_a_second() -> None:
    paths = Paths(Bottleneck(1, rate_bps=1e9), has_bps=1e6)
    paths.run(3.0)
    paths.paths[0].rate_bps = 0.4e6
    paths.run(0.5)
    assert paths.bps(1) < 0.6e6


@pytest.mark.parametrize("by", ["a probe", "a key frame"])
def test_what_left_before_is_not_excused(by: str) -> None:
    """A path falls, and something that makes a queue begins before that has shown."""
    paths = Paths(Bottleneck(1, rate_bps=1e9), has_bps=0.75e6)
    paths.run(3.0)
    paths.paths[0].rate_bps = 0.45e6
    paths.run(0.2)
    if by == "a probe":
        paths.estimator.set_goal(1, 4e6, paths.now)
        assert len(paths.estimator.take_probes(paths.now)) == 1
    else:
        paths.estimator.on_burst(1, paths.now)
    paths.run(0.3)
    assert paths.bps(1) < 0.6e6


def test_a_probe_is_beside_what_leaves_and_not_what_arrives() -> None:
    """A round trip of 0.4 s ago half as much was sent."""
    beside_bps = []
    for in_flight_bytes in (25_000, 50_000):
        paths = Paths(Bottleneck(1, rate_bps=1e9), has_bps=0.5e6)
        paths.run(3.0)
        paths.estimator.set_goal(1, 4e6, paths.now)
        report = np.array([(1, paths.now, 0.4, 1, 0, 0, 0, in_flight_bytes, 0)], REPORT)
        paths.estimator.on_feedback(FeedbackBatch(report, np.empty(0, GROUP), np.empty(0, CLUSTER)), paths.now)
        (probe,) = paths.estimator.take_probes(paths.now)
        beside_bps.append(probe.rate_bps)
    assert beside_bps[0] - beside_bps[1] == pytest.approx(8 * 25_000 / 0.5, rel=0.05)


def test_changes_are_told_once_and_small_ones_not() -> None:
    paths = Paths(Bottleneck(1, rate_bps=1e9))
    paths.run(5.0)
    assert paths.estimator.take_changed(paths.now) == [1]
    assert paths.estimator.take_changed(paths.now) == []


def test_who_was_removed_is_nobody() -> None:
    paths = Paths(Bottleneck(1, rate_bps=1e6), Bottleneck(2, rate_bps=1e6))
    paths.run(1.0)
    paths.estimator.set_goal(1, 9e6, paths.now)
    paths.estimator.remove(1)
    assert paths.estimator.estimate(1) is None and 1 not in paths.estimator and len(paths.estimator) == 1
    assert paths.estimator.take_probes(paths.now) == []
    for each in paths.paths:
        each.run(1e6, paths.now, paths.now + 0.1)
    paths.estimator.on_feedback(batch(paths.paths, paths.now + 0.5), paths.now + 0.5)
    assert paths.estimator.estimate(2) is not None


def test_a_probe_measures_what_the_path_carries() -> None:
    path = Bottleneck(1, rate_bps=1.6e6)
    paths = Paths(path, has_bps=0.5e6)
    paths.run(2.0)
    paths.estimator.set_goal(1, 6e6, paths.now)
    (probe,) = paths.estimator.take_probes(paths.now)
    assert paths.estimator.take_probes(paths.now) == []
    began = paths.now
    path.run(0.5e6 + probe.rate_bps, began, began + 0.2)
    cluster = (1, probe.cluster, probe.packets, 20_000, began, began + 0.18, 20, 20_000, 0.0, 0.0, 1000, 1000)
    paths.estimator.on_feedback(batch([path], began + 0.5, [cluster]), began + 0.5)
    assert paths.bps(1) == pytest.approx(0.95 * 1.6e6, rel=0.05)


@pytest.mark.parametrize("comes", [True, False])
def test_no_probe_is_sent_just_before_a_key_frame_or_just_behind_it(comes: bool) -> None:
    paths = Paths(Bottleneck(1, rate_bps=3e6), has_bps=0.5e6)
    paths.run(2.0)
    paths.estimator.set_goal(1, 6e6, paths.now)
    paths.estimator.expect_burst(1, paths.now)
    assert paths.estimator.take_probes(paths.now + AWAITED_S - 0.01) == []
    if comes:
        paths.estimator.on_burst(1, paths.now + 0.4)
    assert len(paths.estimator.take_probes(paths.now + AWAITED_S)) == (not comes)
    assert len(paths.estimator.take_probes(paths.now + 0.4 + DRAINED_S)) == comes


def test_who_is_sent_pictures_and_never_reports_is_not_estimated_until_it_does() -> None:
    path = Bottleneck(1, rate_bps=1e9)
    paths = Paths(path, Bottleneck(2, rate_bps=1e9))
    estimator, since = paths.estimator, paths.now
    estimator.on_feedback(NO_FEEDBACK, since + 10)
    assert estimator.take_changed(since + 10) == [] and paths.bps(1) == START_BPS  # nothing was sent to it
    estimator.expect_reports(1, since + 10)
    estimator.expect_reports(1, since + 11)
    estimator.set_goal(1, 7e6, since + 11)
    assert estimator.take_changed(since + 10 + GRACE_S - 0.1) == [] and paths.bps(1) == START_BPS
    assert estimator.take_changed(since + 10 + GRACE_S) == [1]
    assert estimator.estimate(1) is None and estimator.estimate(2) is not None
    assert estimator.take_probes(since + 13) == [], "nobody would answer"
    assert estimator.take_changed(since + 14) == []
    path.run(1e6, since + 20, since + 20.1)
    estimator.on_feedback(batch([path], since + 20.2), since + 20.2)
    assert estimator.take_changed(since + 20.2) == [1]
    assert paths.bps(1) == pytest.approx(START_BPS, rel=0.1)


@pytest.mark.parametrize("stalls", [False, True])
def test_what_has_piled_up_while_this_machine_was_busy_is_no_overuse(stalls: bool) -> None:
    path = Bottleneck(1, rate_bps=1e6)
    paths = Paths(path, has_bps=0.4e6)
    paths.run(3.0)
    for _ in range(8):
        paths.now += TICK_S
        if not stalls:
            paths.estimator.on_feedback(NO_FEEDBACK, paths.now)
    for _ in range(2):
        path.run(2.2e6, paths.now, paths.now + TICK_S)
        paths.now += TICK_S
        paths.estimator.on_feedback(batch([path], paths.now), paths.now)
    paths.run(1.0)
    assert (paths.bps(1) >= START_BPS) is stalls


def test_no_feedback_changes_nothing() -> None:
    paths = Paths(Bottleneck(1, rate_bps=1e6))
    paths.estimator.on_feedback(NO_FEEDBACK, 11.0)
    assert paths.bps(1) == START_BPS


times = st.floats(-1e3, 1e6, allow_nan=False)
deltas = st.floats(-3.0, 100.0, allow_nan=False)
counts = st.integers(0, 10_000)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(
                st.tuples(times, times, st.floats(0.0, 100.0), deltas, st.floats(0.0, 100.0), counts), max_size=30
            ),
            st.tuples(st.sampled_from((nan, 0.0, 0.05, 30.0)), counts, counts, counts, counts),
            st.one_of(st.none(), st.tuples(counts, times, times, counts)),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_a_remote_says_the_estimate_stays_within_its_bounds(
    told: list[tuple[list[GroupRow], tuple[float, int, int, int, int], tuple[int, float, float, int] | None]],
) -> None:
    estimator = Estimator(2, MOST_BPS)
    estimator.add(1, 0.0)
    estimator.set_goal(1, 7e6, 0.0)
    now = 0.0
    for rows, (rtt_s, acked, lost, reordered, in_flight), cluster in told:
        now += 0.1
        estimator.take_probes(now)
        clusters = []
        if cluster is not None:
            packets, first, last, size = cluster
            clusters.append((1, 1, packets, size, first, last, packets, size, nan, nan, 0, 0))
        report = (1, now, rtt_s, acked, acked * 1000, lost, reordered, in_flight, len(rows))
        estimator.on_feedback(
            FeedbackBatch(np.array([report], REPORT), np.array(rows, GROUP), np.array(clusters, CLUSTER)), now
        )
        estimate = estimator.estimate(1)
        assert estimate is not None
        assert LEAST_BPS <= estimate.bps <= MOST_BPS
        assert 0 <= estimate.lost_share <= 1
