"""What app backends hear of a room, and what is kept of it: complete, in order, in pairs, also across restarts."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from signaling import events
from signaling.errors import Refused
from signaling.limits import RoomLimits
from signaling.message_values import Grants
from signaling.messages import TrackMuted, TrackPublished, TrackUnpublished
from signaling.moderation_messages import GrantChanges
from signaling.recordings.options import RecordingOptions
from signaling.records import KIND_OF, Drop, Put, Record, Stored, StoredRecording
from signaling.room_settings import RoomChanges
from signaling.rooms import RoomDirectory
from tests.signaling.conversations import track
from tests.signaling.test_rooms import grant


def recorded(directory: RoomDirectory) -> list[Record]:
    records = []
    while (record := directory.poll_record()) is not None:
        records.append(record)
    return records


def what_happened(records: list[Record]) -> list[tuple[Any, ...]]:
    """Type, room_seq, and what else distinguishes it."""
    happened: list[tuple[Any, ...]] = []
    for record in records:
        match record:
            case Put() | Drop():
                continue
            case events.ParticipantJoined(participant=who):
                happened.append(("joined", record.room_seq, who.identity))
            case events.ParticipantLeft(participant=who, reason=reason):
                happened.append(("left", record.room_seq, who.identity, reason))
            case events.TrackPublished(track=one) | events.TrackUnpublished(track=one):
                happened.append((record.__struct_config__.tag, record.room_seq, one.id))
            case events.TrackMuted(track=one):
                happened.append(("muted", record.room_seq, one.id, one.muted))
            case _:
                happened.append((record.__struct_config__.tag, record.room_seq))
    return happened


class Shelf:
    """A store, as far as restarts are concerned."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], Stored] = {}

    def keep(self, records: list[Record]) -> None:
        for record in records:
            if isinstance(record, Put):
                self.values[KIND_OF[type(record.value)], record.value.key] = record.value
            elif isinstance(record, Drop):
                self.values.pop((KIND_OF[record.type], record.key), None)


def test_a_call_from_its_first_to_its_last() -> None:
    directory = RoomDirectory(RoomLimits(departure_timeout_s=20.0))
    shelf = Shelf()
    directory.enter(1, grant("ada"), 0.0)
    directory.change(1, TrackPublished(identity="ada", track=track("TR_1")))
    directory.change(1, TrackMuted(identity="ada", track="TR_1", muted=True))
    directory.enter(2, grant("bob"), 0.0)
    directory.change(1, TrackUnpublished(identity="ada", track="TR_1"))
    directory.change(2, TrackPublished(identity="bob", track=track("TR_2")))
    directory.leave(1, "left", 1.0)
    directory.leave(2, "disconnected", 2.0)
    directory.on_timeout(22.0)
    records = recorded(directory)
    assert what_happened(records) == [
        ("room.created", 1),
        ("joined", 2, "ada"),
        ("track.published", 3, "TR_1"),
        ("muted", 4, "TR_1", True),
        ("joined", 5, "bob"),
        ("track.unpublished", 6, "TR_1"),
        ("track.published", 7, "TR_2"),
        ("left", 8, "ada", "left"),
        ("track.unpublished", 9, "TR_2"),
        ("left", 10, "bob", "disconnected"),
        ("room.ended", 11),
    ]
    shelf.keep(records)
    assert shelf.values == {}, "nothing is kept of a room that is no more"


def test_who_is_replaced_leaves_before_he_joins() -> None:
    directory = RoomDirectory(RoomLimits())
    directory.enter(1, grant("ada"), 0.0)
    recorded(directory)
    directory.enter(2, grant("ada"), 0.0)
    assert what_happened(recorded(directory)) == [("left", 3, "ada", "replaced"), ("joined", 4, "ada")]


def test_a_refusal_records_nothing() -> None:
    directory = RoomDirectory(RoomLimits(max_rooms=1))
    directory.enter(1, grant("ada"), 0.0)
    recorded(directory)
    try:
        directory.enter(2, grant("bob", "other"), 0.0)
    except Refused:
        assert recorded(directory) == []


def test_an_orderly_stop_ends_every_stay_and_keeps_the_room() -> None:
    directory = RoomDirectory(RoomLimits())
    shelf = Shelf()
    directory.enter(1, grant("ada"), 0.0)
    shelf.keep(recorded(directory))
    directory.shut_down(1.0)
    records = recorded(directory)
    assert what_happened(records) == [("left", 3, "ada", "server_shutdown")]
    shelf.keep(records)
    again = RoomDirectory(RoomLimits())
    again.restore(shelf.values.values(), 0.0)
    assert again.enter(1, grant("ada", create=False), 1.0)
    assert what_happened(recorded(again)) == [("joined", 4, "ada")]


