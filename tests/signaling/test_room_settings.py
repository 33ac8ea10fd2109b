"""What a room may be set to."""

from __future__ import annotations

import math

import pytest

from signaling.errors import Refused
from signaling.limits import RoomLimits
from signaling.room_settings import RoomChanges, changed, default_settings
from signaling.rooms import RoomDirectory

LIMITS = RoomLimits()

OUT_OF_RANGE = [
    RoomChanges(max_participants=0),
    RoomChanges(max_participants=LIMITS.max_participants + 1),
    RoomChanges(empty_timeout_s=-1.0),
    RoomChanges(empty_timeout_s=math.nan),
    RoomChanges(departure_timeout_s=math.inf),
    RoomChanges(history_messages=-1),
    RoomChanges(metadata="x" * (LIMITS.metadata_bytes + 1)),
    RoomChanges(metadata="\u00e9" * (LIMITS.metadata_bytes // 2 + 1)),
    RoomChanges(webhook_url="ftp://example.org/"),
    RoomChanges(webhook_url="https:///nowhere"),
    RoomChanges(webhook_url="https://example.org/\r\nX: y"),
    RoomChanges(webhook_url="http://[broken"),
    RoomChanges(end_to_end_encrypted=True, history_messages=10),
]


@pytest.mark.parametrize("changes", OUT_OF_RANGE, ids=str)
def test_what_is_out_of_range_is_refused_and_changes_nothing(changes: RoomChanges) -> None:
    directory = RoomDirectory(LIMITS)
    with pytest.raises(Refused, match="out_of_range"):
        directory.create_room("demo", changes, 0.0)
    assert directory.room_count == 0
    directory.create_room("demo", RoomChanges(), 0.0)
    with pytest.raises(Refused, match="out_of_range"):
        directory.update_room("demo", changes, 0.0)
    assert directory.room("demo").version == 1


def test_what_is_not_named_stays() -> None:
    settings = changed(default_settings(LIMITS), RoomChanges(locked=True, metadata="{}"), LIMITS)
    assert changed(settings, RoomChanges(lobby=True), LIMITS).locked
    assert changed(settings, RoomChanges(), LIMITS) == settings


def test_versions_tell_who_came_too_late() -> None:
    directory = RoomDirectory(LIMITS)
    directory.create_room("demo", RoomChanges(), 0.0)
    assert directory.update_room("demo", RoomChanges(locked=True), 0.0, version=1).version == 2
    with pytest.raises(Refused, match="version_mismatch"):
        directory.update_room("demo", RoomChanges(locked=False), 0.0, version=1)
    assert directory.update_room("demo", RoomChanges(locked=True), 0.0).version == 2, "nothing is new"
    with pytest.raises(Refused, match="room_exists"):
        directory.create_room("demo", RoomChanges(), 0.0)
