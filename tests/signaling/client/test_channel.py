"""The WebSocket side of the client, against a server that says what each test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from signaling.client import RoomClosed, connect
from signaling.client.channel import Channel, open_channel
from signaling.errors import Refused
from signaling.messages import (
    Ack,
    AnyEvent,
    AnyRequest,
    AnyServerMessage,
    Closing,
    Error,
    Grants,
    Join,
    Joined,
    Leave,
    Mute,
    Offer,
    Ok,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    ResumeTicket,
    Subscribe,
)
from signaling.subprotocols import JSON, MSGPACK, Subprotocol
from tests.signaling.conversations import ROOM

ADA = Participant(identity="ada", name="Ada", state="connected", tracks=())
BOB = Participant(identity="bob", name="Bob", state="connected", tracks=())
TICKET = ResumeTicket(token="again", within_s=2.0)
LEFT = ParticipantLeft(identity="bob", reason="left")


class Peer:
    """The server's end of one socket."""

    def __init__(self, socket: web.WebSocketResponse, subprotocol: Subprotocol) -> None:
        self.socket = socket
        self._subprotocol = subprotocol

    async def read(self) -> AnyRequest:
        message = await self.socket.receive()
        request = self._subprotocol.read_request(message.data)
        assert not isinstance(request, Ack)
        return request

    async def say(self, *messages: AnyServerMessage) -> None:
        for message in messages:
            frame = self._subprotocol.encode(message)
            if isinstance(frame, bytes):
                await self.socket.send_bytes(frame)
            else:
                await self.socket.send_str(frame)

    async def until_closed(self) -> None:
        """Everything is fine with it."""
        async for message in self.socket:
            request = self._subprotocol.read_request(message.data)
            if not isinstance(request, Ack):
                await self.say(Ok(id=request.id))


Script = Callable[[Peer], Awaitable[Any]]


@asynccontextmanager
async def serving(script: Script, subprotocol: Subprotocol = MSGPACK) -> AsyncIterator[str]:
    """A server whose every socket follows the script; gives its URL."""

    async def accept(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=(subprotocol.name,))
        await socket.prepare(request)
        await script(Peer(socket, subprotocol))
        return socket

    application = web.Application()
    application.router.add_get("/v1/rooms/here/connect", accept)
    async with TestServer(application) as server:
        yield str(server.make_url("/"))


@asynccontextmanager
async def channel(script: Script, subprotocol: Subprotocol = MSGPACK) -> AsyncIterator[tuple[Channel, list[AnyEvent]]]:
    events: list[AnyEvent] = []
    async with serving(script, subprotocol) as url:
        one = await open_channel(url, "here", subprotocol, events.append, lambda _: None)
        try:
            yield one, events
        finally:
            await one.close()


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK], ids=lambda one: one.name)
async def test_answers_reach_whoever_asked_in_any_order(subprotocol: Subprotocol) -> None:
    async def script(peer: Peer) -> None:
        first, second = await peer.read(), await peer.read()
        await peer.say(LEFT, Ok(id=second.id), Error(id=first.id, code="unknown_track", reason="none such"))
        await peer.until_closed()

    async with channel(script, subprotocol) as (one, events):
        refused, accepted = await asyncio.gather(
            one.request(lambda number: Subscribe(id=number, track="TR_9")),
            one.request(lambda number: Mute(id=number, track="TR_1", muted=True)),
            return_exceptions=True,
        )
        assert isinstance(refused, Refused)
        assert (refused.code, refused.reason) == ("unknown_track", "none such")
        assert accepted == Ok(id=2)
        assert events == [LEFT]


async def test_open_requests_fail_when_the_socket_closes() -> None:
    async def script(peer: Peer) -> None:
        await peer.read()
        await peer.say(Closing(code="replaced", reason="elsewhere"))
        await peer.socket.close(code=4409)

    async with channel(script) as (one, events):
        with pytest.raises(RoomClosed) as closed:
            await one.request(lambda number: Leave(id=number))
        assert (closed.value.code, closed.value.reason, closed.value.websocket_code) == ("replaced", "elsewhere", 4409)
        assert events == [Closing(code="replaced", reason="elsewhere")]
        with pytest.raises(RoomClosed):
            await one.request(lambda number: Leave(id=number))


