"""A stream socket on the event loop that carries frames: between signaling and a Worker in a process of its own.

Writing never waits: who sends decides in the middle of a turn. What the other end does not read is kept up to a limit;
beyond it that end is stuck, and the connection is given up. It also decides who waits for whom: see `pauses`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Self

from sfu.control import MAX_FRAME_BYTES
from sfu.wire.frames import FrameSplitter, FrameTooLong, prefixed

# Not read by the other end. A join is some ten messages of 300 bytes: thousands of joins, or far more than the seconds
# after which a silent end is given up anyway can bring.
MAX_UNREAD_BYTES = 8 << 20


class FrameSocket(asyncio.Protocol):
    """`on_frame(frame)`, in order. `on_end(reason)` once, never inside of a call to this."""

    def __init__(
        self,
        on_frame: Callable[[bytes], None],
        on_end: Callable[[str], None],
        *,
        pauses: bool,
        max_unread_bytes: int = MAX_UNREAD_BYTES,
    ) -> None:
        """`pauses`: reads nothing more while much that was sent is unread. At one end only: if both waited for the
        other to read, neither would."""
        self._on_frame = on_frame
        self._on_end = on_end
        self._pauses = pauses
        self._max_unread_bytes = max_unread_bytes
        self._splitter = FrameSplitter(MAX_FRAME_BYTES)
        self._transport: asyncio.Transport | None = None
        self._reason = "closed by the other end"

    @classmethod
    async def over(
        cls, connected: socket.socket, on_frame: Callable[[bytes], None], on_end: Callable[[str], None], *, pauses: bool
    ) -> Self:
        """On this Unix socket, which is its from now on."""
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_unix_connection(lambda: cls(on_frame, on_end, pauses=pauses), sock=connected)
        return protocol

    def send(self, frame: bytes) -> None:
        """Nothing happens once the connection has ended; `on_end` has said so, or is about to."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(prefixed(frame))
        unread = self._transport.get_write_buffer_size()
        if unread > self._max_unread_bytes:
            self._give_up(f"{unread} bytes were not read")

    def close(self) -> None:
        """What was sent still goes, if the other end reads."""
        self._reason = "closed by us"
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """At once, whatever is still to be sent."""
        self._give_up("closed by us")

    # --- asyncio's ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, chunk: bytes) -> None:
        try:
            frames = self._splitter.feed(chunk)
        except FrameTooLong as error:
            self._give_up(str(error))
            return
        for frame in frames:
            self._on_frame(frame)

    def pause_writing(self) -> None:
        if self._pauses and self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._pauses and self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._on_end(self._reason if error is None else str(error))

    def _give_up(self, reason: str) -> None:
        self._reason = reason
        if self._transport is not None:
            self._transport.abort()
