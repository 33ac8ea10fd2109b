"""What moderators do to the people in a room, and that it outlives a reload of their pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from signaling import events
from signaling.auth import Grant
from signaling.errors import Refused
from signaling.limits import RoomLimits
from signaling.message_values import Grants
from signaling.messages import ParticipantLeft, TrackPublished
from signaling.moderating import carry_out
from signaling.moderation_messages import (
    AttributesChanged,
    Ban,
    ConsentChanged,
    GrantChanges,
    HandChanged,
    Move,
    MuteTrack,
    Remove,
    RoomChanged,
    SetAttributes,
    SetConsent,
    SetHand,
    SetMetadata,
    SetRoom,
    StageChanged,
    UnmuteRequested,
)
from signaling.room_events import Evicted, Hold, Permit, Post, Release, RoomEvent, Stop, Transfer
from signaling.room_settings import RoomChanges
from signaling.rooms import RoomDirectory
from tests.signaling.conversations import track

SPEAKS = Grants(publish=True, subscribe=True, message=True)
HOST, ADA, BOB = 1, 2, 3


def directory() -> RoomDirectory:
    """A room with a moderator, Ada, who publishes a microphone, and Bob."""
    rooms = RoomDirectory(RoomLimits(metadata_bytes=100, attributes_bytes=20))
    rooms.create_room("demo", RoomChanges(), 0.0)
    rooms.enter(HOST, Grant("host", "Host", "demo", Grants(subscribe=True, administer=True)), 0.0)
    rooms.enter(ADA, Grant("ada", "Ada", "demo", SPEAKS), 0.0)
    rooms.enter(BOB, Grant("bob", "Bob", "demo", Grants(subscribe=True)), 0.0)
    rooms.change(ADA, TrackPublished(identity="ada", track=track("TR_1", "microphone")))
    told(rooms)
    while rooms.poll_record() is not None:
        pass
    return rooms


def told(rooms: RoomDirectory) -> dict[int, list[RoomEvent]]:
    by_session: dict[int, list[RoomEvent]] = {}
    while (delivery := rooms.poll()) is not None:
        by_session.setdefault(delivery.session, []).append(delivery.event)
    return by_session


def changes_recorded(rooms: RoomDirectory) -> list[dict[str, Any]]:
    found = []
    while (record := rooms.poll_record()) is not None:
        if isinstance(record, events.ParticipantChanged):
            found.append(record.changes)
    return found


def test_a_muted_source_stays_so_until_its_publisher_is_asked() -> None:
    rooms = directory()
    rooms.mute_track("demo", "ada", "TR_1", by="host")
    assert told(rooms) == {ADA: [Hold("microphone", "host")]}
    assert rooms.participant("demo", "ada").held == ("microphone",)
    again = rooms.enter(9, Grant("ada", "Ada", "demo", SPEAKS), 1.0)
    assert again is not None and again.held == {"microphone"}, "a reload is no way out"
    told(rooms)
    rooms.ask_to_unmute("demo", "ada", "microphone", by="host")
    assert told(rooms) == {9: [Release("microphone"), UnmuteRequested(source="microphone", by="host")]}
    assert rooms.participant("demo", "ada").held == ()


def test_who_or_what_is_not_there_cannot_be_moderated() -> None:
    rooms = directory()
    attempts: dict[str, Callable[[], object]] = {
        "unknown_track": lambda: rooms.mute_track("demo", "ada", "TR_9"),
        "unknown_participant": lambda: rooms.stop_track("demo", "eve", "TR_1"),
        "room_not_found": lambda: rooms.set_hand("elsewhere", "ada", True),
    }
    for code, attempt in attempts.items():
        with pytest.raises(Refused, match=code):
            attempt()
    assert told(rooms) == {}


def test_stopping_a_track_is_for_its_publisher_to_carry_out() -> None:
    rooms = directory()
    rooms.stop_track("demo", "ada", "TR_1", by="host")
    assert told(rooms) == {ADA: [Stop("TR_1", "host")]}


def test_grants_change_live_and_for_who_comes_again() -> None:
    rooms = directory()
    silent = rooms.set_grants("demo", "ada", GrantChanges(publish=False))
    assert not silent.publish and silent.subscribe, "what is not named stays"
    assert told(rooms) == {ADA: [Permit(silent)]}
    rooms.set_grants("demo", "ada", GrantChanges(publish=False))
    assert told(rooms) == {}, "nothing is new"
    again = rooms.enter(9, Grant("ada", "Ada", "demo", SPEAKS), 1.0)
    assert again is not None and again.grants == silent


def test_the_stage_gives_publishing_and_takes_it_back() -> None:
    rooms = directory()
    rooms.set_hand("demo", "bob", True)
    told(rooms)
    rooms.set_stage("demo", "bob", True)
    events_of_bob = told(rooms)[BOB]
    assert events_of_bob[0] == StageChanged(identity="bob", on_stage=True)
    assert isinstance(events_of_bob[1], Permit) and events_of_bob[1].grants.may_publish("camera")
    assert events_of_bob[2] == HandChanged(identity="bob", hand=0)
    rooms.set_stage("demo", "bob", False)
    assert not rooms.participant("demo", "bob").grants.publish


def test_consent_is_told_to_everybody_and_remembered_for_who_comes_again() -> None:
    rooms = directory()
    rooms.set_consent("demo", "ada", False)
    rooms.set_consent("demo", "ada", False)
    changed = ConsentChanged(identity="ada", given=False)
    assert told(rooms) == {HOST: [changed], ADA: [changed], BOB: [changed]}
    assert changes_recorded(rooms) == [{"consent": False}]
    again = rooms.enter(9, Grant("ada", "Ada", "demo", SPEAKS), 1.0)
    assert again is not None and again.you.consent is False and again.others[1].consent is None


def test_consent_is_ones_own() -> None:
    rooms = directory()
    carry_out(rooms, BOB, SetConsent(id=1, given=True), 0.0)
    assert rooms.participant("demo", "bob").participant.consent is True


def test_hands_are_in_the_order_in_which_they_were_raised() -> None:
    rooms = directory()
    rooms.set_hand("demo", "bob", True)
    rooms.set_hand("demo", "ada", True)
    rooms.set_hand("demo", "ada", True)
    rooms.set_hand("demo", "bob", False)
    rooms.set_hand("demo", "bob", True)
    assert {view.participant.identity: view.participant.hand for view in rooms.participants("demo")} == {
        "host": 0,
        "ada": 2,
        "bob": 3,
    }
    assert changes_recorded(rooms) == [{"hand": 1}, {"hand": 2}, {"hand": 0}, {"hand": 3}]


def test_metadata_and_attributes_are_told_bounded_and_versioned() -> None:
    rooms = directory()
    version = rooms.participant("demo", "ada").version
    rooms.set_attributes("demo", "ada", {"seat": "4", "role": "cook"}, version=version)
    assert told(rooms)[BOB] == [
        AttributesChanged(identity="ada", metadata="", attributes={"seat": "4", "role": "cook"})
    ]
    rooms.set_attributes("demo", "ada", {"seat": None})
    assert rooms.participant("demo", "ada").participant.attributes == {"role": "cook"}
    with pytest.raises(Refused, match="version_mismatch"):
        rooms.set_metadata("demo", "ada", "x", version=version)
    with pytest.raises(Refused, match="out_of_range"):
        rooms.set_metadata("demo", "ada", "x" * 101)
    with pytest.raises(Refused, match="out_of_range"):
        rooms.set_attributes("demo", "ada", {"a": "x" * 20})


def test_who_is_moved_has_a_seat_there_past_lobby_and_lock() -> None:
    rooms = directory()
    rooms.create_room("demo~red", RoomChanges(lobby=True, locked=True, max_participants=1), 0.0)
    rooms.mute_track("demo", "ada", "TR_1")
    rooms.set_grants("demo", "ada", GrantChanges(message=False))
    told(rooms)
    rooms.move("demo", "ada", "demo~red", 1.0)
    heard = told(rooms)
    (transfer,) = heard[ADA]
    assert isinstance(transfer, Transfer) and transfer.grant.room == "demo~red"
    assert not transfer.grant.grants.message, "what was taken stays taken"
    assert heard[BOB] == [ParticipantLeft(identity="ada", reason="moved")]
    with pytest.raises(Refused, match="room_full"):
        rooms.move("demo", "bob", "demo~red", 2.0)
    there = rooms.enter(7, transfer.grant, 3.0)
    assert there is not None and there.held == {"microphone"}
    rooms.leave(7, "left", 4.0)
    with pytest.raises(Refused, match="room_locked"):
        rooms.enter(8, transfer.grant, 5.0)


def test_a_seat_that_nobody_takes_is_free_again() -> None:
    rooms = directory()
    rooms.create_room("demo~red", RoomChanges(max_participants=1), 0.0)
    rooms.move("demo", "ada", "demo~red", 1.0)
    with pytest.raises(Refused, match="room_full"):
        rooms.enter(8, Grant("eve", "Eve", "demo~red", SPEAKS), 30.9)
    assert rooms.enter(8, Grant("eve", "Eve", "demo~red", SPEAKS), 31.1) is not None


def test_moving_makes_the_room_and_never_passes_a_ban() -> None:
    rooms = directory()
    rooms.ban("demo~red", "bob", 0.0)
    with pytest.raises(Refused, match="banned"):
        rooms.move("demo", "bob", "demo~red", 1.0)
    rooms.move("demo", "ada", "demo~blue", 1.0)
    assert rooms.room("demo~blue").participants == 0
    assert {view.participant.identity for view in rooms.participants("demo")} == {"host", "bob"}


def test_a_deleted_room_puts_everybody_out() -> None:
    rooms = directory()
    rooms.delete_room("demo", 1.0, reason="over")
    heard = told(rooms)
    assert {session: heard[session][0] for session in (HOST, ADA, BOB)} == dict.fromkeys(
        (HOST, ADA, BOB), Evicted("room_deleted", "over", "room_deleted")
    )
    assert rooms.room_count == 0 and rooms.participant_count == 0 and rooms.poll_closed() == "demo"


NOT_FOR_EVERYBODY = [
    MuteTrack(id=1, participant="ada", track="TR_1"),
    Remove(id=1, participant="host"),
    Ban(id=1, participant="host"),
    Move(id=1, participant="bob", to_room="demo~red"),
    SetHand(id=1, raised=False, participant="ada"),
    SetMetadata(id=1, metadata="x"),
    SetAttributes(id=1, attributes={}, participant="ada"),
    SetRoom(id=1, locked=True),
]


@pytest.mark.parametrize("request_", NOT_FOR_EVERYBODY, ids=lambda one: type(one).__name__)
def test_who_does_not_administer_does_nothing_to_others(request_: Any) -> None:
    rooms = directory()
    with pytest.raises(Refused, match="not_granted"):
        carry_out(rooms, BOB, request_, 1.0)
    assert told(rooms) == {}


def test_what_takes_no_grant_or_its_own() -> None:
    rooms = directory()
    carry_out(rooms, BOB, SetHand(id=1, raised=True), 1.0)
    assert told(rooms)[ADA] == [HandChanged(identity="bob", hand=1)]
    rooms.set_grants("demo", "bob", GrantChanges(update_own_metadata=True))
    carry_out(rooms, BOB, SetMetadata(id=2, metadata="m"), 1.0)
    with pytest.raises(Refused, match="not_granted"):
        carry_out(rooms, BOB, SetMetadata(id=2, metadata="m", participant="ada"), 1.0)


def test_who_administers_one_room_moves_nobody_into_another() -> None:
    rooms = directory()
    for elsewhere in ("other", "demo2", "dem~o"):
        with pytest.raises(Refused, match="not_granted"):
            carry_out(rooms, HOST, Move(id=1, participant="host", to_room=elsewhere), 1.0)
    carry_out(rooms, HOST, Move(id=1, participant="bob", to_room="demo~red"), 1.0)


def test_a_lock_is_told_to_everybody() -> None:
    rooms = directory()
    carry_out(rooms, HOST, SetRoom(id=1, locked=True), 1.0)
    heard = told(rooms)
    assert set(heard) == {HOST, ADA, BOB}
    assert all(isinstance(one, RoomChanged) and one.room.locked for (one,) in heard.values())


def test_who_was_put_out_meanwhile_has_no_say() -> None:
    rooms = directory()
    rooms.remove("demo", "host", 1.0)
    with pytest.raises(Refused):
        carry_out(rooms, HOST, SetRoom(id=1, locked=True), 1.0)


def test_the_app_speaks_to_who_is_there() -> None:
    rooms = directory()
    rooms.send_message("demo", "Hello", topic="chat")
    rooms.send_message("demo", b"\x00", to=["bob"], reliable=False)
    posts = [rooms.poll_post(), rooms.poll_post(), rooms.poll_post()]
    assert posts == [
        Post("demo", "chat", b"Hello", True, None, True),
        Post("demo", "", b"\x00", False, ("bob",), False),
        None,
    ]
    refused: list[tuple[str, dict[str, Any]]] = [
        ("unknown_participant", {"payload": "x", "to": ["bob", "eve"]}),
        ("out_of_range", {"payload": "x", "to": []}),
        ("out_of_range", {"payload": "x", "topic": "x" * 65}),
        ("out_of_range", {"payload": bytes(60 * 1024 + 1)}),
        ("out_of_range", {"payload": bytes(15 * 1024 + 1), "reliable": False}),
    ]
    for code, wrong in refused:
        with pytest.raises(Refused, match=code):
            rooms.send_message("demo", **wrong)
    assert rooms.poll_post() is None
