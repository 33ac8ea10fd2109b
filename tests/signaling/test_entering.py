"""Who comes into a room, who waits before it, and who is kept out."""

from __future__ import annotations

from typing import Any

import pytest

from signaling.auth import Grant
from signaling.errors import Refused
from signaling.limits import RoomLimits
from signaling.message_values import Grants
from signaling.messages import ParticipantJoined, ParticipantLeft
from signaling.moderation_messages import Lobby, Waiting
from signaling.records import Put, Stored
from signaling.room_events import Admitted, Entered, Evicted, RoomEvent
from signaling.room_settings import RoomChanges
from signaling.rooms import RoomDirectory

CLOCK_OFFSET_S = 1_000_000.0


def grant(identity: str, *, issued_at: float = 0.0, room: str = "demo", **grants: bool) -> Grant:
    return Grant(identity, identity.title(), room, Grants(create=True, **grants), issued_at)  # type: ignore[arg-type]


def directory(**changes: object) -> RoomDirectory:
    """With a room `demo` that is set so."""
    rooms = RoomDirectory(RoomLimits(max_waiting=3), clock_offset_s=CLOCK_OFFSET_S)
    rooms.create_room("demo", RoomChanges(**changes), 0.0)  # type: ignore[arg-type]
    told(rooms)
    return rooms


def told(rooms: RoomDirectory) -> dict[int, list[RoomEvent]]:
    """By session."""
    events: dict[int, list[RoomEvent]] = {}
    while (delivery := rooms.poll()) is not None:
        events.setdefault(delivery.session, []).append(delivery.event)
    return events


def refusal(rooms: RoomDirectory, session: int, wish: Grant, now: float = 0.0) -> str:
    with pytest.raises(Refused) as raised:
        rooms.enter(session, wish, now)
    assert told(rooms) == {}
    return raised.value.code


def test_ten_who_race_for_the_last_seat_get_exactly_one() -> None:
    rooms = directory(max_participants=3)
    for session in (1, 2):
        rooms.enter(session, grant(f"early-{session}"), 0.0)
    seated = 0
    for session in range(10, 20):
        try:
            seated += rooms.enter(session, grant(f"late-{session}"), 0.0) is not None
        except Refused as refused:
            assert refused.code == "room_full"
    assert seated == 1
    assert len(rooms.participants("demo")) == 3


def test_in_a_lobby_also_who_comes_first_waits_and_hears_nothing() -> None:
    rooms = directory(lobby=True)
    assert rooms.enter(1, grant("ada"), 0.0) is None
    assert rooms.enter(2, grant("bob"), 0.0) is None
    assert told(rooms) == {}
    assert rooms.participants("demo") == []
    assert rooms.enter(9, grant("host", administer=True), 0.0) is not None
    lobby = Lobby(waiting=(Waiting(identity="ada", name="Ada"), Waiting(identity="bob", name="Bob")))
    assert told(rooms) == {9: [lobby]}
    rooms.admit("demo", "bob", 1.0)
    events = told(rooms)
    assert set(events) == {2, 9}, "ada hears nothing"
    (admitted,) = events[2]
    assert isinstance(admitted, Admitted)
    assert [one.identity for one in admitted.entered.others] == ["host"]
    joined, waiting = events[9]
    assert isinstance(joined, ParticipantJoined) and joined.participant.identity == "bob"
    assert waiting == Lobby(waiting=lobby.waiting[:1])


def test_who_is_denied_is_told_and_may_ask_again() -> None:
    rooms = directory(lobby=True)
    rooms.enter(1, grant("ada"), 0.0)
    rooms.deny("demo", "ada", 1.0, reason="not today")
    assert told(rooms) == {1: [Evicted("denied", "not today", "removed")]}
    assert rooms.enter(2, grant("ada"), 2.0) is None


def test_who_was_admitted_does_not_wait_again() -> None:
    rooms = directory(lobby=True)
    rooms.enter(1, grant("ada"), 0.0)
    rooms.admit("demo", "ada", 0.0)
    rooms.leave(1, "disconnected", 1.0)
    assert rooms.enter(2, grant("ada"), 2.0) is not None
    rooms.remove("demo", "ada", 3.0)
    assert rooms.enter(4, grant("ada", issued_at=CLOCK_OFFSET_S + 4.0), 4.0) is None, "but who was put out does"


def test_whoever_waits_comes_in_when_the_lobby_is_closed() -> None:
    rooms = directory(lobby=True, max_participants=1)
    rooms.enter(1, grant("ada"), 0.0)
    rooms.enter(2, grant("bob"), 0.0)
    rooms.update_room("demo", RoomChanges(lobby=False), 1.0)
    events = told(rooms)
    assert isinstance(events[1][0], Admitted)
    assert events[2][-1] == Evicted("room_full", "the room has its 1 participants", "removed")


def test_a_room_does_not_end_while_somebody_waits() -> None:
    rooms = directory(lobby=True, empty_timeout_s=10.0)
    assert rooms.next_timeout() == 10.0
    rooms.enter(1, grant("ada"), 5.0)
    assert rooms.next_timeout() is None
    rooms.leave(1, "left", 20.0)
    assert rooms.next_timeout() == 30.0
    rooms.on_timeout(30.0)
    assert rooms.room_count == 0 and rooms.poll_closed() == "demo"