def test_after_a_crash_who_comes_back_goes_on_and_who_does_not_has_left() -> None:
    directory = RoomDirectory(RoomLimits())
    shelf = Shelf()
    for session, identity in enumerate(("ada", "bob"), 1):
        directory.enter(session, grant(identity), 0.0)
        directory.change(session, TrackPublished(identity=identity, track=track(f"TR_{session}")))
    shelf.keep(recorded(directory))

    again = RoomDirectory(RoomLimits(return_within_s=30.0, departure_timeout_s=20.0))
    again.restore(shelf.values.values(), 1000.0)
    records = recorded(again)
    assert sorted(what_happened(records)) == [("track.unpublished", 6, "TR_1"), ("track.unpublished", 7, "TR_2")]
    shelf.keep(records)
    entered = again.enter(1, grant("ada", create=False), 1010.0)
    assert entered is not None and entered.others == (), "who is expected is not shown"
    records = recorded(again)
    assert what_happened(records) == [], "for the backend, ada was never away"
    shelf.keep(records)
    assert again.next_timeout() == 1030.0
    again.on_timeout(1030.0)
    records = recorded(again)
    assert what_happened(records) == [("left", 8, "bob", "server_restart")]
    shelf.keep(records)
    again.leave(1, "left", 1031.0)
    again.on_timeout(1051.0)
    records = recorded(again)
    assert what_happened(records) == [("left", 9, "ada", "left"), ("room.ended", 10)]
    shelf.keep(records)
    assert shelf.values == {}