async def test_a_socket_that_just_ends_was_disconnected() -> None:
    async def script(peer: Peer) -> None:
        await peer.read()
        await peer.socket.close(code=1011)

    async with channel(script) as (one, _):
        with pytest.raises(RoomClosed) as closed:
            await one.request(lambda number: Leave(id=number))
        assert (closed.value.code, closed.value.websocket_code) == ("disconnected", 1011)


async def test_a_server_that_talks_nonsense_is_left() -> None:
    async def script(peer: Peer) -> None:
        await peer.read()
        await peer.socket.send_bytes(b"\x00nonsense")
        await peer.until_closed()

    async with channel(script) as (one, _):
        with pytest.raises(RoomClosed, match="malformed"):
            await one.request(lambda number: Leave(id=number))


async def test_a_server_that_refuses_the_upgrade_is_a_client_error() -> None:
    async with serving(Peer.until_closed) as url:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await open_channel(url, "nowhere", MSGPACK, lambda _: None, lambda _: None)


async def _joined(peer: Peer, *more: AnyServerMessage) -> None:
    join = await peer.read()
    assert isinstance(join, Join)
    assert join.token == "token"
    joined = Joined(
        id=join.id, room="here", you=ADA, grants=Grants(publish=True), participants=(BOB,), state=ROOM, resume=TICKET
    )
    await peer.say(joined, *more)
    await peer.until_closed()


async def test_a_room_knows_who_is_there_also_when_events_follow_at_once() -> None:
    carol = Participant(identity="carol", name="Carol", state="connected", tracks=())
    seen: list[AnyEvent] = []
    async with (
        serving(lambda peer: _joined(peer, LEFT, ParticipantJoined(participant=carol))) as url,
        connect(url, "here", "token", on_event=seen.append) as room,
    ):
        await room.until(lambda: "carol" in room.participants)
        assert (room.identity, room.name, room.grants.publish) == ("ada", "here", True)
        assert set(room.participants) == {"carol"}
        assert seen == [LEFT, ParticipantJoined(participant=carol)]


async def test_a_refused_join_says_why() -> None:
    async def script(peer: Peer) -> None:
        join = await peer.read()
        await peer.say(Error(id=join.id, code="token_expired", reason="an hour ago"))
        await peer.socket.close(code=4401)

    async with serving(script) as url:
        with pytest.raises(Refused) as refused:
            async with connect(url, "here", "token"):
                pass
        assert refused.value.code == "token_expired"


async def test_leaving_says_so_and_dropping_does_not() -> None:
    said: list[AnyRequest] = []

    async def script(peer: Peer) -> None:
        join = await peer.read()
        await peer.say(
            Joined(id=join.id, room="here", you=ADA, grants=Grants(), participants=(), state=ROOM, resume=TICKET)
        )
        message = await peer.socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            request = MSGPACK.read_request(message.data)
            assert not isinstance(request, Ack)
            said.append(request)
            await peer.say(Ok(id=request.id))
            await peer.socket.close()

    async with serving(script) as url:
        async with connect(url, "here", "token") as room:
            pass
        assert [type(request) for request in said] == [Leave]
        assert room.closed is not None
        assert room.closed.code == "left"
        async with connect(url, "here", "token") as room:
            await room.drop()
        assert len(said) == 1


async def test_an_offer_that_cannot_be_read_ends_the_room() -> None:
    async with (
        serving(lambda peer: _joined(peer, Offer(offer=1, sdp="nonsense", slots=()))) as url,
        connect(url, "here", "token") as room,
    ):
        failure = await room.failed()
        assert "sdp_malformed" in str(failure)
        with pytest.raises(type(failure)):
            await room.until(lambda: False)
