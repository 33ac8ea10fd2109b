"""Moderation over real sockets, with the Python client: what everybody concerned sees, and what media does."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

from sfu.core.types import Codec
from signaling.auth import Grant, mint
from signaling.client import ReceivedMessage, Room, RoomClosed, SourceToPublish, connect
from signaling.errors import Refused
from signaling.messages import Grants
from signaling.moderation_messages import GrantChanges, InLobby, UnmuteRequested
from signaling.room_settings import RoomChanges
from tests.signaling.servers import SECRET, WAIT_S, serving

VOICE = SourceToPublish("microphone", Codec.OPUS)
ALL = Grants(create=True, publish=True, subscribe=True, message=True)
HOST = Grants(create=True, publish=True, subscribe=True, message=True, administer=True)


def token(identity: str, grants: Grants = ALL, room: str = "demo") -> str:
    grant = Grant(identity, identity.title(), room, grants)
    return mint(grant, key_id="a", secret=SECRET, now=time.time(), valid_for_s=600)


class People:
    """Who has joined, and what they heard."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._stack = stack
        self.events: dict[str, list[Any]] = {}

    async def join(self, identity: str, grants: Grants = ALL, *, room: str = "demo", by: str | None = None) -> Room:
        heard: list[Any] = []
        self.events[identity] = heard
        text = by or token(identity, grants, room)
        return await self._stack.enter_async_context(connect(self.url, room, text, on_event=heard.append))


async def test_a_call_that_is_moderated() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        people = People(server.url, stack)
        host, ada = await people.join("host", HOST), await people.join("ada")
        (voice,) = await ada.publish([VOICE])
        await host.until(lambda: "ada" in host.participants and bool(host.participants["ada"].tracks), WAIT_S)

        await host.moderation.mute_track("ada", voice.track)
        await host.until(lambda: host.participants["ada"].tracks[0].muted, WAIT_S)
        assert voice.muted
        with pytest.raises(Refused, match="muted_by_moderator"):
            await ada.mute(voice, False)
        await host.moderation.ask_to_unmute("ada", "microphone")
        await ada.until(lambda: any(isinstance(event, UnmuteRequested) for event in people.events["ada"]), WAIT_S)
        await ada.mute(voice, False)

        await host.moderation.set_grants("ada", GrantChanges(publish=False, message=False))
        await host.until(lambda: not host.participants["ada"].tracks, WAIT_S)
        await ada.until(lambda: not ada.publications and not ada.grants.publish, WAIT_S)
        with pytest.raises(Refused, match="not_granted"):
            await ada.publish([VOICE])

        await ada.moderation.set_hand(True)
        await host.until(lambda: host.participants["ada"].hand == 1, WAIT_S)
        await host.moderation.set_stage("ada", True)
        await ada.publish([VOICE])
        with pytest.raises(Refused, match="not_granted"):
            await ada.moderation.remove("host")


async def test_a_lobby_and_who_is_put_out() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        people = People(server.url, stack)
        host = await people.join("host", HOST)
        await host.moderation.set_room(lobby=True)
        invitation = token("eve")
        joining = asyncio.create_task(people.join("eve", by=invitation))
        await host.until(lambda: [one.identity for one in host.waiting] == ["eve"], WAIT_S)
        assert [type(event) for event in people.events["eve"]] == [InLobby]
        await host.moderation.admit("eve")
        eve = await joining
        assert list(eve.participants) == ["host"]
        await host.moderation.remove("eve", reason="spam")
        closed = await eve.wait_closed()
        assert (closed.code, closed.reason, closed.websocket_code) == ("removed", "spam", 4403)
        with pytest.raises(Refused, match="removed"):
            await people.join("eve", by=invitation)
        await host.moderation.set_room(locked=True, lobby=False)
        with pytest.raises(Refused, match="room_locked"):
            await people.join("eve")


async def test_who_is_moved_gets_there_with_the_token_of_the_server() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        people = People(server.url, stack)
        host, ada = await people.join("host", HOST), await people.join("ada")
        with pytest.raises(Refused, match="not_granted"):
            await host.moderation.move("ada", "elsewhere")
        await host.moderation.move("ada", "demo~red")
        closed = await ada.wait_closed()
        assert isinstance(closed, RoomClosed) and closed.code == "moved" and ada.moved is not None
        there = await people.join("ada", room=ada.moved.room, by=ada.moved.token)
        assert there.name == "demo~red"
        await host.until(lambda: "ada" not in host.participants, WAIT_S)


async def test_ten_who_race_for_the_last_seat_get_exactly_one() -> None:
    async with serving(max_participants=2) as server, AsyncExitStack() as stack:
        people = People(server.url, stack)
        await people.join("host", HOST)
        racing = [people.join(f"p{number}") for number in range(10)]
        outcomes = await asyncio.gather(*racing, return_exceptions=True)
        assert sum(isinstance(one, Room) for one in outcomes) == 1
        assert {one.code for one in outcomes if isinstance(one, Refused)} == {"room_full"}


async def test_who_comes_later_hears_what_the_room_keeps_and_the_app_speaks_to_all() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        people = People(server.url, stack)
        await server.switchboard.perform(
            lambda rooms, now: rooms.create_room("demo", RoomChanges(history_messages=10), now)
        )
        ada = await people.join("ada")
        await ada.send_message("before", topic="chat")
        heard: list[ReceivedMessage] = []
        bob = await stack.enter_async_context(
            connect(server.url, "demo", token("bob"), on_message=lambda one: heard.append(one))  # type: ignore[arg-type]
        )
        await bob.until(lambda: len(heard) == 1, WAIT_S)
        await server.switchboard.perform(lambda rooms, now: rooms.send_message("demo", "now", topic="chat"))
        await bob.until(lambda: len(heard) == 2, WAIT_S)
        assert [(one.sender, one.payload, one.age_s is None) for one in heard] == [
            ("ada", "before", False),
            ("", "now", True),
        ]


async def test_a_call_goes_on_by_another_token() -> None:
    asked: list[int] = []

    async def fresh_token() -> str:
        asked.append(1)
        return token("ada")

    def short(identity: str) -> str:
        grant = Grant(identity, identity.title(), "demo", ALL)
        return mint(grant, key_id="a", secret=SECRET, now=time.time(), valid_for_s=10)  # a busy machine joins in time

    async with serving() as server, AsyncExitStack() as stack:
        ada = await stack.enter_async_context(connect(server.url, "demo", short("ada"), fresh_token=fresh_token))
        bob = await stack.enter_async_context(connect(server.url, "demo", short("bob")))
        closed = await bob.wait_closed()
        assert closed.code == "token_expired"
        await ada.until(lambda: "bob" not in ada.participants, WAIT_S)
        assert ada.closed is None and asked == [1]
