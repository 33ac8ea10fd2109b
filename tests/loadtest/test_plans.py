"""Scenarios as plans: who receives whom, and how many packets that makes."""

from __future__ import annotations

import pytest

from loadtest import plans
from loadtest.plans import Plan, Rates


@pytest.mark.parametrize(
    ("plan", "seats", "sent", "forwarded"),
    [
        (plans.one_to_many(50), 51, 200, 10_000),
        (plans.one_to_many(3, rooms=2), 8, 400, 1200),
        (plans.meeting(10), 10, 2000, 18_000),
        (plans.meeting(4), 4, 800, 2400),
        (plans.meeting(20), 20, 4000, 36_000),
        (plans.audio_only(30), 30, 1500, 43_500),
        (plans.open_meeting(5), 5, 1000, 4000),
    ],
    ids=lambda value: value.name if isinstance(value, Plan) else str(value),
)
def test_packets_per_second(plan: Plan, seats: int, sent: float, forwarded: float) -> None:
    assert (len(plan.seats), plan.sent_per_s(Rates()), plan.forwarded_per_s(Rates())) == (seats, sent, forwarded)


@pytest.mark.parametrize("plan", [plans.meeting(20), plans.audio_only(5), plans.open_meeting(5), plans.one_to_many(2)])
def test_nobody_receives_themselves_or_another_room(plan: Plan) -> None:
    names = {(seat.room, seat.name) for seat in plan.seats}
    for seat in plan.seats:
        heard = plan.heard_by(seat)
        assert seat.name not in heard
        assert len(set(heard)) == len(heard)
        assert all((seat.room, name) in names for name in heard)


def test_where_the_server_selects_only_pictures_are_waited_for() -> None:
    open_to_all, selected = plans.open_meeting(5), plans.gallery(5)
    assert [plan.expected_tracks(plan.seats[0]) for plan in (open_to_all, selected)] == [8, 4]


def test_everybody_in_a_large_meeting_is_received_by_as_many() -> None:
    plan = plans.meeting(20)
    heard = [name for seat in plan.seats for name in plan.heard_by(seat)]
    assert {heard.count(seat.name) for seat in plan.seats} == {9}


def test_lower_layers_are_smaller_and_the_top_one_is_what_was_asked_for() -> None:
    rates = Rates(layers=3)
    low, middle, top = (rates.video(index, 96, "0", rid) for index, rid in enumerate(rates.rids))
    assert low.packets_per_s * low.payload_bytes < middle.packets_per_s * middle.payload_bytes / 2
    assert (top.packets_per_s, top.payload_bytes) == (150, 1200)
    assert low.frames_per_s == middle.frames_per_s == top.frames_per_s
    assert Rates(layers=1).rids == ()
