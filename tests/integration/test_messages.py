"""Messages between Python clients over a real server: who gets them, what is declined, and one that does not listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from sfu.core.types import Codec
from signaling.client import Incoming, MessageError, MessagesLost, ReceivedMessage, Room, SourceToPublish, connect
from signaling.errors import Refused
from signaling.server import Server
from tests.signaling.servers import serving, token
from tests.support.meeting import PATIENCE_S, metrics


class Chatter:
    """A participant with messages open, and what it has heard."""

    def __init__(self) -> None:
        self.heard: list[Incoming] = []
        self.room: Room

    async def hears(self, count: int) -> list[Incoming]:
        await self.room.until(lambda: len(self.heard) >= count, PATIENCE_S)
        return self.heard

    @property
    def payloads(self) -> list[bytes | str]:
        return [one.payload for one in self.heard if isinstance(one, ReceivedMessage)]


class Chat:
    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self.server = server
        self._stack = stack

    async def join(self, name: str, *, data_channels: bool = True, **grants: bool) -> Chatter:
        permitted = token(name, room="demo", valid_for_s=60.0, **({"message": True} | grants))
        chatter = Chatter()
        chatter.room = await self._stack.enter_async_context(
            connect(self.server.url, "demo", permitted, on_message=chatter.heard.append, data_channels=data_channels)
        )
        await chatter.room.open_messages()
        return chatter


@pytest_asyncio.fixture
async def chat() -> AsyncIterator[Chat]:
    async with serving() as server, AsyncExitStack() as stack:
        yield Chat(server, stack)
        assert (await metrics(server.url))["sfu_internal_errors_total"] == 0


async def test_to_all_and_to_some_reliable_and_lossy(chat: Chat) -> None:
    ada, bob, cid = [await chat.join(name) for name in ("ada", "bob", "cid")]
    await ada.room.send_message("to all", topic="chat")
    await ada.room.send_message(b"\x00\x01", to=["cid"], reliable=False)
    to_all = ReceivedMessage("ada", "chat", "to all", reliable=True, direct=False)
    to_cid = ReceivedMessage("ada", "", b"\x00\x01", reliable=False, direct=True)
    assert await bob.hears(1) == [to_all]
    assert set(await cid.hears(2)) == {to_all, to_cid}
    assert ada.heard == []


async def test_receiving_is_for_everybody_and_sending_has_to_be_granted(chat: Chat) -> None:
    ada = await chat.join("ada")
    listener = await chat.join("listener", message=False, publish=False, subscribe=False)
    await ada.room.send_message("hello")
    await listener.hears(1)
    with pytest.raises(Refused, match="not_granted"):
        await listener.room.send_message("no")
    await listener.room._messaging.send("tried all the same", "x", None, reliable=True)
    (_, error) = await listener.hears(2)
    assert isinstance(error, MessageError) and error.code == "not_granted"
    await ada.room.send_message("again")
    await listener.hears(3)
    assert ada.heard == []


async def test_what_is_declined_is_said_to_the_sender(chat: Chat) -> None:
    ada, bob = await chat.join("ada"), await chat.join("bob")
    with pytest.raises(Refused, match="too_large"):
        await ada.room.send_message(bytes(70_000))
    await ada.room.send_message(bytes(61_500), topic="big")
    await ada.room.send_message("where are you?", to=["cid", "bob"], topic="who")
    first, second = await ada.hears(2)
    assert isinstance(first, MessageError) and (first.code, first.topic) == ("too_large", "")
    assert isinstance(second, MessageError) and (second.code, second.topic) == ("unknown_participant", "who")
    assert await bob.hears(1) == [ReceivedMessage("ada", "who", "where are you?", reliable=True, direct=True)]


async def test_who_sends_too_fast_is_slowed_down_alone(chat: Chat) -> None:
    ada, bob, cid = [await chat.join(name) for name in ("ada", "bob", "cid")]
    for number in range(150):
        await ada.room.send_message(str(number), to=["cid"])
    await bob.room.send_message("not affected", to=["cid"])
    await cid.room.until(lambda: "not affected" in cid.payloads, PATIENCE_S)
    await ada.room.until(lambda: any(isinstance(one, MessageError) for one in ada.heard), PATIENCE_S)
    assert {one.code for one in ada.heard if isinstance(one, MessageError)} == {"rate"}
    numbers = [int(one) for one in cid.payloads if one != "not affected"]
    assert numbers[:100] == list(range(100)), "the burst passes, in order"
    assert len(numbers) < 150


async def test_messages_open_before_and_after_tracks(chat: Chat) -> None:
    ada, bob = await chat.join("ada"), await chat.join("bob")
    await ada.room.publish([SourceToPublish("microphone", Codec.OPUS)])
    async with connect(chat.server.url, "demo", token("cid", message=True)) as cid:
        await cid.publish([SourceToPublish("camera", Codec.VP8)])
        await cid.send_message("opened with the first message")
        await bob.hears(1)
        await bob.room.until(
            lambda: (
                sorted(track.source for one in bob.room.participants.values() for track in one.tracks)
                == ["camera", "microphone"]
            )
        )
        await ada.room.send_message("on")
        await bob.hears(2)


async def test_one_that_does_not_listen_delays_nobody_and_hears_of_what_it_lost(chat: Chat) -> None:
    deaf, bob, *senders = [await chat.join(name) for name in ("deaf", "bob", "ada", "cid", "dan")]
    endpoint = deaf.room.publishing
    assert endpoint._dtls is not None
    hear = endpoint._dtls.feed
    endpoint._dtls.feed = lambda datagram: None  # type: ignore[method-assign]
    loop = asyncio.get_running_loop()
    delays_s: list[float] = []
    for number in range(10):  # three times half a megabyte to one, of which one may wait
        for sender in senders:
            sent_at = loop.time()
            await sender.room.send_message(bytes([number]) * 50_000, to=["deaf"])
            await sender.room.send_message("small", to=["bob"])
            await bob.hears(len(delays_s) + 1)
            delays_s.append(loop.time() - sent_at)
    assert sorted(delays_s)[15] < 5.0  # a twentieth of a second; who waits for a deaf one does so until it hears
    assert (await metrics(chat.server.url))["sfu_messages_dropped_total{queue_full}"] > 0
    assert deaf.heard == []
    endpoint._dtls.feed = hear  # type: ignore[method-assign]
    await deaf.room.until(lambda: any(isinstance(one, MessagesLost) for one in deaf.heard), PATIENCE_S)
    (lost,) = [one for one in deaf.heard if isinstance(one, MessagesLost)]
    assert lost.count + len(deaf.payloads) == 30
    await bob.room.send_message("after the gap")
    await deaf.room.until(lambda: deaf.payloads[-1] == "after the gap", PATIENCE_S)


async def test_nobody_hears_those_who_left(chat: Chat) -> None:
    ada, bob = await chat.join("ada"), await chat.join("bob")
    await bob.room.leave()
    await ada.room.until(lambda: not ada.room.participants)
    await ada.room.send_message("bob?", to=["bob"])
    (error,) = await ada.hears(1)
    assert isinstance(error, MessageError) and error.code == "unknown_participant"
    with pytest.raises(ConnectionError):
        await bob.room.send_message("from beyond")


async def test_without_data_channels_all_of_it_goes_over_the_websocket(chat: Chat) -> None:
    ada = await chat.join("ada")
    bob = await chat.join("bob", data_channels=False)
    await bob.room.send_message("from a socket", topic="chat")
    await bob.room.send_message(b"\x00\xff", to=["ada"], reliable=False)
    to_all = ReceivedMessage("bob", "chat", "from a socket", reliable=True, direct=False)
    to_ada = ReceivedMessage("bob", "", b"\x00\xff", reliable=False, direct=True)
    assert set(await ada.hears(2)) == {to_all, to_ada}
    for number in range(100):  # more than is handed out before the client acknowledges
        await ada.room.send_message(str(number))
    await bob.hears(100)
    assert bob.payloads == [str(number) for number in range(100)]
    await bob.room.send_message("anybody?", to=["nobody"], topic="who")
    error = (await bob.hears(101))[-1]
    assert isinstance(error, MessageError) and (error.code, error.topic) == ("unknown_participant", "who")


async def test_who_has_a_data_channel_by_then_hears_nothing_twice(chat: Chat) -> None:
    ada, bob = await chat.join("ada"), await chat.join("bob")
    await bob.room._messaging._socket.open()
    await ada.room.send_message("once")
    await ada.room.send_message("and on")
    await bob.hears(2)
    assert bob.payloads == ["once", "and on"]
