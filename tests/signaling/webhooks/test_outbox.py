"""The outbox: in order per room, tried again, given up after a day, and one bad receiver holds up nobody else."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from signaling.events import AnyEvent, RoomChanged, RoomReference
from signaling.records import StoredWebhook
from signaling.webhooks.delivery import Delivery
from signaling.webhooks.outbox import MAX_CONCURRENT, Outbox, Outcome
from signaling.webhooks.registry import Webhooks
from signaling.webhooks.schedule import GIVE_UP_AFTER_S, JITTER, LONGEST_PAUSE_S, pause_s

NOW = 1_800_000_000.0
GOOD, BAD, NOBODY = Outcome(204), Outcome(500, "HTTP 500"), Outcome(error="connection refused")


class Office:
    """An outbox with webhooks, and events for it."""

    def __init__(self, webhooks: int = 1, first: int = 1) -> None:
        numbers, self._seq = count(first), count(first)
        made = [StoredWebhook(id=f"WH_{n}", url="https://example.com", secret="s" * 32) for n in range(1, webhooks + 1)]
        registry = Webhooks(made, lambda prefix: f"{prefix}_{next(numbers)}", lambda: "s" * 32)
        self.outbox = Outbox(registry, lambda: f"DL_{next(numbers)}", lambda: 0.5)

    def happen(self, room: str = "a", at: float = NOW) -> tuple[Delivery, ...]:
        seq = next(self._seq)
        event: AnyEvent = RoomChanged(
            id=f"EV_{seq}",
            seq=seq,
            created_at=datetime.fromtimestamp(at, UTC),
            room=RoomReference(id=f"RM_{room}", name=room),
            room_seq=seq,
            changes={},
        )
        deliveries = self.outbox.address(event, "")
        self.outbox.admit(deliveries)
        return deliveries

    def begin(self, now: float) -> list[Delivery]:
        begun = []
        while (delivery := self.outbox.poll(now)) is not None:
            begun.append(delivery)
        return begun


def test_a_room_s_events_go_one_after_the_other() -> None:
    office = Office()
    (first,), (second,), (other,) = office.happen("a"), office.happen("a"), office.happen("b")
    assert office.begin(NOW) == [first, other]
    became = office.outbox.on_outcome(first, GOOD, NOW + 1)
    assert (became.state, became.attempts, became.status, became.finished_at) == ("delivered", 1, 204, NOW + 1)
    assert office.begin(NOW + 1) == [second]


def test_what_fails_is_tried_again_before_what_comes_after_it() -> None:
    office = Office()
    (first,), (second,) = office.happen(), office.happen()
    assert office.begin(NOW) == [first]
    again = office.outbox.on_outcome(first, BAD, NOW)
    assert (again.state, again.attempts, again.next_at, again.error) == ("pending", 1, NOW + 1, "HTTP 500")
    assert office.begin(NOW + 0.9) == [] and office.outbox.next_timeout() == NOW + 1
    assert office.begin(NOW + 1) == [again]
    office.outbox.on_outcome(again, GOOD, NOW + 1)
    assert office.begin(NOW + 1) == [second]


def test_after_a_day_it_is_given_up_and_the_next_one_has_its_turn() -> None:
    office = Office()
    (first,), (second,) = office.happen(at=NOW), office.happen(at=NOW + 60)
    now, attempts, delivery = NOW, 0, first
    while delivery.state == "pending":
        assert office.begin(now) == [delivery]
        delivery, attempts = office.outbox.on_outcome(delivery, BAD, now), attempts + 1
        now = office.outbox.next_timeout() or now
    assert delivery.state == "dead" and delivery.finished_at is not None
    assert GIVE_UP_AFTER_S - LONGEST_PAUSE_S * (1 + JITTER) <= delivery.finished_at - NOW <= GIVE_UP_AFTER_S
    assert 30 < attempts < 45
    assert [one.event for one in office.begin(now)] == [second.event]


def test_a_receiver_that_comes_back_gets_at_once_what_found_nobody_there() -> None:
    office = Office()
    (lost,), (refused,) = office.happen("a"), office.happen("b")
    assert len(office.begin(NOW)) == 2
    for _ in range(8):
        lost = office.outbox.on_outcome(lost, NOBODY, NOW)
        refused = office.outbox.on_outcome(refused, BAD, NOW)
        later = max(lost.next_at, refused.next_at)
        assert len(office.begin(later)) == 2
    lost = office.outbox.on_outcome(lost, NOBODY, NOW)
    refused = office.outbox.on_outcome(refused, BAD, NOW)
    (fresh,) = office.happen("c")
    assert office.begin(NOW) == [fresh]
    office.outbox.on_outcome(fresh, GOOD, NOW)
    assert [one.event for one in office.begin(NOW)] == [lost.event], "what it refused waits for its time"


def test_a_slow_receiver_takes_its_share_and_no_more() -> None:
    office = Office(webhooks=2)
    for number in range(MAX_CONCURRENT + 3):
        office.happen(f"room{number}")
    begun = office.begin(NOW)
    by_webhook = [one.webhook for one in begun]
    assert by_webhook.count("WH_1") == by_webhook.count("WH_2") == MAX_CONCURRENT
    for delivery in begun:
        if delivery.webhook == "WH_2":
            office.outbox.on_outcome(delivery, GOOD, NOW)
    assert [one.webhook for one in office.begin(NOW)] == ["WH_2"] * 3


def test_a_redelivery_waits_for_nothing() -> None:
    office = Office()
    (first,) = office.happen()
    office.begin(NOW)
    done = office.outbox.on_outcome(first, GOOD, NOW)
    (stuck,) = office.happen()
    office.begin(NOW)
    office.outbox.on_outcome(stuck, BAD, NOW)
    again = office.outbox.readdress(done, NOW + 0.5)
    assert (again.event_id, again.state, again.attempts) == (done.event_id, "pending", 0) and again.id != done.id
    office.outbox.admit((again,))
    assert office.begin(NOW + 0.5) == [again]


def test_what_was_pending_goes_on_after_a_restart() -> None:
    office = Office()
    (first,), (second,) = office.happen(), office.happen()
    office.begin(NOW)
    again = office.outbox.on_outcome(first, BAD, NOW)
    restarted = Office()
    restarted.outbox.admit((again, second))
    assert restarted.begin(NOW) == [] and restarted.begin(NOW + 1) == [again]


def test_how_long_it_waits() -> None:
    assert [pause_s(n, None, 0.5) for n in (1, 2, 3, 4, 12, 13, 40, 10_000)] == [1, 2, 4, 8, 2048, 3600, 3600, 3600]
    assert pause_s(1, None, 0.0) == 1 - JITTER
    assert pause_s(1, 30.0, 0.5) == 30 and pause_s(10, 30.0, 0.5) == 512
    assert pause_s(1, 1e9, 0.5) == LONGEST_PAUSE_S


class Deliveries(RuleBasedStateMachine):
    """Whatever receivers answer and whenever the server is killed: everything arrives, in order per room."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.kills = 0
        self.office = Office()
        self.kept: dict[str, Delivery] = {}
        self.under_way: list[Delivery] = []
        self.arrived: dict[str, list[int]] = {}
        self.happened: dict[str, list[int]] = {}

    @rule(room=st.sampled_from("abc"))
    def happen(self, room: str) -> None:
        for delivery in self.office.happen(room, self.now):
            self.kept[delivery.id] = delivery
            self.happened.setdefault(delivery.lane, []).append(delivery.event)

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        self.under_way += self.office.begin(self.now)
        lanes = [one.lane for one in self.under_way]
        assert len(set(lanes)) == len(lanes), "one at a time per room"

    @rule(data=st.data(), outcome=st.sampled_from([GOOD, GOOD, BAD, NOBODY]), told=st.booleans())
    def end(self, data: st.DataObject, outcome: Outcome, told: bool) -> None:
        if self.under_way:
            delivery = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
            if outcome is GOOD or told:  # it may arrive though the answer is lost
                self.arrive(delivery)
            became = self.office.outbox.on_outcome(delivery, outcome, self.now)
            self.kept[became.id] = became

    @rule()
    def kill(self) -> None:
        for delivery in self.under_way:
            self.arrive(delivery)
        self.under_way.clear()
        self.kills += 1
        self.office = Office(first=1000 * self.kills)
        pending = [one for one in self.kept.values() if one.state == "pending"]
        self.office.outbox.admit(sorted(pending, key=lambda one: one.event))

    def arrive(self, delivery: Delivery) -> None:
        arrived = self.arrived.setdefault(delivery.lane, [])
        if delivery.event not in arrived:
            arrived.append(delivery.event)
        assert delivery.event == arrived[-1], "again, perhaps; but nothing older"

    def teardown(self) -> None:
        for _ in range(1000):
            for delivery in [*self.under_way, *self.office.begin(self.now)]:
                self.arrive(delivery)
                self.office.outbox.on_outcome(delivery, GOOD, self.now)
            self.under_way = []
            self.now += 3600
            if not self.office.outbox.pending:
                break
        assert self.arrived == self.happened


TestDeliveries: Any = Deliveries.TestCase
