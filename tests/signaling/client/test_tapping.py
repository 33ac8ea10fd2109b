"""The client's side of a tap against a server that plays its part badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import NoReturn

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from recorder.files import decoding
from sfu.wire import tap
from signaling.client.tapping import FIRST_PAUSE_S, Tap
from signaling.taps.messages import encode
from tests.signaling.taps.test_feed import STARTED, frame

WITHIN_S = 60.0


@asynccontextmanager
async def tapping(play: Callable[[web.WebSocketResponse], Awaitable[None]]) -> AsyncIterator[Tap]:
    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await play(socket)
        return socket

    application = web.Application()
    application.router.add_get("/v1/rooms/demo/participants/ada/tap", serve)
    async with (
        asyncio.timeout(WITHIN_S),
        TestServer(application) as server,
        Tap(str(server.make_url("")), "demo", lambda: "token", "ada", "audio", None, local=False) as found,
    ):
        yield found


async def test_who_listens_is_told_when_nothing_can_be_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> NoReturn:
        raise RuntimeError("the decoder is broken")

    async def play(socket: web.WebSocketResponse) -> None:
        await socket.send_str(encode(STARTED))
        await socket.send_bytes(tap.pack(frame(1)))
        await socket.receive()

    monkeypatch.setattr(decoding.SoundDecoder, "decode", broken)
    async with tapping(play) as found:
        with pytest.raises(RuntimeError, match="the decoder is broken"):
            await anext(found)


async def test_a_server_that_closes_at_once_is_asked_ever_more_seldom() -> None:
    came: list[float] = []
    enough = asyncio.Event()

    async def play(socket: web.WebSocketResponse) -> None:
        came.append(asyncio.get_running_loop().time())
        await socket.close(code=4410)
        if len(came) == 4:
            enough.set()

    async with tapping(play) as found:
        listening = asyncio.create_task(anext(found))
        await enough.wait()
        listening.cancel()
    pauses = [after - before for before, after in pairwise(came)]
    assert all(pause >= 0.95 * FIRST_PAUSE_S * 2**number for number, pause in enumerate(pauses)), pauses
