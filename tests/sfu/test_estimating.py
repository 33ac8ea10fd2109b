"""What may be spent on one subscriber: REMB, bounds, and that a bug does not end the ticks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sfu import subscribing
from sfu.config import WorkerConfig
from sfu.control import Explain, Explanation, SetLayout, Unsubscribe
from sfu.core.allocation import Allocation, Demand, allocate
from sfu.core.estimation.estimator import Estimate
from sfu.core.transport_feedback import FeedbackBatch
from sfu.wire.feedback import ReceiverEstimate
from tests.sim.actors import Publisher, Subscriber
from tests.sim.call import Call, Remote
from tests.sim.receiver import Receiver


def explained(call: Call, who: Remote) -> Explanation:
    reply = call.tell(Explain, transport=who.name)
    assert isinstance(reply, Explanation)
    return reply


def test_a_receiver_without_transport_cc_is_believed_its_remb_while_it_is_fresh() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(3.0)
    before = explained(call, subscriber)
    assert (before.estimate_bps, before.budget_bps) == (None, WorkerConfig().enough_bps)
    subscriber.send_rtcp(ReceiverEstimate(1, 400_000, (2,)).pack())
    call.run(1.0)
    told = explained(call, subscriber)
    assert told.budget_bps == pytest.approx(400_000, rel=0.001)
    assert [(row.layer, row.reason) for row in told.subscriptions] == [(0, "bandwidth")]
    call.run(WorkerConfig().receiver_estimate_lasts_s)
    assert explained(call, subscriber).budget_bps == WorkerConfig().enough_bps


def test_an_estimate_of_our_own_counts_and_not_remb_and_never_more_than_was_asked_for() -> None:
    call = Call()
    publisher, receiver = Publisher(call, "ann"), Receiver(call, "bob")
    receiver.subscribe(publisher.video)
    publisher.start()
    receiver.start()
    receiver.send_rtcp(ReceiverEstimate(1, 100_000, (2,)).pack())
    call.run(2.0)
    told = explained(call, receiver)
    assert told.estimate_bps is not None and told.budget_bps == told.estimate_bps > 900_000
    call.tell(SetLayout, transport="bob", max_bps=250_000)
    call.run(0.1)
    assert explained(call, receiver).budget_bps == 250_000


def test_a_bug_in_one_tick_does_not_end_them(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call()
    publisher, receiver = Publisher(call, "ann"), Receiver(call, "bob")
    receiver.subscribe(publisher.video)
    publisher.start()
    receiver.start()
    call.run(1.0)
    with monkeypatch.context() as patched:
        patched.setattr(call.router.context.estimator, "take_changed", lambda: 1 / 0)
        call.run(0.06)
    assert call.router.counters.internal_errors > 0
    awaited_until = call.router.context.estimator.awaited_until
    call.run(0.5)
    assert call.router.context.estimator.awaited_until > awaited_until


def test_where_nobody_reports_paths_are_looked_at_seldom_and_first_reports_are_seen_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = Call()
    publisher, receiver = Publisher(call, "ann"), Receiver(call, "bob")
    looks: list[float] = []
    look = call.router.context.estimator.on_feedback

    def noted(batch: FeedbackBatch, now: float) -> None:
        looks.append(now)
        look(batch, now)

    monkeypatch.setattr(call.router.context.estimator, "on_feedback", noted)

    def looks_in_a_second() -> int:
        before = len(looks)
        call.run(1.0)
        return len(looks) - before

    call.run(1.0)
    assert looks_in_a_second() <= 5
    publisher.start()
    receiver.start()
    receiver.subscribe(publisher.video)
    call.run(WorkerConfig().estimation_rest_s + 0.1)
    assert looks_in_a_second() >= 20
    call.tell(Unsubscribe, subscription=f"bob/{publisher.video}")
    call.run(3.0)
    assert looks_in_a_second() <= 5


def test_an_estimate_that_is_ample_before_and_after_is_no_reason_to_allocate_but_bounds_rtx(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = Call()
    publisher, receiver = Publisher(call, "ann", rids=("q",)), Receiver(call, "bob")
    receiver.subscribe(publisher.video)
    publisher.start()
    receiver.start()
    call.run(10.0)
    subscriber, estimator = call.router.registry.endpoints["bob"].subscriber, call.router.context.estimator
    allocated: list[int] = []
    rates: list[float] = []

    def counted(budget_bps: int, demands: Sequence[Demand]) -> Allocation:
        allocated.append(budget_bps)
        return allocate(budget_bps, demands)

    def estimate(bps: int) -> None:
        monkeypatch.setattr(estimator, "estimate", lambda transport: Estimate(bps, 0.0, 0.0))
        subscriber.on_estimate(call.now)
        call.router.on_timeout(call.now)

    monkeypatch.setattr(subscribing, "allocate", counted)
    monkeypatch.setattr(call.plane, "set_recovery_rate", lambda transport, rate_bps: rates.append(rate_bps))
    for bps in (3_500_000, 2_000_000, 3_500_000):
        estimate(bps)
    assert allocated == [] and rates[0] > 1.5 * rates[1] and rates[2] > 1.5 * rates[1]
    spent_bps = sum(held.rung.bitrate_bps for held in subscriber.subscriptions() if held.rung is not None)
    estimate(int(1.5 * spent_bps))
    assert allocated == [int(1.5 * spent_bps)]
