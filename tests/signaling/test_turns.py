"""Nobody is told of what is not kept yet: joins, tracks, notices to others, and what is done by REST."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from signaling.auth import Grant, mint
from signaling.errors import Refused
from signaling.limits import RoomLimits, SessionLimits
from signaling.messages import Error, Grants, Join, Joined, Leave, Ok, ParticipantJoined, ParticipantLeft, Ping
from signaling.records import Transaction
from signaling.store.memory import MemoryStore
from signaling.subprotocols import JSON, Frame
from signaling.switchboard import Switchboard
from tests.signaling.strict_worker import StrictWorker

SECRET = "s" * 32


class PatientStore(MemoryStore):
    """Commits when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[Transaction, Callable[[], None]]] = []

    def commit(self, transaction: Transaction, on_committed: Callable[[], None]) -> None:
        self.waiting.append((transaction, on_committed))

    def step(self) -> None:
        super().commit(*self.waiting.pop(0))


class Page:
    def __init__(self, switchboard: Switchboard, identity: str) -> None:
        self.heard: list[Any] = []
        self.closed: tuple[int, str] | None = None
        self.identity = identity
        self._switchboard = switchboard
        self._requests = 0
        self.socket = switchboard.connect("demo", JSON, self, "-")

    def send(self, frame: Frame) -> None:
        self.heard.append(JSON.read_server_message(frame))

    def close(self, ws_code: int, reason: str) -> None:
        self.closed = (ws_code, reason)

    def say(self, type: Any, **fields: Any) -> None:
        self._requests += 1
        self._switchboard.on_frame(self.socket, JSON.encode(type(id=self._requests, **fields)))

    def join(self) -> None:
        grant = Grant(self.identity, "", "demo", Grants(create=True, publish=True, subscribe=True))
        self.say(Join, token=mint(grant, key_id="a", secret=SECRET, now=time.time(), valid_for_s=60))

    def kinds(self) -> list[type]:
        return [type(message) for message in self.heard]


def switchboard_over(store: MemoryStore) -> Switchboard:
    switchboard = Switchboard({"a": SECRET}, RoomLimits(), SessionLimits(), store=store)
    switchboard.attach(StrictWorker())
    return switchboard


async def test_joining_is_answered_when_it_is_kept() -> None:
    store = PatientStore()
    switchboard = switchboard_over(store)
    ada, bob = Page(switchboard, "ada"), Page(switchboard, "bob")
    ada.join()
    assert ada.heard == []
    store.step()
    assert ada.kinds() == [Joined]
    bob.join()
    ada.say(Ping)
    assert bob.heard == [] and ada.kinds() == [Joined], "what comes after the notice of bob waits behind it"
    store.step()
    assert ada.kinds() == [Joined, ParticipantJoined, Ok] and bob.kinds() == [Joined]


async def test_who_has_nothing_to_do_with_it_does_not_wait() -> None:
    store = PatientStore()
    switchboard = switchboard_over(store)
    ada = Page(switchboard, "ada")
    ada.join()
    store.step()
    eve = Page(switchboard, "eve")
    eve.say(Ping)
    assert eve.kinds()[0] is Error, "before the join"
    bob = Page(switchboard, "bob")
    bob.join()
    assert bob.heard == []


async def test_the_end_of_a_session_waits_too() -> None:
    store = PatientStore()
    switchboard = switchboard_over(store)
    ada = Page(switchboard, "ada")
    ada.join()
    store.step()
    ada.say(Leave)
    assert ada.kinds() == [Joined]
    switchboard.on_disconnected(ada.socket, leaving=True)
    store.step()
    assert ada.kinds() == [Joined, Ok] and ada.closed == (1000, "left")
    assert switchboard.counters.participants == 0


async def test_what_is_done_to_the_directory_returns_when_it_is_kept() -> None:
    store = PatientStore()
    switchboard = switchboard_over(store)
    ada = Page(switchboard, "ada")
    ada.join()
    store.step()
    performing = asyncio.ensure_future(switchboard.perform(lambda directory, now: directory.leave(1, "removed", now)))
    await asyncio.sleep(0)
    assert not performing.done() and len(store.waiting) == 1
    store.step()
    await performing
    assert [event.room_seq for event in await store.events(0, None, 10)] == [1, 2, 3]


async def test_what_the_directory_refuses_is_raised() -> None:
    switchboard = switchboard_over(PatientStore())

    def refuse(*_: object) -> None:
        raise Refused("room_not_found", "no such room")

    with pytest.raises(Refused, match="room_not_found"):
        await switchboard.perform(refuse)


async def test_nothing_new_is_begun_while_nothing_can_be_kept() -> None:
    store = PatientStore()
    switchboard = switchboard_over(store)
    store.stalled = True
    ada = Page(switchboard, "ada")
    ada.join()
    assert [getattr(message, "code", "") for message in ada.heard] == ["unavailable", "unavailable"]
    assert ada.closed is not None
    with pytest.raises(Refused, match="unavailable"):
        await switchboard.perform(lambda directory, now: directory.room_count)


async def test_after_a_crash_the_room_is_there_for_who_may_not_create_it() -> None:
    store = MemoryStore()
    first = switchboard_over(store)
    Page(first, "ada").join()
    # The process is no more; what it kept is.
    second = switchboard_over(store)
    assert (second.counters.rooms, second.counters.participants) == (1, 0)
    bob = Page(second, "bob")
    bob.join()
    assert bob.heard[0].participants == ()
    happened = [event.__struct_config__.tag for event in await store.events(0, None, 10)]
    assert happened == ["room.created", "participant.joined", "participant.joined"]


async def test_an_error_of_ours_while_something_is_said_ends_that_client_only() -> None:
    switchboard = switchboard_over(MemoryStore())
    ada, bob = Page(switchboard, "ada"), Page(switchboard, "bob")
    ada.join()
    said, ada.send = ada.send, broken  # type: ignore[method-assign]
    bob.join()
    await asyncio.sleep(0)
    ada.send = said  # type: ignore[method-assign]
    assert ada.closed == (1011, "internal") and bob.kinds() == [Joined, ParticipantLeft]


def broken(frame: Frame) -> None:
    raise RuntimeError("a bug")
