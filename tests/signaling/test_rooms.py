"""Rooms and rosters: who gets in, who is told of what, and that what everybody was told is the truth."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from signaling.auth import Grant
from signaling.errors import Refused
from signaling.limits import RoomLimits
from signaling.messages import (
    Grants,
    Participant,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    TrackMuted,
    TrackPublished,
    TrackUnpublished,
)
from signaling.room_events import Delivery, Entered, Evicted
from signaling.rooms import RoomDirectory
from tests.signaling.conversations import participant, track


def grant(identity: str = "ada", room: str = "demo", create: bool = True) -> Grant:
    return Grant(identity, identity.title(), room, Grants(create=create))


def enter(directory: RoomDirectory, session: int, wish: Grant, now: float = 0.0) -> Entered:
    entered = directory.enter(session, wish, now)
    assert entered is not None, "it waits"
    return entered


def told(directory: RoomDirectory) -> list[Delivery]:
    deliveries = []
    while (delivery := directory.poll()) is not None:
        deliveries.append(delivery)
    return deliveries


def refusal(directory: RoomDirectory, session: int, wish: Grant, now: float = 0.0) -> str:
    with pytest.raises(Refused) as raised:
        directory.enter(session, wish, now)
    assert told(directory) == []
    return raised.value.code


def test_a_room_is_made_by_whoever_may() -> None:
    directory = RoomDirectory(RoomLimits())
    assert refusal(directory, 1, grant(create=False)) == "room_not_found"
    assert enter(directory, 2, grant("bob")).you == participant("bob")
    assert enter(directory, 1, grant(create=False)).others == (participant("bob"),)
    assert told(directory) == [Delivery(2, ParticipantJoined(participant=participant("ada")))]


def test_rooms_know_nothing_of_each_other() -> None:
    directory = RoomDirectory(RoomLimits())
    directory.enter(1, grant("ada", "one"), 0.0)
    assert enter(directory, 2, grant("ada", "two")).others == ()
    assert told(directory) == [] and directory.participant_count == 2


def test_an_empty_room_stays_a_while() -> None:
    directory = RoomDirectory(RoomLimits(departure_timeout_s=20.0))
    directory.enter(1, grant(), 0.0)
    assert directory.next_timeout() is None
    directory.leave(1, "left", 100.0)
    assert directory.next_timeout() == 120.0
    directory.on_timeout(119.9)
    directory.enter(2, grant("bob", create=False), 119.9)
    assert directory.next_timeout() is None
    directory.leave(2, "left", 200.0)
    directory.on_timeout(220.0)
    assert directory.room_count == 0 and directory.next_timeout() is None
    assert refusal(directory, 3, grant(create=False)) == "room_not_found"


def test_limits() -> None:
    directory = RoomDirectory(RoomLimits(max_rooms=1, max_participants=2))
    directory.enter(1, grant("ada"), 0.0)
    assert refusal(directory, 2, grant("ada", "other")) == "limit"
    directory.enter(2, grant("bob"), 0.0)
    told(directory)
    assert refusal(directory, 3, grant("eve")) == "room_full"
    assert enter(directory, 3, grant("bob")).others == (participant("ada"),), "who replaces himself takes no room"


def test_a_second_connection_replaces_the_first() -> None:
    directory = RoomDirectory(RoomLimits())
    directory.enter(1, grant("ada"), 0.0)
    directory.enter(2, grant("bob"), 0.0)
    directory.change(1, TrackPublished(identity="ada", track=track("TR_1")))
    told(directory)
    assert enter(directory, 3, grant("ada")).others == (participant("bob"),)
    assert told(directory) == [
        Delivery(1, Evicted("replaced", "joined again with the same identity")),
        Delivery(2, ParticipantLeft(identity="ada", reason="replaced")),
        Delivery(2, ParticipantJoined(participant=participant("ada"))),
    ]
    directory.leave(1, "disconnected", 1.0)
    directory.change(1, TrackUnpublished(identity="ada", track="TR_1"))
    assert told(directory) == [] and directory.participant_count == 2, "the replaced one has nothing to say any more"


def test_a_room_may_refuse_the_second_connection() -> None:
    directory = RoomDirectory(RoomLimits(duplicates="reject"))
    directory.enter(1, grant("ada"), 0.0)
    assert refusal(directory, 2, grant("ada")) == "identity_in_use"
    directory.leave(1, "left", 0.0)
    assert directory.enter(2, grant("ada"), 0.0)


def test_changes_are_told_to_the_others_and_to_who_comes_later() -> None:
    directory = RoomDirectory(RoomLimits())
    directory.enter(1, grant("ada"), 0.0)
    directory.enter(2, grant("bob"), 0.0)
    told(directory)
    changes = (
        TrackPublished(identity="ada", track=track("TR_1")),
        TrackMuted(identity="ada", track="TR_1", muted=True),
        TrackPublished(identity="ada", track=track("TR_2")),
        TrackUnpublished(identity="ada", track="TR_2"),
        ParticipantChanged(identity="ada", state="reconnecting"),
    )
    for change in changes:
        directory.change(1, change)
    assert told(directory) == [Delivery(2, change) for change in changes]
    ada = enter(directory, 3, grant("eve")).others[0]
    assert (ada.state, ada.tracks) == ("reconnecting", (replace(track("TR_1"), muted=True),))


def test_when_the_server_stops_all_leave_and_nobody_is_told() -> None:
    directory = RoomDirectory(RoomLimits())
    directory.enter(1, grant("ada"), 0.0)
    directory.enter(2, grant("bob"), 0.0)
    directory.shut_down(1.0)
    directory.leave(1, "server_shutdown", 0.0)
    assert told(directory) == [] and directory.participant_count == 0


class Rosters(RuleBasedStateMachine):
    """Whatever happens in which order: what a member was told, put together, is who is there and what they publish."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.directory = RoomDirectory(RoomLimits(max_rooms=2, max_participants=3, departure_timeout_s=2.0))
        self.sessions = 0
        self.tracks = 0
        self.views: dict[int, dict[str, Participant]] = {}  # what each member believes, himself included
        self.identities: dict[int, tuple[str, str]] = {}  # room and identity of whoever is inside

    @rule(identity=st.sampled_from("abcd"), room=st.sampled_from(("one", "two", "three")), create=st.booleans())
    def enter(self, identity: str, room: str, create: bool) -> None:
        self.sessions += 1
        try:
            entered = enter(self.directory, self.sessions, grant(identity, room, create), self.now)
        except Refused:
            return
        self.views[self.sessions] = {one.identity: one for one in (*entered.others, entered.you)}
        assert len(self.views[self.sessions]) == 1 + len(entered.others), "nobody is there twice"
        self.identities[self.sessions] = (room, identity)
        self.deliver()

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.identities:
            session = data.draw(st.sampled_from(sorted(self.identities)))
            self.directory.leave(session, "left", self.now)
            del self.views[session], self.identities[session]
            self.deliver()

    @rule(data=st.data(), muted=st.booleans(), action=st.sampled_from(("publish", "unpublish", "mute", "state")))
    def change(self, data: st.DataObject, muted: bool, action: str) -> None:
        if not self.identities:
            return
        session = data.draw(st.sampled_from(sorted(self.identities)))
        me = self.views[session][self.identities[session][1]]
        change: Any
        if action == "publish":
            self.tracks += 1
            change = TrackPublished(identity=me.identity, track=track(f"TR_{self.tracks}"))
        elif action == "state":
            change = ParticipantChanged(identity=me.identity, state="reconnecting" if muted else "connected")
        elif not me.tracks:
            return
        elif action == "unpublish":
            change = TrackUnpublished(identity=me.identity, track=me.tracks[0].id)
        else:
            change = TrackMuted(identity=me.identity, track=me.tracks[0].id, muted=muted)
        self.directory.change(session, change)
        self.note(session, change)
        self.deliver()

    @rule()
    def wait(self) -> None:
        self.now += 1.0
        self.directory.on_timeout(self.now)

    def deliver(self) -> None:
        for delivery in told(self.directory):
            if isinstance(delivery.event, Evicted):
                del self.views[delivery.session], self.identities[delivery.session]
            else:
                self.note(delivery.session, delivery.event)

    def note(self, session: int, event: Any) -> None:
        """As a client keeps its roster."""
        view = self.views[session]
        match event:
            case ParticipantJoined(participant=one):
                assert one.identity not in view, "nobody joins twice"
                view[one.identity] = one
            case ParticipantLeft(identity=identity):
                del view[identity]
            case ParticipantChanged(identity=identity, state=state):
                view[identity] = replace(view[identity], state=state)
            case TrackPublished(identity=identity, track=new):
                view[identity] = replace(view[identity], tracks=(*view[identity].tracks, new))
            case TrackUnpublished(identity=identity, track=name):
                view[identity] = replace(
                    view[identity], tracks=tuple(one for one in view[identity].tracks if one.id != name)
                )
            case TrackMuted(identity=identity, track=name, muted=muted):
                changed = (replace(one, muted=muted) if one.id == name else one for one in view[identity].tracks)
                view[identity] = replace(view[identity], tracks=tuple(changed))

    @invariant()
    def everybody_in_a_room_believes_the_same(self) -> None:
        for room in ("one", "two", "three"):
            members = [session for session, (where, _) in self.identities.items() if where == room]
            views = [self.views[session] for session in members]
            assert all(view == views[0] for view in views)
            assert not views or set(views[0]) == {self.identities[session][1] for session in members}
        assert self.directory.participant_count == len(self.identities)


Rosters.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRosters = Rosters.TestCase
