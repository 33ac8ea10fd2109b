"""Arithmetic on what was counted."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.traffic.counts import BUCKETS, Counts, Histogram, StreamCounts, bucket_of, count_durations

DURATIONS = st.integers(0, 1 << 40)


def stream(received: int, expected: int, ssrc: int = 1, duplicates: int = 0) -> StreamCounts:
    return StreamCounts(0, ssrc, "video", received, expected, duplicates, 0, None, None)


@given(st.lists(DURATIONS, min_size=1))
def test_percentiles_are_those_of_the_durations_within_three_percent(durations: list[int]) -> None:
    ordered = sorted(durations)
    histogram = count_durations(durations)
    for percent in (50.0, 99.0, 99.9):
        exact = ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]
        found = histogram.percentile_ms(percent)
        assert found is not None
        assert found * 1e6 == pytest.approx(exact, rel=0.032, abs=0.5)


@given(DURATIONS, DURATIONS)
def test_longer_durations_never_fall_into_lower_buckets(one: int, other: int) -> None:
    short, long = sorted((one, other))
    assert 0 <= bucket_of(short) <= bucket_of(long) < BUCKETS


def test_durations_below_zero_count_as_none_and_endless_ones_as_the_longest() -> None:
    assert (bucket_of(-5), bucket_of(1 << 62)) == (0, BUCKETS - 1)


@given(st.lists(DURATIONS), st.lists(DURATIONS))
def test_a_window_holds_what_was_counted_in_it(before: list[int], later: list[int]) -> None:
    window = count_durations(before + later).since(count_durations(before))
    assert window.buckets == count_durations(later).buckets


def test_of_nothing_there_is_no_percentile() -> None:
    assert Histogram().percentile_ms(50) is None


def test_loss_is_what_the_numbers_of_all_streams_miss() -> None:
    counts = Counts(1.0, streams=(stream(90, 100), stream(100, 100, ssrc=2)))
    assert (counts.lost, counts.loss) == (10, 0.05)


def test_a_window_in_which_more_was_late_than_lost_has_no_loss() -> None:
    window = Counts(2.0, streams=(stream(100, 100),)).since(Counts(1.0, streams=(stream(40, 50),)))
    assert (window.lost, window.loss) == (-10, 0.0)


def test_a_stream_that_began_in_the_window_counts_from_its_first_packet() -> None:
    window = Counts(2.0, received=30, streams=(stream(30, 40),)).since(Counts(1.0))
    assert (window.lost, window.received_per_s) == (10, 30.0)


def test_what_never_came_is_a_shortfall_though_no_number_is_missing() -> None:
    counts = Counts(1.0, received=60)
    assert (counts.loss, counts.shortfall(100), counts.shortfall(50)) == (0.0, 0.4, 0.0)
