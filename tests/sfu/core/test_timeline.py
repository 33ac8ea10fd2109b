"""A publisher's sender reports become capture times on the server's clock, steadily."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.timeline import JUMP_S, MAX_SLEW, WINDOW_S, ClockReading, PublisherClock
from sfu.wire.rtcp import ntp_from_unix

# Machines that run tests are loaded: how long an example takes says nothing.
VIDEO, AUDIO = (1, 0), (2, 0)
RATE = {VIDEO: 90_000, AUDIO: 48_000}
BASE = {VIDEO: 4_294_900_000, AUDIO: 1000}  # the video's wraps soon


class Publisher:
    """Its clock is `ahead_s` of the server's and gains `drift` seconds per second."""

    def __init__(self, clock: PublisherClock, ahead_s: float = 1_700_000_000.0, drift: float = 0.0) -> None:
        self.clock = clock
        self.ahead_s = ahead_s
        self.drift = drift

    def report(self, source: tuple[int, int], sent_s: float, delay_s: float, slip_s: float = 0.0) -> list[ClockReading]:
        own_s = sent_s * (1 + self.drift)
        return self.clock.on_sender_report(
            *source,
            RATE[source],
            ntp_from_unix(self.ahead_s + own_s),
            int(BASE[source] + (own_s + slip_s) * RATE[source]) & 0xFFFF_FFFF,
            sent_s + delay_s,
        )

    def capture(self, source: tuple[int, int], captured_s: float, delay_s: float) -> list[ClockReading]:
        own_s = captured_s * (1 + self.drift)
        ntp, timestamp = ntp_from_unix(self.ahead_s + own_s), int(BASE[source] + own_s * RATE[source]) & 0xFFFF_FFFF
        return self.clock.on_capture_time(*source, RATE[source], ntp, timestamp, captured_s + delay_s)


