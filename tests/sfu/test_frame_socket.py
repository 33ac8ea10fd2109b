"""Frames over a real Unix socket: in order, bounded, and an end that is told once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sfu.control import MAX_FRAME_BYTES
from sfu.frame_socket import MAX_UNREAD_BYTES, FrameSocket
from sfu.wire.frames import prefixed
from tests.support.ice import until


class End:
    """One end, and what has come."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.ended: list[str] = []
        self.socket: FrameSocket

    async def over(self) -> None:
        await until(lambda: bool(self.ended))

    async def open(self, connected: socket.socket, *, pauses: bool = False) -> None:
        self.socket = await FrameSocket.over(connected, self.frames.append, self.ended.append, pauses=pauses)


@asynccontextmanager
async def pair(*, pauses: bool = False) -> AsyncIterator[tuple[End, End]]:
    ours, theirs = socket.socketpair()
    one, other = End(), End()
    await one.open(ours)
    await other.open(theirs, pauses=pauses)
    yield one, other
    for end in (one, other):
        end.socket.abort()
        await end.over()


@asynccontextmanager
async def alone(*, pauses: bool = False) -> AsyncIterator[tuple[End, socket.socket]]:
    """An end, and a plain socket that reads and writes when it is told to."""
    ours, theirs = socket.socketpair()
    end = End()
    await end.open(ours, pauses=pauses)
    with theirs:
        yield end, theirs
    await end.over()


async def test_frames_arrive_in_order_and_of_any_size() -> None:
    async with pair() as (one, other):
        sent = [b"", b"x", bytes(MAX_FRAME_BYTES), b"last"]
        for frame in sent:
            one.socket.send(frame)
        await until(lambda: len(other.frames) == len(sent))
        assert other.frames == sent and one.ended == other.ended == []


async def test_what_was_sent_before_closing_arrives_and_both_are_told_once() -> None:
    async with pair() as (one, other):
        for _ in range(3):
            one.socket.send(bytes(MAX_FRAME_BYTES))
        one.socket.close()
        one.socket.send(b"too late")
        await until(lambda: bool(one.ended and other.ended))
        assert len(other.frames) == 3
        one.socket.abort()
        one.socket.send(b"too late")
        await asyncio.sleep(0)
        assert one.ended == ["closed by us"] and other.ended == ["closed by the other end"]


async def test_a_frame_that_is_too_long_ends_it() -> None:
    async with alone() as (end, theirs):
        theirs.sendall(prefixed(b"fine") + (MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
        await end.over()
        assert str(MAX_FRAME_BYTES) in end.ended[0]


async def test_an_end_that_does_not_read_is_given_up_and_nobody_ever_waits() -> None:
    async with alone() as (end, _theirs):
        sent = 0
        while not end.ended:
            end.socket.send(bytes(1 << 18))
            sent += 1 << 18
            assert sent < 2 * MAX_UNREAD_BYTES
            await asyncio.sleep(0)
        assert "were not read" in end.ended[0] and sent > MAX_UNREAD_BYTES


async def test_the_end_that_pauses_takes_nothing_more_until_its_own_is_read() -> None:
    async with alone(pauses=True) as (end, theirs):
        end.socket.send(bytes(1 << 20))
        theirs.sendall(prefixed(b"later"))
        await asyncio.sleep(0.05)  # for what must not happen
        assert end.frames == []
        theirs.setblocking(False)
        loop, read = asyncio.get_running_loop(), 0
        while read < (1 << 20) + 4:
            read += len(await loop.sock_recv(theirs, 1 << 16))
        await until(lambda: end.frames == [b"later"])
