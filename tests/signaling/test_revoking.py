"""Tokens that are no good any more: one by its id, all of a person, all of a room; also after a restart."""

from __future__ import annotations

from typing import Any

import pytest

from signaling.auth import Grant
from signaling.errors import Refused
from signaling.limits import RoomLimits
from signaling.messages import Grants
from signaling.records import EVERYBODY
from signaling.room_events import Evicted
from signaling.rooms import RoomDirectory
from tests.signaling.test_room_records import Shelf, recorded
from tests.signaling.test_rooms import told


def grant(identity: str = "ada", issued_at: float = 100.0, token_id: str = "", room: str = "demo") -> Grant:
    return Grant(identity, identity, room, Grants(create=True), issued_at=issued_at, token_id=token_id)


def refusal(directory: RoomDirectory, wish: Grant) -> str | None:
    try:
        directory.enter(99, wish, 200.0)
    except Refused as error:
        return error.code
    directory.leave(99, "left", 200.0)
    return None


def after_a_restart(directory: RoomDirectory, **limits: Any) -> RoomDirectory:
    shelf = Shelf()
    shelf.keep(recorded(directory))
    again = RoomDirectory(RoomLimits(**limits))
    again.restore(shelf.values.values(), 0.0)
    return again


@pytest.mark.parametrize("restarted", [False, True])
def test_one_token_by_its_id(restarted: bool) -> None:
    directory = RoomDirectory(RoomLimits())
    directory.revoke_token("T1", 150.0)
    if restarted:
        directory = after_a_restart(directory)
    assert refusal(directory, grant(token_id="T1")) == "token_revoked"
    assert refusal(directory, grant(token_id="T1", issued_at=180.0, room="other")) == "token_revoked"
    assert refusal(directory, grant(token_id="T2")) is None and refusal(directory, grant()) is None


@pytest.mark.parametrize("restarted", [False, True])
def test_all_tokens_of_a_room_that_were_made_before(restarted: bool) -> None:
    directory = RoomDirectory(RoomLimits())
    directory.revoke("demo", EVERYBODY, 150.0)
    if restarted:
        directory = after_a_restart(directory)
    assert refusal(directory, grant()) == refusal(directory, grant("bob")) == "removed"
    assert refusal(directory, grant(issued_at=0.0)) == "removed", "without iat it counts as old"
    assert refusal(directory, grant(issued_at=150.1)) is None
    assert refusal(directory, grant(room="other")) is None


def test_who_is_here_by_a_token_that_is_revoked_has_to_go() -> None:
    directory = RoomDirectory(RoomLimits())
    directory.enter(1, grant("ada", token_id="T1"), 110.0)
    directory.enter(2, grant("bob", token_id="T2"), 110.0)
    told(directory)
    directory.revoke_token("T1", 150.0)
    evicted = [delivery for delivery in told(directory) if isinstance(delivery.event, Evicted)]
    assert [(one.session, one.event.code) for one in evicted if isinstance(one.event, Evicted)] == [
        (1, "token_revoked")
    ]
    assert directory.participant_count == 1


def test_who_looks_on_by_a_token_that_is_no_good_any_more_has_to_go() -> None:
    directory = RoomDirectory(RoomLimits())
    directory.enter(1, grant("ada"), 110.0)
    for session, identity in ((2, "tap"), (3, "other"), (4, "banned")):
        directory.observe(session, "demo", grant(identity, token_id=f"T{session}"))
    directory.observe(5, "demo")  # ours
    told(directory)

    def evicted() -> list[tuple[int, str]]:
        deliveries = [(one.session, one.event) for one in told(directory)]
        return [(session, event.code) for session, event in deliveries if isinstance(event, Evicted)]

    directory.revoke("other room", "tap", 150.0)
    directory.revoke("demo", "nobody", 150.0)
    assert evicted() == []
    directory.revoke_token("T2", 150.0)
    assert evicted() == [(2, "token_revoked")]
    directory.overlook(2, "demo")
    directory.ban("demo", "banned", 150.0)
    assert evicted() == [(4, "banned")]
    directory.overlook(4, "demo")
    directory.revoke("demo", EVERYBODY, 150.0)
    assert evicted() == [(3, "removed")]


def test_only_so_many_are_remembered_the_latest() -> None:
    directory = RoomDirectory(RoomLimits(max_revocations=2))
    for number in range(3):
        directory.revoke_token(f"T{number}", 150.0 + number)
    again = after_a_restart(directory, max_revocations=2)
    for one in (directory, again):
        assert [refusal(one, grant(token_id=f"T{number}")) for number in range(3)] == [
            None,
            "token_revoked",
            "token_revoked",
        ]
