"""The simulated bottleneck serves what it says, and without a pause where its rate changes."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from tests.sim.call import Call
from tests.sim.link import Conditions, Link

SIZE = 1000


def test_what_waits_comes_at_the_rate_there_is_by_then() -> None:
    call = Call()
    arrivals: list[float] = []
    link = Link(Random(1), Conditions(rate_bps=3e6, delay_s=0.01))
    began_at = call.now
    for _ in range(20):  # 53 ms of queue
        call._pass(bytes(SIZE), link, lambda: arrivals.append(call.now))
    call.run(0.02)
    link.change(call.now, rate_bps=0.5e6)
    call._pass(bytes(SIZE), link, lambda: arrivals.append(call.now))
    call.run(1.0)
    assert len(arrivals) == 21
    gaps_s = [after - before for before, after in pairwise(at for at in arrivals if at > began_at + 0.034)]
    assert gaps_s == pytest.approx([8 * SIZE / 0.5e6] * len(gaps_s)) and len(gaps_s) > 10


def test_nobody_who_waits_is_brought_forward_or_overtaken() -> None:
    link = Link(Random(1), Conditions(rate_bps=0.5e6))
    first, second = link.pass_on(SIZE, 1.0), link.pass_on(SIZE, 1.0)
    link.change(1.0, rate_bps=3e6)
    third = link.pass_on(SIZE, 1.0)
    assert first is not None and second is not None and third is not None
    assert first.arrives_at < second.arrives_at < third.arrives_at
    assert third.arrives_at == pytest.approx(1.0 + 0.02 + 2 * 0.016 + 8 * SIZE / 3e6)


def test_a_second_of_packets_takes_a_second_and_more_than_the_queue_is_dropped() -> None:
    link = Link(Random(1), Conditions(rate_bps=0.5e6, queue_s=0.5, delay_s=0.0))
    passages = [link.pass_on(SIZE, number * 0.004) for number in range(500)]  # 2 Mbit/s for two seconds
    arrived = [passage.arrives_at for passage in passages if passage is not None]
    assert 8 * SIZE * (len(arrived) - 1) / (arrived[-1] - arrived[0]) == pytest.approx(0.5e6)
    assert link.dropped == 500 - len(arrived) and 2.4 < arrived[-1] < 2.6
