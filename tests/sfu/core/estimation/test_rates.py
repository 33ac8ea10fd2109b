"""Down at once to what the path carries, up by little, never far beyond what arrives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from sfu.core.estimation.rates import (
    BACK_OFF,
    HEADROOM,
    HEADROOM_BPS,
    LEAST_BPS,
    LIMITED_BACK_OFF,
    START_BPS,
    Rates,
    Signals,
)
from sfu.core.estimation.trend import Usage

ROW = np.array([0])
MOST_BPS = 8e6
EVERY_S = 0.1


@dataclass
class Case:
    """An estimate of 2 Mbit/s, and what is seen for a second."""

    usage: Usage = Usage.NORMAL
    arriving_bps: float = 2e6
    carried_bps: float = 2e6
    later_s: float = 0.0
    waited_s: float = 0.0
    rose_s: float = 0.0
    lost_share: float = 0.0
    is_losing: bool = False
    may_grow: bool = True
    is_excused: bool = False
    is_settling: bool = False


def after(case: Case, seconds: float = 1.0, start_bps: float = 2e6) -> float:
    rates = Rates(1)
    rates.reset(0, MOST_BPS)
    rates.on_measured(0, start_bps)
    signals = Signals(
        usage=np.array([case.usage], np.int64),
        arriving_bps=np.array([case.arriving_bps]),
        carried_bps=np.array([case.carried_bps]),
        later_s=np.array([case.later_s]),
        waited_s=np.array([case.waited_s]),
        rose_s=np.array([case.rose_s]),
        rtt_s=np.array([0.1]),
        lost_share=np.array([case.lost_share]),
        is_losing=np.array([case.is_losing]),
        may_grow=np.array([case.may_grow]),
        is_excused=np.array([case.is_excused]),
        is_settling=np.array([case.is_settling]),
    )
    for n in range(round(seconds / EVERY_S)):
        rates.on_signals(ROW, signals, np.array([EVERY_S]), n * EVERY_S)
    return float(rates.bps[0])


OVER = Case(usage=Usage.OVER, carried_bps=1e6, later_s=0.05, waited_s=0.05)
SLOWED = Case(carried_bps=8e5, may_grow=False)
STANDING = Case(carried_bps=1e6, waited_s=0.3, may_grow=False)


@pytest.mark.parametrize(
    ("sentence", "case", "expected_bps"),
    [
        ("it grows by 8 % a second, but only a little beyond what arrives", Case(), HEADROOM * 2e6 + HEADROOM_BPS),
        ("it does not grow while less is sent", Case(arriving_bps=1e6), 2e6),
        ("nor while a queue drains", Case(usage=Usage.UNDER), 2e6),
        ("nor while more is lost than usual", Case(may_grow=False), 2e6),
        ("overuse: less than the path carries", OVER, BACK_OFF * 1e6),
        ("what comes faster than it was sent drains", replace(OVER, later_s=-0.05), 2e6),
        ("nor is there any where packets pass without waiting", replace(OVER, waited_s=0.0), 2e6),
        ("a probe's own queue is no overuse", replace(OVER, is_excused=True), 2e6),
        ("unless it loses packets", replace(OVER, is_excused=True, is_losing=True), BACK_OFF * 1e6),
        ("nor is it a passing flood", replace(OVER, is_excused=True, later_s=0.2), 2e6),
        ("unless it passes far slower", replace(OVER, is_excused=True, later_s=0.2, carried_bps=8e5), BACK_OFF * 8e5),
        ("even if it is not one yet", replace(SLOWED, is_excused=True, later_s=0.06), BACK_OFF * 8e5),
        ("nor is there a trend in what is left of it", replace(OVER, is_settling=True), 2e6),
        ("but a flood", replace(OVER, is_settling=True, later_s=0.2), BACK_OFF * 1e6),
        ("a flood: the same, whatever the trend says", replace(OVER, usage=Usage.NORMAL, later_s=0.2), BACK_OFF * 1e6),
        ("so is half of that, where it passes far slower", replace(SLOWED, later_s=0.06), BACK_OFF * 8e5),
        ("so is a queue that was not there a moment ago", replace(STANDING, waited_s=0.15, rose_s=0.1), BACK_OFF * 1e6),
        ("a long queue that stands is overuse though it grows no more", STANDING, BACK_OFF * 1e6),
        ("a short one may be", replace(STANDING, waited_s=0.2), 2e6),
        ("beside somebody else's download it falls by less", replace(OVER, arriving_bps=0.7e6), LIMITED_BACK_OFF * 1e6),
        ("who hardly sends falls step by step", replace(OVER, arriving_bps=1e5, carried_bps=1e5), BACK_OFF**5 * 2e6),
        ("losses never take it below what arrives", Case(lost_share=0.4, is_losing=True, may_grow=False), 2e6),
        ("losses halve what is lost", Case(lost_share=0.2, is_losing=True, may_grow=False, arriving_bps=1e6), None),
    ],
)  # fmt: skip
def test_what_is_seen_for_a_second(sentence: str, case: Case, expected_bps: float | None) -> None:
    found = after(case)
    if expected_bps is None:
        assert 2e6 * 0.9**6 <= found <= 2e6 * 0.9**2
    else:
        assert found == pytest.approx(expected_bps, rel=0.001)


def test_who_has_sent_much_until_now_falls_at_once_to_a_sixth() -> None:
    rates = Rates(1)
    rates.reset(0, MOST_BPS)
    rates.on_measured(0, 2.7e6)
    one = np.ones(1)
    seen = Signals(
        np.array([Usage.NORMAL], np.int64), 1.5e6 * one, 1.5e6 * one, 0 * one, 0 * one, 0 * one, 0.1 * one, 0 * one,
        one < 0, one > 0, one < 0, one < 0,
    )  # fmt: skip
    rates.on_signals(ROW, seen, 0.1 * one, 0.0)
    fallen = seen._replace(arriving_bps=0.9e6 * one, carried_bps=0.5e6 * one, later_s=0.2 * one)
    rates.on_signals(ROW, fallen, 0.1 * one, 0.5)
    assert rates.bps[0] == pytest.approx(LIMITED_BACK_OFF * 0.5e6)


@pytest.mark.parametrize(("carried_bps", "expected_bps"), [(0.12e6, 0.43e6), (0.16e6, BACK_OFF * 0.16e6)])
def test_later_by_less_than_a_packet_takes_is_no_flood(carried_bps: float, expected_bps: float) -> None:
    """A pause of a moment, of who is sent little: taken for a path of 0.08 Mbit/s, it cost six seconds of picture."""
    rates = Rates(1)
    rates.reset(0, MOST_BPS)
    rates.on_measured(0, 0.43e6)
    one = np.ones(1)
    seen = Signals(
        np.array([Usage.NORMAL], np.int64), 0.36e6 * one, carried_bps * one, 0.065 * one, 0.001 * one, 0 * one,
        0.1 * one, 0 * one, one < 0, one < 0, one < 0, one < 0,
    )  # fmt: skip
    rates.on_signals(ROW, seen, 0.1 * one, 0.0)
    assert rates.bps[0] == pytest.approx(expected_bps)


def test_a_queue_that_grows_though_less_was_sent_and_all_of_it_passes_is_shared() -> None:
    """After its first step down it goes on slowly: what passes is its own share, and says nothing of the path."""
    for later_s, expected_bps in ((0.01, LIMITED_BACK_OFF * 0.85e6), (0.03, LIMITED_BACK_OFF * 0.5e6)):
        rates = Rates(1)
        rates.reset(0, MOST_BPS)
        rates.on_measured(0, 1e6)
        one = np.ones(1)
        seen = Signals(
            np.array([Usage.OVER], np.int64), 1e6 * one, 1e6 * one, 0.05 * one, 0.05 * one, 0 * one, 0.1 * one,
            0 * one, one < 0, one < 0, one < 0, one < 0,
        )  # fmt: skip
        rates.on_signals(ROW, seen, 0.1 * one, 0.0)
        second = seen._replace(arriving_bps=0.5e6 * one, carried_bps=0.5e6 * one, later_s=later_s * one)
        rates.on_signals(ROW, second, 0.1 * one, 0.5)
        assert rates.bps[0] == pytest.approx(expected_bps), later_s


@pytest.mark.parametrize(
    ("sentence", "carried_bps", "later_s", "waited_s", "expected_bps"),
    [
        ("the queue stands and still less passes: that is the path", 1.4e6, 0.1, 0.1, BACK_OFF * 1.4e6),
        ("far less: that is a stall", 0.5e6, 0.1, 0.1, BACK_OFF * 2e6),
        ("hardly less: it was measured well enough", 1.96e6, 0.1, 0.1, BACK_OFF * 2e6),
        ("the queue is on its way down: it has helped", 1.4e6, -0.05, 0.1, BACK_OFF * 2e6),
        ("packets pass without waiting: it has gone", 1.4e6, 0.1, 0.0, BACK_OFF * 2e6),
    ],
)
def test_what_was_measured_before_the_path_became_slower_is_mended_at_once(
    sentence: str, carried_bps: float, later_s: float, waited_s: float, expected_bps: float
) -> None:
    rates = Rates(1)
    rates.reset(0, MOST_BPS)
    rates.on_measured(0, 2.4e6)
    one = np.ones(1)
    first = Signals(
        np.array([Usage.NORMAL], np.int64), 2.4e6 * one, 2e6 * one, 0.2 * one, 0.1 * one, 0 * one, 0.1 * one, 0 * one,
        one < 0, one < 0, one < 0, one < 0,
    )  # fmt: skip
    rates.on_signals(ROW, first, 0.1 * one, 0.0)
    second = first._replace(carried_bps=carried_bps * one, later_s=later_s * one, waited_s=waited_s * one)
    rates.on_signals(ROW, second, 0.1 * one, 0.1)
    assert rates.bps[0] == pytest.approx(expected_bps)
    assert rates.fell_at[0] == 0.0, "it is the same step"


def test_an_estimate_has_bounds() -> None:
    assert after(replace(OVER, carried_bps=1.0)) == LEAST_BPS
    assert after(Case(arriving_bps=20e6), seconds=60) == MOST_BPS
    rates = Rates(1)
    rates.reset(0, 500_000)
    assert rates.bps[0] == 500_000 < START_BPS


def test_near_to_where_the_path_ended_it_grows_by_a_packet_per_response() -> None:
    rates = Rates(1)
    rates.reset(0, MOST_BPS)
    rates.on_measured(0, 2e6)
    one = np.ones(1)
    seen = Signals(
        np.array([Usage.OVER], np.int64), 2e6 * one, 2e6 * one, 0.05 * one, 0.05 * one, 0 * one, 0.1 * one, 0 * one,
        one < 0, one > 0, one < 0, one < 0,
    )  # fmt: skip
    rates.on_signals(ROW, seen, 0.1 * one, 0.0)
    fallen_bps = float(rates.bps[0])
    for n in range(1, 11):
        normal = seen._replace(usage=np.array([Usage.NORMAL], np.int64))
        rates.on_signals(ROW, normal, 0.1 * one, n / 10)
    assert rates.bps[0] - fallen_bps == pytest.approx(9600 / 0.2, rel=0.01)
