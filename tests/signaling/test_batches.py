"""In large rooms what happens is told in batches, in order, and nothing of it is lost or told twice."""

from __future__ import annotations

from signaling.batches import Batches
from signaling.limits import RoomLimits
from signaling.messages import ParticipantLeft, RosterChanged, Speakers, TrackMuted, ViewersChanged
from signaling.procedures import as_message
from signaling.room_events import Delivery, Evicted, MediaMoved, SingleEvent, Together

LIMITS = RoomLimits(batched_from=3, batch_s=0.25)
MUTED = TrackMuted(identity="bob", track="TR_1", muted=True)
LEFT = ParticipantLeft(identity="bob", reason="left")
SPOKE = Speakers(recent=("bob",), speaking=True)


def to(session: int, event: SingleEvent, members: int = 3) -> Delivery:
    return Delivery(session, event, members)


def test_in_a_small_room_nothing_waits() -> None:
    batches = Batches(LIMITS)
    assert batches.admit(to(1, MUTED, members=2), 0.0) == [MUTED]
    assert batches.next_timeout() is None


def test_what_comes_within_a_moment_goes_together() -> None:
    batches = Batches(LIMITS)
    assert batches.admit(to(1, MUTED), 10.0) == [] == batches.admit(to(2, MUTED), 10.1)
    assert batches.admit(to(1, LEFT), 10.2) == []
    assert batches.next_timeout() == 10.25 and batches.due(10.2) == []
    assert batches.due(10.25) == [(1, Together((MUTED, LEFT))), (2, MUTED)]
    assert batches.next_timeout() is None and batches.due(99.0) == []


def test_who_speaks_is_told_at_once() -> None:
    batches = Batches(LIMITS)
    batches.admit(to(1, MUTED), 10.0)
    assert batches.admit(to(1, SPOKE), 10.0) == [SPOKE]
    assert batches.due(10.25) == [(1, MUTED)]


def test_who_is_put_out_or_in_a_room_grown_small_hears_first_what_waits() -> None:
    evicted = Evicted("replaced", "because")
    for last in (to(1, evicted), to(1, LEFT, members=2)):
        batches = Batches(LIMITS)
        batches.admit(to(1, MUTED), 10.0)
        assert batches.admit(last, 10.1) == [MUTED, last.event]
        assert batches.due(10.25) == []


def test_of_the_number_of_viewers_only_the_last_counts() -> None:
    batches = Batches(LIMITS)
    for count in range(4):
        batches.admit(to(1, ViewersChanged(count=count)), 10.0)
    assert batches.due(11.0) == [(1, ViewersChanged(count=3))]


def test_a_client_is_told_of_a_batch_what_concerns_it() -> None:
    moved = MediaMoved("TR_1", "TR_1/2")
    assert as_message(Together((MUTED, moved, LEFT))) == RosterChanged(events=(MUTED, LEFT))
    assert as_message(moved) is None and as_message(LEFT) is LEFT
