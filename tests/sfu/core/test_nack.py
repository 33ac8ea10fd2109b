"""Losses are asked for after a little while, again once per round trip, and abandoned in the end."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from sfu.core.nack import ATTEMPTS, MAX_AGE_S, MAX_MISSING, REORDERING_S, USUAL_RTT_S, MissingPackets, Recovery


# Machines that run tests are loaded: how long an example takes says nothing.
def wake(missing: MissingPackets, present: set[int], now: float, rtt_s: float | None = None) -> Recovery:
    due = missing.due(now)
    return missing.on_checked(due, [number for number in due if number not in present], rtt_s, now)


def test_waits_for_packets_that_were_only_overtaken() -> None:
    missing = MissingPackets()
    missing.on_gap(5, 6, now=1.0)
    assert missing.next_timeout() == 1.0 + REORDERING_S
    assert missing.due(1.0) == []
    assert wake(missing, present={5, 6}, now=1.0 + REORDERING_S) == Recovery((), abandoned=False)
    assert missing.next_timeout() is None and len(missing) == 0


def test_asks_for_what_is_lost_and_repeats_once_per_round_trip() -> None:
    missing = MissingPackets()
    missing.on_gap(65535, 65537, now=0.0)
    asked_at = REORDERING_S
    assert wake(missing, present={65536}, now=asked_at, rtt_s=0.05).ask == (65535, 65537)
    assert missing.next_timeout() == asked_at + 0.05
    assert wake(missing, present={65535}, now=asked_at + 0.05, rtt_s=0.05).ask == (65537,)
    assert wake(missing, present={65537}, now=asked_at + 0.1, rtt_s=0.05) == Recovery((), abandoned=False)


def test_the_round_trip_is_assumed_until_known_and_bounded() -> None:
    for rtt_s, expected in ((None, USUAL_RTT_S), (0.0001, 0.04), (5.0, 0.4)):
        missing = MissingPackets()
        missing.on_gap(1, 1, now=0.0)
        wake(missing, present=set(), now=1.0 - 0.5, rtt_s=rtt_s)
        assert missing.next_timeout() == 0.5 + expected


def test_gives_up_after_some_attempts_and_says_that_a_key_frame_is_needed() -> None:
    missing = MissingPackets()
    missing.on_gap(7, 7, now=0.0)
    asked, now = 0, 0.0
    while (at := missing.next_timeout()) is not None:
        now = at
        recovery = wake(missing, present=set(), now=now)
        asked += len(recovery.ask)
    assert asked == ATTEMPTS and recovery.abandoned and missing.abandoned == 1
    assert now <= MAX_AGE_S + USUAL_RTT_S


def test_losses_from_before_a_key_frame_need_no_other_one() -> None:
    missing = MissingPackets()
    missing.on_gap(7, 7, now=0.0)
    wake(missing, present=set(), now=0.1)
    missing.on_key_frame(now=0.2)
    assert wake(missing, present=set(), now=MAX_AGE_S) == Recovery((), abandoned=False)
    missing.on_gap(9, 9, now=2.0)
    assert wake(missing, present=set(), now=2.0 + MAX_AGE_S).abandoned


def test_an_outage_is_not_asked_for_but_answered_by_a_key_frame() -> None:
    missing = MissingPackets()
    missing.on_gap(0, 99, now=0.0)
    missing.on_gap(200, 200 + MAX_MISSING, now=0.001)
    assert missing.next_timeout() == 0.001
    assert wake(missing, present=set(), now=0.001) == Recovery((), abandoned=True)
    assert missing.next_timeout() is None


@given(st.integers(0, 1 << 32), st.floats(0.0, 0.6), st.sampled_from([None, 0.02, 0.1, 0.7]))
def test_every_loss_ends_and_is_never_asked_for_too_often(seed: int, loss: float, rtt_s: float | None) -> None:
    draw = random.Random(seed)
    missing = MissingPackets()
    arrived: set[int] = set()
    asked: dict[int, list[float]] = {}
    now, number = 0.0, 0
    for _ in range(60):
        now += draw.random() * 0.05
        if draw.random() < 0.3:
            size = draw.randrange(1, 5)
            missing.on_gap(number, number + size - 1, now)
            number += size + 1
        while (at := missing.next_timeout()) is not None and at <= now:
            for lost in wake(missing, arrived, at, rtt_s).ask:
                assert lost not in arrived
                asked.setdefault(lost, []).append(at)
                if draw.random() > loss:
                    arrived.add(lost)
    while (at := missing.next_timeout()) is not None:
        wake(missing, arrived, at, rtt_s)
    assert len(missing) == 0
    for times in asked.values():
        assert len(times) <= ATTEMPTS
        assert all(b - a >= 0.04 - 1e-9 for a, b in itertools.pairwise(times))
        assert times[-1] - times[0] <= MAX_AGE_S