def test_a_lobby_has_an_end() -> None:
    rooms = directory(lobby=True)
    for session, name in enumerate(("ada", "bob", "eve"), 1):
        assert rooms.enter(session, grant(name), 0.0) is None
    assert refusal(rooms, 4, grant("joe")) == "limit"
    assert rooms.enter(5, grant("ada"), 0.0) is None, "who comes again waits in his own place"
    assert told(rooms) == {1: [Evicted("replaced", "joined again with the same identity")]}


def test_who_waits_cannot_be_admitted_into_a_full_room() -> None:
    rooms = directory(lobby=True, max_participants=1)
    rooms.enter(1, grant("ada"), 0.0)
    rooms.enter(2, grant("host", administer=True), 0.0)
    told(rooms)
    with pytest.raises(Refused, match="room_full"):
        rooms.admit("demo", "ada", 1.0)
    rooms.leave(2, "left", 2.0)
    rooms.admit("demo", "ada", 3.0)
    assert isinstance(told(rooms)[1][0], Admitted)


def test_a_locked_room_takes_only_who_is_there_and_who_administers() -> None:
    rooms = directory()
    rooms.enter(1, grant("ada"), 0.0)
    rooms.update_room("demo", RoomChanges(locked=True), 1.0)
    told(rooms)
    assert refusal(rooms, 2, grant("bob")) == "room_locked"
    assert rooms.enter(3, grant("ada"), 2.0) is not None
    assert rooms.enter(4, grant("host", administer=True), 2.0) is not None


def test_who_was_removed_needs_another_token() -> None:
    rooms = directory()
    rooms.enter(1, grant("ada", issued_at=CLOCK_OFFSET_S + 5.0), 10.0)
    rooms.enter(2, grant("bob"), 10.0)
    told(rooms)
    rooms.remove("demo", "ada", 10.0, reason="spam")
    assert told(rooms) == {
        1: [Evicted("removed", "spam", "removed")],
        2: [ParticipantLeft(identity="ada", reason="removed")],
    }
    assert refusal(rooms, 3, grant("ada", issued_at=CLOCK_OFFSET_S + 9.0)) == "removed"
    assert refusal(rooms, 3, grant("ada")) == "removed", "one that does not say when it was made is old"
    assert rooms.enter(4, grant("ada", issued_at=CLOCK_OFFSET_S + 10.5), 11.0) is not None


def test_removing_may_leave_the_token_alone() -> None:
    rooms = directory()
    rooms.enter(1, grant("ada"), 0.0)
    rooms.remove("demo", "ada", 0.0, revoke=False)
    assert rooms.enter(2, grant("ada"), 1.0) is not None


def test_a_ban_holds_until_it_ends_whatever_token_is_brought() -> None:
    rooms = directory()
    rooms.enter(1, grant("ada"), 0.0)
    rooms.ban("demo", "ada", 10.0, reason="spam", for_s=60.0)
    assert told(rooms)[1] == [Evicted("banned", "spam", "removed")]
    assert refusal(rooms, 2, grant("ada", issued_at=CLOCK_OFFSET_S + 20.0), 20.0) == "banned"
    assert [one.identity for one in rooms.bans("demo", 20.0)] == ["ada"]
    assert rooms.bans("demo", 70.0) == []
    assert rooms.enter(3, grant("ada"), 70.0) is not None


def test_a_ban_can_be_lifted_and_outlives_the_room_and_the_process() -> None:
    rooms = directory()
    rooms.ban("elsewhere", "ada", 0.0)
    rooms.revoke("demo", "bob", 5.0)
    kept: dict[object, Stored] = {}
    while (record := rooms.poll_record()) is not None:
        if isinstance(record, Put):
            kept[type(record.value), record.value.key] = record.value
    again = RoomDirectory(RoomLimits(), clock_offset_s=CLOCK_OFFSET_S)
    again.restore(kept.values(), 0.0)
    assert refusal(again, 1, grant("ada", room="elsewhere")) == "banned"
    assert refusal(again, 1, grant("bob")) == "removed"
    again.unban("elsewhere", "ada")
    assert again.enter(1, grant("ada", room="elsewhere"), 1.0) is not None
    with pytest.raises(Refused, match="unknown_ban"):
        again.unban("elsewhere", "ada")


def test_hidden_ones_are_in_nobodys_roster_and_take_no_seat() -> None:
    rooms = directory(max_participants=1)
    rooms.enter(1, grant("ada"), 0.0)
    watching = rooms.enter(2, grant("eye", hidden=True), 0.0)
    assert isinstance(watching, Entered) and [one.identity for one in watching.others] == ["ada"]
    assert told(rooms) == {}
    rooms.leave(2, "left", 1.0)
    assert told(rooms) == {}
    rooms.enter(3, grant("eye", hidden=True), 0.0)
    again = rooms.enter(4, grant("ada"), 0.0)
    assert again is not None and again.others == ()


def test_how_long_a_room_waits() -> None:
    cases: list[tuple[dict[str, Any], bool, float | None]] = [
        # created with, entered?, its end
        ({"empty_timeout_s": 7.0, "departure_timeout_s": 3.0}, False, 7.0),
        ({"empty_timeout_s": 7.0, "departure_timeout_s": 3.0}, True, 103.0),
        ({"empty_timeout_s": None}, False, None),
        ({"empty_timeout_s": None}, True, None),
    ]
    for changes, entered, ends_at in cases:
        rooms = directory(**changes)
        if entered:
            rooms.enter(1, grant("ada"), 50.0)
            rooms.leave(1, "left", 100.0)
        assert rooms.next_timeout() == ends_at, (changes, entered)
