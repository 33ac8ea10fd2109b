"""Reads a local sink of the plane: decrypted packets of Tracks, for a recorder, speech to text, or a relay.

    reader = TapReader("@name")        binds; then `plane.add_sink(1, "@name")`, `plane.set_tap(1, track, [0])`
    async for frame in reader:         frames as `sfu/wire/tap.py` has them, until the sink is removed
        …

The queue is the kernel's and bounded by the plane's `sink_buffer_bytes`. Who reads too slowly loses frames, which costs
nobody else anything, and `dropped` says how many.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from types import TracebackType

from sfu.wire import tap
from sfu.wire.errors import MalformedTapFrame
from sfu.wire.tap import FrameKind, TapFrame

_LARGEST_FRAME = 65_536
_FRAMES_PER_TURN = 64  # then others on the event loop have theirs


class TapReader:
    """An async iterator over RTP, SENDER_REPORT and TRACK_ENDED frames, for one sink and one task."""

    def __init__(self, address: str) -> None:
        """`address` is a path, in a directory where only friends may write, or an abstract name after an `@`, which
        anybody on this machine could take first. Raises OSError when it is taken."""
        self.address = address
        self.dropped = 0  # frames the plane could not deliver, as far as the frames read so far tell
        self.malformed = 0
        self.connected = asyncio.Event()  # from then on as much waits as the buffer holds; before, ten frames
        self._frames_in_turn = 0
        self._readable: asyncio.Future[None] | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> TapReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Idempotent. Who waits for a frame gets no more."""
        if self._socket.fileno() < 0:
            return
        if self._readable is not None:
            self._readable.get_loop().remove_reader(self._socket)  # while the descriptor is ours
        self._socket.close()
        if not self.address.startswith("@"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.address)
        self._wake()

    def __aiter__(self) -> TapReader:
        return self

    async def __anext__(self) -> TapFrame:
        while True:
            frame = await self._receive()
            if frame is None or frame.kind == FrameKind.CLOSED:
                raise StopAsyncIteration
            if frame.kind in (FrameKind.RTP, FrameKind.SENDER_REPORT, FrameKind.TRACK_ENDED):
                return frame

    async def _receive(self) -> TapFrame | None:
        """The next frame of any kind; `None` when closed."""
        if self._frames_in_turn >= _FRAMES_PER_TURN:
            self._frames_in_turn = 0
            await asyncio.sleep(0)  # with no frame in hand: who is cancelled here loses none
        while self._socket.fileno() >= 0:
            try:
                datagram, sender = self._socket.recvfrom(_LARGEST_FRAME)
            except BlockingIOError:
                await self._wait()
                continue
            try:
                frame = tap.parse(datagram)
            except MalformedTapFrame:
                self.malformed += 1
                continue
            self._connect_back(sender)
            self._frames_in_turn += 1
            self.dropped += (frame.dropped - self.dropped) & 0xFFFFFFFF
            return frame
        return None

    def _connect_back(self, sender: str | bytes | None) -> None:
        """At the first frame. Unconnected, the kernel queues ten datagrams and no more; and from now on nobody else
        can write here."""
        if not self.connected.is_set() and sender:
            self.connected.set()
            with contextlib.suppress(OSError):  # from another network namespace; then ten must do
                self._socket.connect(sender)

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._readable = loop.create_future()
        loop.add_reader(self._socket, self._wake)
        try:
            await self._readable
        finally:
            if self._socket.fileno() >= 0:
                loop.remove_reader(self._socket)
            self._readable = None
            self._frames_in_turn = 0

    def _wake(self) -> None:
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)
