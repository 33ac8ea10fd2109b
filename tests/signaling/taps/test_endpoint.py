"""What a tap's WebSocket carries, with the plane's side played: its socket, and the session's words."""

from __future__ import annotations

import asyncio
import fcntl
import socket as sockets
import struct
import termios
from collections.abc import AsyncIterator, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from sfu.tap import TapReader
from sfu.wire import tap
from signaling.taps import sound
from signaling.taps.endpoint import TapClient
from signaling.taps.feed import Heard
from signaling.taps.sound import SoundFrames
from tests.signaling.taps.test_feed import SAMPLES, STARTED, frame

WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    client: TapClient
    plane: sockets.socket
    page: aiohttp.ClientWebSocketResponse

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self.plane.send(tap.pack(frame(number)))

    async def until_read(self) -> None:
        """All that was sent has been taken from the socket."""
        while struct.unpack("i", fcntl.ioctl(self.plane, termios.TIOCOUTQ, bytes(4)))[0]:  # noqa: ASYNC110 - the kernel sets no event
            await asyncio.sleep(0)


@asynccontextmanager
async def tapped(directory: Path, frames: SoundFrames) -> AsyncIterator[Stage]:
    running: asyncio.Future[TapClient] = asyncio.get_running_loop().create_future()
    address = str(directory / "1.sock")

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client = TapClient(socket, frames, pool)
        with TapReader(address) as reader:
            running.set_result(client)
            await client.run(reader)
        return socket

    application = web.Application()
    application.router.add_get("/", serve)
    async with TestServer(application) as server, aiohttp.ClientSession() as http, asyncio.timeout(WITHIN_S):
        with ThreadPoolExecutor(1) as pool, sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM) as plane:
            async with http.ws_connect(server.make_url("/")) as page:
                client = await running
                plane.bind(str(directory / "plane.sock"))
                plane.connect(address)
                yield Stage(client, plane, page)


async def test_nothing_is_lost_of_what_comes_before_the_word_of_what_it_is(tmp_path: Path) -> None:
    async with tapped(tmp_path, SoundFrames(decoded=False)) as stage:
        stage.send(1, 2, 3)
        await stage.until_read()
        stage.client.say(STARTED)
        assert (await stage.page.receive()).type is WSMsgType.TEXT
        stage.send(4)
        heard = [sound.unpack(await stage.page.receive_bytes()) for _ in range(4)]
        assert [timestamp // SAMPLES for _, _, timestamp, _, _ in heard] == [1, 2, 3, 4]


async def test_a_tap_that_cannot_go_on_is_closed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(SoundFrames):
        def pack(self, heard: list[Heard], dropped: int, going_on: Collection[int]) -> list[bytes]:
            raise RuntimeError("the decoder is broken")

    async with tapped(tmp_path, Failing(decoded=True)) as stage:
        stage.client.say(STARTED)
        assert (await stage.page.receive()).type is WSMsgType.TEXT
        stage.send(1)
        assert (await stage.page.receive()).type is WSMsgType.CLOSE
        assert stage.page.close_code == 1011
    assert "the decoder is broken" in caplog.text
