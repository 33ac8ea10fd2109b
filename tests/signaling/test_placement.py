"""Which Worker a room is given: the least loaded that runs; and that it stays there."""

from __future__ import annotations

import random

import pytest

from signaling.placement import Placement, WorkerLoad


def load(running: bool = True, pps: float = 0.0, transports: int = 0) -> WorkerLoad:
    return WorkerLoad(running, pps, transports)


DOWN = load(running=False)


@pytest.mark.parametrize(
    ("loads", "chosen"),
    [
        ([load(), load()], 0),
        ([load(pps=1.0), load()], 1),
        ([load(transports=1), load()], 1),
        ([load(pps=5000.0, transports=2), load(pps=100.0, transports=20)], 1),
        ([load(pps=100.0, transports=40), load(pps=5000.0, transports=2)], 1),
        ([DOWN, load(pps=1e6, transports=2000)], 1),
        ([load(pps=9.0), DOWN, load(pps=8.0)], 2),
        ([DOWN, DOWN], 0),
    ],
)
def test_the_least_loaded_that_runs(loads: list[WorkerLoad], chosen: int) -> None:
    assert Placement().place("room", loads) == chosen


def test_a_room_stays_where_it_is_until_it_is_no_more() -> None:
    placement = Placement()
    assert placement.worker_of("room") is None
    placement.place("room", [load(), load()])
    assert placement.worker_of("room") == 0
    placement.release("room")
    assert placement.worker_of("room") is None and placement.room_count(0) == 0
    assert placement.place("room", [load(pps=1.0), load()]) == 1
    placement.release("never there")


def test_rooms_that_come_at_once_are_shared_out_before_anything_is_measured() -> None:
    placement = Placement()
    for number in range(12):
        placement.place(f"room {number}", [load(), load(), load()])
    assert [placement.room_count(worker) for worker in range(3)] == [4, 4, 4]


def test_rooms_that_have_just_come_do_not_outweigh_what_is_measured() -> None:
    placement = Placement()
    for number in range(5):
        assert placement.place(f"room {number}", [load(pps=50_000.0, transports=20), load()]) == 1


def test_rooms_of_a_worker_that_cannot_be_started_are_shared_out_among_the_others() -> None:
    placement = Placement()
    for number in range(9):
        placement.place(f"room {number}", [load(), load(), load()])
    placement.evacuate(0, [DOWN, load(), load()])
    assert placement.room_count(0) == 0
    assert sorted(placement.room_count(worker) for worker in (1, 2)) == [4, 5]


def test_without_another_they_stay() -> None:
    placement = Placement()
    placement.place("room", [load(), DOWN])
    placement.evacuate(0, [DOWN, DOWN])
    assert placement.worker_of("room") == 0


def test_the_books_agree_whatever_happens(seed: int) -> None:
    source = random.Random(seed)
    placement, rooms = Placement(), set[str]()
    for _ in range(500):
        loads = [load(source.random() < 0.7, source.random() * 1e4, source.randrange(50)) for _ in range(4)]
        choice, room = source.random(), f"room {source.randrange(40)}"
        if choice < 0.5 and room not in rooms:
            chosen = placement.place(room, loads)
            assert loads[chosen].running or not any(one.running for one in loads)
            rooms.add(room)
        elif choice < 0.9:
            placement.release(room)
            rooms.discard(room)
        else:
            placement.evacuate(source.randrange(4), loads)
        where = [placement.worker_of(one) for one in rooms]
        assert None not in where
        assert [placement.room_count(worker) for worker in range(4)] == [where.count(worker) for worker in range(4)]