def captured_at(reading: ClockReading, own_s: float) -> float:
    """Where on the server's clock this reading puts what the publisher captured at `own_s` of its own."""
    source = (reading.track, reading.layer)
    ticks = (int(BASE[source] + own_s * RATE[source]) - reading.rtp_timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
    return reading.at_s + ticks / RATE[source]


def test_the_report_that_waited_least_decides() -> None:
    publisher = Publisher(PublisherClock())
    (slow,) = publisher.report(VIDEO, sent_s=1.0, delay_s=0.2)
    assert slow.at_s == pytest.approx(1.2, abs=1e-4)
    (quick,) = publisher.report(VIDEO, sent_s=2.0, delay_s=0.03)
    assert quick.at_s == pytest.approx(2.03, abs=1e-4)
    (slow,) = publisher.report(VIDEO, sent_s=3.0, delay_s=0.4)
    assert slow.at_s == pytest.approx(3.03, abs=1e-4)


def test_all_layers_of_a_publisher_move_together() -> None:
    publisher = Publisher(PublisherClock())
    publisher.report(AUDIO, sent_s=1.0, delay_s=0.1)
    readings = publisher.report(VIDEO, sent_s=1.2, delay_s=0.02)
    assert {(reading.track, reading.layer) for reading in readings} == {AUDIO, VIDEO}
    assert {round(captured_at(reading, own_s=5.0), 4) for reading in readings} == {5.02}
    assert len(publisher.report(VIDEO, sent_s=2.2, delay_s=0.02)) == 1


def test_a_report_without_a_clock_says_nothing() -> None:
    assert PublisherClock().on_sender_report(1, 0, 90_000, 0, 1234, 1.0) == []


@pytest.mark.parametrize("drift", [-100e-6, 100e-6])
def test_follows_a_drifting_clock_without_a_jump(drift: float) -> None:
    publisher = Publisher(PublisherClock(), drift=drift)
    draw = random.Random(7)
    offsets = []
    for second in range(1, 600):
        (reading,) = publisher.report(VIDEO, float(second), 0.02 + draw.random() * 0.01)
        offsets.append(reading.at_s - second)
        assert -0.001 <= reading.at_s - second <= 0.02 + 100e-6 * WINDOW_S + 0.01
    assert max(abs(b - a) for a, b in itertools.pairwise(offsets)) <= MAX_SLEW + 1e-6


def test_one_report_far_off_is_ignored_and_a_clock_set_anew_is_believed_the_second_time() -> None:
    publisher = Publisher(PublisherClock())
    publisher.report(VIDEO, 1.0, 0.02)
    publisher.ahead_s += 10 * JUMP_S
    assert publisher.report(VIDEO, 2.0, 0.02) == []
    publisher.ahead_s -= 10 * JUMP_S
    (reading,) = publisher.report(VIDEO, 3.0, 0.02)
    assert reading.at_s == pytest.approx(3.02, abs=1e-4)
    publisher.ahead_s -= 3600
    assert publisher.report(VIDEO, 4.0, 0.02) == []
    (reading,) = publisher.report(VIDEO, 5.0, 0.02)
    assert reading.at_s == pytest.approx(5.02, abs=1e-4)


def test_a_layer_whose_rtp_clock_contradicts_its_ntp_clock_is_believed_the_second_time() -> None:
    publisher = Publisher(PublisherClock())
    publisher.report(VIDEO, 1.0, 0.02)
    assert publisher.report(VIDEO, 2.0, 0.02, slip_s=30.0) == []
    (reading,) = publisher.report(VIDEO, 3.0, 0.02, slip_s=30.0)
    assert captured_at(reading, own_s=33.0) == pytest.approx(3.02, abs=1e-3)


def test_a_new_ssrc_starts_a_clock_of_its_own() -> None:
    publisher = Publisher(PublisherClock())
    publisher.report(VIDEO, 1.0, 0.02)
    publisher.clock.forget_layer(*VIDEO)
    assert len(publisher.report(VIDEO, 2.0, 0.02, slip_s=12_345.0)) == 1


def test_reports_that_name_sound_late_do_not_move_it() -> None:
    """As browsers do: the moment is that of sending, some 20 ms after the capture and another in each report."""
    publisher, draw = Publisher(PublisherClock()), random.Random(3)
    places = []
    for second in range(1, 120):
        publisher.report(VIDEO, float(second), 0.02)
        if second % 5 == 0:
            readings = publisher.report(AUDIO, second + 0.3, 0.02, slip_s=-0.02 - 0.022 * draw.random())
            places += [captured_at(one, own_s=100.0) - 100.0 for one in readings if (one.track, one.layer) == AUDIO]
    assert all(0.02 + 0.019 <= place <= 0.02 + 0.043 for place in places)
    assert max(places[6:]) - min(places[6:]) < 0.005  # 0.022 when each report was taken as it was


def test_a_packet_that_says_when_it_was_captured_is_believed_more() -> None:
    publisher = Publisher(PublisherClock())
    assert publisher.capture(AUDIO, 0.5, 0.03) == []  # of which clock, is not known yet
    publisher.report(VIDEO, 1.0, 0.02)
    publisher.report(AUDIO, 1.1, 0.02, slip_s=-0.035)
    (reading,) = publisher.capture(AUDIO, 1.2, 0.045)
    assert captured_at(reading, own_s=5.0) == pytest.approx(5.02, abs=1e-3)
    assert publisher.capture(AUDIO, 1.6, 0.05) == []  # nothing new
    readings = publisher.report(AUDIO, 6.1, 0.02, slip_s=-0.03)
    assert captured_at(readings[0], own_s=7.0) == pytest.approx(7.02, abs=1e-3)


@pytest.mark.parametrize("ahead_s", [-3600.0, 3.0, 3600.0])
def test_capture_times_of_another_clock_are_not_believed(ahead_s: float) -> None:
    publisher = Publisher(PublisherClock())
    publisher.report(VIDEO, 1.0, 0.02)
    publisher.ahead_s += ahead_s
    assert all(publisher.capture(VIDEO, 1.0 + second, 0.03) == [] for second in range(10))
    assert all(publisher.capture(AUDIO, 1.0 + second, 0.03) == [] for second in range(10))


@pytest.mark.parametrize("by_s", [-0.4, 0.4])
def test_an_rtp_clock_that_stood_still_for_a_moment_is_followed_at_once(by_s: float) -> None:
    publisher = Publisher(PublisherClock())
    for second in range(1, 20):
        publisher.report(AUDIO, float(second), 0.02)
    assert publisher.report(AUDIO, 20.0, 0.02, slip_s=by_s) == []
    (reading,) = publisher.report(AUDIO, 21.0, 0.02, slip_s=by_s)
    assert captured_at(reading, own_s=22.0 + by_s) == pytest.approx(22.02, abs=1e-3)


@given(st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO]), st.floats(0.01, 3.0), st.floats(0.0, 1.5)), max_size=80))
def test_capture_times_stay_within_the_delays_seen_and_sources_agree(
    reports: list[tuple[tuple[int, int], float, float]],
) -> None:
    publisher = Publisher(PublisherClock())
    sent_s, latest = 0.0, {}
    delays = []
    for source, wait_s, delay_s in reports:
        sent_s += wait_s
        delays.append(delay_s)
        for reading in publisher.report(source, sent_s, delay_s):
            latest[reading.track, reading.layer] = reading
        places = [captured_at(reading, own_s=100.0) - 100.0 for reading in latest.values()]
        assert all(min(delays) - 1e-3 <= place <= max(delays) + 1e-3 for place in places)
        assert max(places) - min(places) <= 0.0015