class Restarts(RuleBasedStateMachine):
    """Whatever happens in which order, with crashes in between: numbers without gaps, and everything in pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.shelf = Shelf()
        self.sessions = 0
        self.tracks = 0
        self.inside: dict[int, list[str]] = {}  # tracks by session
        self.seen: dict[str, int] = {}  # room_seq by room
        self.present: dict[str, set[str]] = {}  # participants by room
        self.published: set[str] = set()
        self.ids = 0
        self.start()

    def new_id(self, prefix: str) -> str:
        self.ids += 1
        return f"{prefix}_{self.ids}"

    def start(self) -> None:
        limits = RoomLimits(max_participants=3, departure_timeout_s=2.0, return_within_s=3.0)
        self.directory = RoomDirectory(limits, self.new_id)
        self.directory.restore(self.shelf.values.values(), self.now)
        self.take()

    @rule()
    def crash(self) -> None:
        self.inside.clear()
        self.start()

    @rule()
    def stop(self) -> None:
        self.directory.shut_down(self.now)
        self.take()
        self.inside.clear()
        self.start()

    @rule(identity=st.sampled_from("abcd"), room=st.sampled_from(("one", "two")))
    def enter(self, identity: str, room: str) -> None:
        self.sessions += 1
        try:
            self.directory.enter(self.sessions, grant(identity, room), self.now)
        except Refused:
            return
        self.inside[self.sessions] = []
        self.take()

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.inside:
            session = data.draw(st.sampled_from(sorted(self.inside)))
            self.directory.leave(session, "left", self.now)
            del self.inside[session]
            self.take()

    @rule(data=st.data())
    def publish(self, data: st.DataObject) -> None:
        if self.inside:
            session = data.draw(st.sampled_from(sorted(self.inside)))
            self.tracks += 1
            self.directory.change(session, TrackPublished(identity="-", track=track(f"TR_{self.tracks}")))
            self.inside[session].append(f"TR_{self.tracks}")
            self.take()

    @rule()
    def wait(self) -> None:
        self.now += 1.0
        self.directory.on_timeout(self.now)
        self.take()

    def take(self) -> None:
        records = recorded(self.directory)
        self.shelf.keep(records)
        for record in records:
            if isinstance(record, Put | Drop):
                continue
            room = record.room.id
            assert record.room_seq == self.seen.get(room, 0) + 1, "no gap, no repetition"
            self.seen[room] = record.room_seq
            self.note(room, record)

    def note(self, room: str, event: events.AnyEvent) -> None:
        present = self.present.setdefault(room, set())
        match event:
            case events.RoomCreated():
                assert event.room_seq == 1
            case events.RoomEnded():
                assert not present, "all have left before"
            case events.ParticipantJoined(participant=who):
                assert who.id not in present
                present.add(who.id)
            case events.ParticipantLeft(participant=who):
                present.remove(who.id)
            case events.TrackPublished(participant=who, track=one):
                assert who.id in present and one.id not in self.published
                self.published.add(one.id)
            case events.TrackUnpublished(participant=who, track=one):
                assert who.id in present
                self.published.remove(one.id)

    def teardown(self) -> None:
        """In the end everybody has left, every room has ended, and nothing is kept."""
        for _ in range(10):
            for session in list(self.inside):
                self.directory.leave(session, "left", self.now)
            self.inside.clear()
            self.wait()
        assert self.shelf.values == {} and self.published == set()
        assert not any(self.present.values())


TestRestarts = Restarts.TestCase


def restarted(shelf: Shelf, now: float = 100.0) -> RoomDirectory:
    directory = RoomDirectory(RoomLimits())
    directory.restore(list(shelf.values.values()), now)
    shelf.keep(recorded(directory))
    return directory


def test_what_was_decided_and_said_of_people_is_still_so_after_a_restart() -> None:
    directory, shelf = RoomDirectory(RoomLimits()), Shelf()
    directory.create_room("demo", RoomChanges(lobby=True), 0.0)
    directory.enter(1, grant("ada"), 0.0)
    directory.admit("demo", "ada", 0.0)
    directory.change(1, TrackPublished(identity="ada", track=track("TR_1", "microphone")))
    directory.mute_track("demo", "ada", "TR_1")
    directory.set_grants("demo", "ada", GrantChanges(message=False))
    directory.set_metadata("demo", "ada", "m")
    directory.set_attributes("demo", "ada", {"role": "guest"})
    directory.set_stage("demo", "ada", True)
    directory.set_hand("demo", "ada", True)
    directory.set_consent("demo", "ada", True)
    shelf.keep(recorded(directory))

    again = restarted(shelf)
    entered = again.enter(1, grant("ada"), 101.0)
    assert entered is not None, "who was admitted does not wait again"
    assert entered.held == {"microphone"} and not entered.grants.message
    you = entered.you
    assert (you.metadata, you.attributes, you.on_stage, you.hand) == ("m", {"role": "guest"}, True, 1)
    assert you.consent is True
    again.enter(2, grant("bob"), 101.0)
    again.admit("demo", "bob", 101.0)
    again.set_hand("demo", "bob", True)
    assert again.participant("demo", "bob").participant.hand == 2

    again.ask_to_unmute("demo", "ada", "microphone")
    shelf.keep(recorded(again))
    third = restarted(shelf)
    entered = third.enter(1, grant("ada"), 101.0)
    assert entered is not None and entered.held == frozenset()
    third.delete_room("demo", 102.0)
    records = recorded(third)
    told = [(kind, *rest) for kind, _, *rest in what_happened(records)]
    assert ("left", "bob", "room_deleted") in told, "also who was away"
    shelf.keep(records)
    assert not shelf.values, "and nothing is left of a room that has ended"


def test_of_who_is_forgotten_nothing_is_kept() -> None:
    """Anybody who comes can have something noted of him, and a room may be there for ever."""
    directory, shelf = RoomDirectory(RoomLimits(max_remembered=2)), Shelf()
    for number in range(5):
        directory.enter(number, grant(f"p{number}"), 0.0)
        directory.set_consent("demo", f"p{number}", True)
        directory.set_grants("demo", f"p{number}", GrantChanges(message=False))
    shelf.keep(recorded(directory))
    assert [key for kind, key in shelf.values if kind == "decision"] == [
        f"{directory.room('demo').id}/p{number}" for number in (3, 4)
    ]


def test_who_has_left_before_it_was_looked_at_has_nothing_recorded() -> None:
    """A room may empty, and another life of it begin, while the store takes the turn in which somebody came."""
    directory = RoomDirectory(RoomLimits())
    of_token = dataclasses.replace(grant("ada"), auto_record=RecordingOptions(mode="audio"))
    directory.enter(1, of_token, 0.0)
    directory.leave(1, "left", 0.0)
    directory.enter(2, grant("bob"), 0.0)
    assert directory.poll_to_record() is None, "only a token that is gone says so"
    # Once for who comes, leaves and comes back; and for bob's sake nothing is held against the next one.
    for session in (3, 4, 5):
        directory.enter(session, of_token, 1.0)
        if session != 5:
            directory.leave(session, "left", 1.0)
    found = directory.poll_to_record()
    assert found is not None and (found.room, found.by) == ("demo", "token")
    assert directory.poll_to_record() is None


@pytest.mark.parametrize("comes_early", [False, True])
@pytest.mark.parametrize(("reason", "begins_again"), [("room_empty", True), ("stopped", False)])
def test_a_room_is_recorded_again_unless_somebody_stopped_it(
    reason: str, begins_again: bool, comes_early: bool
) -> None:
    """Who is hidden, or one of many who only watch, is not recorded, and keeps the room from being empty."""
    directory = RoomDirectory(RoomLimits())
    directory.create_room("demo", RoomChanges(auto_record=RecordingOptions(mode="audio")), 0.0)
    directory.enter(1, dataclasses.replace(grant("watcher"), grants=Grants(hidden=True)), 0.0)
    assert directory.poll_to_record() is None, "there is nothing to record"
    directory.enter(2, grant("ada"), 0.0)
    assert directory.poll_to_record() is not None and directory.poll_to_record() is None
    directory.leave(2, "left", 1.0)
    room = directory.room("demo")
    recording = StoredRecording(
        id="REC_1",
        room_id=room.id,
        room="demo",
        state="recording",
        options=RecordingOptions(),
        started_at=0.0,
        by="room",
    )
    directory.change_recording(events.RecordingStarted, recording)
    ended = msgspec.structs.replace(recording, state="finishing", reason=reason)
    if comes_early:
        directory.enter(3, grant("bob"), 99.0)
    directory.change_recording(events.RecordingStopped, ended)
    if not comes_early:
        directory.enter(3, grant("bob"), 100.0)
    assert (directory.poll_to_record() is not None) == begins_again
    directory.change_recording(events.RecordingReady, msgspec.structs.replace(ended, state="ready"))
    directory.enter(4, grant("cid"), 101.0)
    assert directory.poll_to_record() is None, "of the one before"
