"""What may be spent on one subscriber."""

from __future__ import annotations

import pytest

from sfu.config import WorkerConfig
from sfu.core.estimation.rates import START_BPS
from tests.sim.actors import Publisher, Subscriber
from tests.sim.call import PATIENT, Call
from tests.sim.link import Conditions, Link
from tests.sim.receiver import Receiver


@pytest.mark.parametrize(
    ("least_bps", "most_bps", "asked_bps", "spent_bps"),
    [
        pytest.param(0, 10_000_000, None, int(START_BPS), id="what the path is estimated to carry"),
        pytest.param(5_000_000, 10_000_000, None, 5_000_000, id="in any case so much"),
        pytest.param(5_000_000, 2_000_000, None, 2_000_000, id="but no more than anybody gets"),
        pytest.param(5_000_000, 10_000_000, 300_000, 300_000, id="nor than was asked for"),
    ],
)
def test_the_least_of_what_there_is(least_bps: int, most_bps: int, asked_bps: int | None, spent_bps: int) -> None:
    call = Call(config=WorkerConfig(least_budget_bps=least_bps, budget_bps=most_bps, transport=PATIENT))
    Subscriber(call, "bob")
    endpoint = call.router.registry.endpoints["bob"]
    call.router.registry.estimating.start(endpoint, call.now)
    endpoint.subscriber.budget.max_bps = asked_bps
    assert endpoint.subscriber.budget.bps(call.now) == spent_bps


def test_who_negotiated_reports_and_sends_none_is_sent_what_everybody_gets() -> None:
    call = Call()
    publisher, silent = Publisher(call, "ann"), Subscriber(call, "bob")
    silent.subscribe(publisher.video)
    call.router.registry.estimating.start(call.router.registry.endpoints["bob"], call.now)
    budget = call.router.registry.endpoints["bob"].subscriber.budget
    call.run(5.0)
    assert budget.bps(call.now) == int(START_BPS), "nothing is sent yet"
    publisher.start()
    call.run(1.0)
    assert budget.bps(call.now) == int(START_BPS)
    call.run(3.0)
    assert budget.estimate is None
    assert budget.bps(call.now) == WorkerConfig().enough_bps


def test_more_than_enough_is_spent_where_not_all_were_seen_otherwise() -> None:
    call = Call(config=WorkerConfig(enough_bps=600_000, transport=PATIENT))
    ann, eve = Publisher(call, "ann", rids=()), Publisher(call, "eve")
    ann.layers[0].packets_per_frame = 4
    for publisher in (ann, eve):
        publisher.start()
    call.run(5.0)
    subscriber = Subscriber(call, "bob")
    endpoint = call.router.registry.endpoints["bob"]
    subscriber.subscribe(eve.video)
    call.run(1.0)
    assert endpoint.subscriber.budget.bps(call.now) == 600_000
    subscriber.subscribe(ann.video)
    call.run(1.0)
    alone, layered = sorted(endpoint.subscriber.subscriptions(), key=lambda one: len(one.track.layers))
    assert alone.rung is not None and alone.rung.bitrate_bps > 600_000
    assert layered.rung is not None and layered.rung.layer == 0
    assert endpoint.subscriber.budget.bps(call.now) < 1.2 * (alone.rung.bitrate_bps + layered.rung.bitrate_bps)


def test_what_is_sent_in_any_case_is_no_flood() -> None:
    """Though the path seems to carry less: its pictures neither stop nor get smaller, again and again."""
    call = Call(config=WorkerConfig(least_budget_bps=2_500_000, transport=PATIENT))
    publisher = Publisher(call, "ann")
    publisher.layer("f").packets_per_frame = 12  # 1.92 Mbit/s
    publisher.start()
    call.run(5.0)
    receiver = Receiver(call, "bob", Conditions(rate_bps=1e6))
    receiver.subscribe(publisher.video)
    receiver.start()
    call.run(1.0)
    (subscription,) = call.router.registry.endpoints["bob"].subscriber.subscriptions()
    for _ in range(60):
        call.run(0.1)
        assert (subscription.wanted_layer, subscription.resumes_at) == (2, None)
    estimate = call.router.registry.endpoints["bob"].subscriber.budget.estimate
    assert estimate is not None and estimate.bps < 1_200_000


def test_who_reports_loss_alone_is_not_flooded_for_ever() -> None:
    call = Call(config=WorkerConfig(transport=PATIENT))
    publisher = Publisher(call, "ann")
    publisher.layer("f").packets_per_frame = 12  # 1.92 Mbit/s
    publisher.start()
    call.run(5.0)
    subscriber = Subscriber(call, "bob")
    subscriber.reports_loss = True
    link = subscriber.downlink = Link(call.random, Conditions(rate_bps=1.2e6))
    for track in (publisher.video, publisher.audio):
        subscriber.subscribe(track)
    subscriber.start()
    call.run(5.0)
    (video,) = (s for s in call.router.registry.endpoints["bob"].subscriber.subscriptions() if s.is_video)
    layers: list[int | None] = []
    for _ in range(400):
        call.run(0.1)
        layers.append(video.current_layer)
    assert set(layers) <= {1, 2}
    assert layers.count(2) < 0.2 * len(layers), "the best is tried now and then"
    link.change(call.now, rate_bps=4e6)
    call.run(60.0)
    assert video.current_layer == 2
