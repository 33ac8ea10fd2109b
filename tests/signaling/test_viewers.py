"""Of a large audience the others are told the number, not the names."""

from __future__ import annotations

from signaling.auth import Grant
from signaling.limits import RoomLimits
from signaling.messages import (
    Grants,
    ParticipantChanged,
    ParticipantJoined,
    TrackPublished,
    ViewersChanged,
)
from signaling.room_events import Delivery
from signaling.rooms import RoomDirectory
from tests.signaling.conversations import participant, track
from tests.signaling.test_rooms import told


def arrive(directory: RoomDirectory, session: int, *, publish: bool) -> list[Delivery]:
    wish = Grant(f"p{session}", f"P{session}", "demo", Grants(create=True, publish=publish, subscribe=True))
    directory.enter(session, wish, 0.0)
    return told(directory)


def test_of_many_viewers_only_the_number_is_told() -> None:
    directory = RoomDirectory(RoomLimits(listed_viewers=1))
    arrive(directory, 1, publish=True)
    (listed,) = arrive(directory, 2, publish=False)
    assert isinstance(listed.event, ParticipantJoined)
    assert arrive(directory, 3, publish=False) == [Delivery(to, ViewersChanged(count=1), 3) for to in (1, 2)]
    assert arrive(directory, 4, publish=False)[-1] == Delivery(3, ViewersChanged(count=1), 4), "beside herself"
    found = directory.describe(3)
    assert [one.identity for one in found.others] == ["p1", "p2"] and found.viewers == 1
    assert directory.describe(1).viewers == 2
    directory.change(3, ParticipantChanged(identity="p3", state="reconnecting"))
    assert told(directory) == [], "nobody knows her by name"
    directory.leave(3, "left", 0.0)
    assert told(directory)[0] == Delivery(1, ViewersChanged(count=1), 3)


def test_a_viewer_who_publishes_after_all_is_listed() -> None:
    directory = RoomDirectory(RoomLimits(listed_viewers=0))
    arrive(directory, 1, publish=True)
    arrive(directory, 2, publish=False)
    published = TrackPublished(identity="p2", track=track("TR_1"))
    directory.change(2, published)
    joined = ParticipantJoined(participant=participant("p2"))
    assert [one.event for one in told(directory)] == [joined, ViewersChanged(count=0), published]
    assert directory.describe(1).viewers == 0
