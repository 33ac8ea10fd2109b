"""Whatever a clock does, frames lie where they were captured: within milliseconds with reports, never in the future."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.media.clock import ClockFigures, StreamClock

RATE = 90_000
WRAP = 1 << 32


def reading(clock: StreamClock, timestamp: int, at_s: float) -> None:
    clock.on_reading(timestamp % WRAP, at_s)


@given(
    base=st.integers(0, WRAP - 1),
    ppm=st.floats(-500, 500),
    first_report=st.integers(0, 50),
    delays=st.lists(st.floats(0.0, 0.2), min_size=200, max_size=200),
)
def test_with_reports_each_frame_is_placed_when_it_was_captured(
    base: int, ppm: float, first_report: int, delays: list[float]
) -> None:
    """Also across the wrap of 32 bits, of which timestamps here are unwrapped and readings are not."""
    clock = StreamClock(RATE, ClockFigures(RATE))
    for number, delay_s in enumerate(delays):
        captured_s = number / 25
        timestamp = base + round(captured_s * RATE * (1 + ppm / 1e6))
        clock.on_arrival(timestamp, captured_s + delay_s)
        if number >= first_report and number % 25 == 0:
            reading(clock, timestamp, captured_s)
        if clock.has_reading:
            assert abs(clock.captured_s(timestamp, captured_s + delay_s) - captured_s) < 0.001


@given(st.lists(st.tuples(st.integers(-(1 << 40), 1 << 40), st.floats(0, 1e5)), min_size=1, max_size=50), st.data())
def test_nonsense_is_never_placed_in_the_future_or_backwards_by_much(
    packets: list[tuple[int, float]], data: st.DataObject
) -> None:
    clock = StreamClock(RATE, ClockFigures(RATE))
    now, last_s = 0.0, float("-inf")
    for timestamp, step_s in packets:
        now += step_s
        clock.on_arrival(timestamp, now)
        if data.draw(st.booleans()):
            reading(clock, data.draw(st.integers(0, WRAP - 1)), data.draw(st.floats(-1e6, 1e6)))
        captured_s = clock.captured_s(timestamp, now)
        assert captured_s <= max(now + 0.25, last_s)
        assert captured_s >= last_s - 0.25
        last_s = captured_s


@pytest.mark.parametrize("leap_s", [-10_000, -60, -5, -1, 3, 60, 10_000])
def test_after_a_leap_of_rtp_time_frames_go_on_where_they_are(leap_s: int) -> None:
    figures = ClockFigures(RATE)
    clock = StreamClock(RATE, figures)
    worst_s = 0.0
    for number in range(500):
        captured_s = number / 25
        leapt = leap_s * RATE if number >= 200 else 0
        timestamp = (1 << 33) + round(captured_s * RATE) + leapt
        clock.on_arrival(timestamp, captured_s + 0.05)
        if number % 25 == 3 and not 200 <= number < 240:  # reports of the old line, then of the new
            reading(clock, timestamp, captured_s)
        if number in (204, 210):  # one that was made before the leap and comes late
            reading(clock, timestamp - leap_s * RATE, captured_s)
        placed_s = clock.captured_s(timestamp, captured_s + 0.05)
        worst_s = max(worst_s, abs(placed_s - captured_s))
    assert worst_s < 0.06
    assert len(figures.jumps) == 1 and abs(figures.jumps[0].by_s - leap_s) < 0.1


def test_a_queue_of_seconds_is_no_leap() -> None:
    figures = ClockFigures(RATE)
    clock = StreamClock(RATE, figures)
    for number in range(300):
        captured_s = number / 25
        arrived_s = max(captured_s + 0.03, 7.0) if 100 <= number < 180 else captured_s + 0.03
        timestamp = round(captured_s * RATE)
        clock.on_arrival(timestamp, arrived_s)
        if number % 25 == 0 and not 100 <= number < 180:
            reading(clock, timestamp, captured_s)
        assert abs(clock.captured_s(timestamp, arrived_s) - captured_s) < 0.001
    assert not figures.jumps


def test_without_reports_the_least_delay_says_when_and_drift_is_followed() -> None:
    random = Random(1)
    clock = StreamClock(RATE, ClockFigures(RATE))
    errors = []
    for number in range(25 * 300):
        captured_s = number / 25
        timestamp = round(captured_s * RATE * (1 + 200e-6))
        arrived_s = captured_s + 0.02 + random.expovariate(50)
        clock.on_arrival(timestamp, arrived_s)
        errors.append(abs(clock.captured_s(timestamp, arrived_s) - captured_s - 0.02))
    assert max(errors[250:]) < 0.015


def test_drift_is_measured() -> None:
    random = Random(2)
    figures = ClockFigures(RATE)
    clock = StreamClock(RATE, figures)
    for second in range(120):
        timestamp = round(second * RATE * (1 + 100e-6))
        clock.on_arrival(timestamp, second + 0.05)
        reading(clock, timestamp, second + random.uniform(-0.001, 0.001))
    assert figures.drift_ppm is not None and abs(figures.drift_ppm - 100) < 5
