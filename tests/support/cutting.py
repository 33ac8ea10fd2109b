"""A TCP forwarder in this process whose connections a test can lose, hold up, or not take at all. And the same for a
Worker's Transports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from signaling.server import Server


@dataclass(slots=True, eq=False)
class _Line:
    near: asyncio.StreamWriter  # to the client
    far: asyncio.StreamWriter
    half_open: bool = False


class Forwarder:
    def __init__(self, port: int) -> None:
        self._to_port = port
        self._lines: set[_Line] = set()
        self._refusing = False
        self.port = 0
        self.connections = 0  # how many there have been
        self.sent_bytes = 0  # by clients
        self._most_bytes: int | None = None
        self._may_pass = asyncio.Event()
        self._may_pass.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Every connection ends without a word, as when a cable is pulled and both kernels have noticed."""
        for line in list(self._lines):
            line.near.transport.abort()
            line.far.transport.abort()

    def cut_off_clients(self) -> None:
        """The same, but the server does not notice: its ends stay open."""
        for line in self._lines:
            line.half_open = True
            line.near.transport.abort()

    def refuse(self, refusing: bool = True) -> None:
        """Nobody gets through from now on."""
        self._refusing = refusing

    def hold_after(self, more_bytes: int) -> None:
        """So many of the clients' bytes still get through; then they wait, on connections that stay open."""
        self._most_bytes = self.sent_bytes + more_bytes

    @property
    def holding(self) -> bool:
        return not self._may_pass.is_set()

    def release(self) -> None:
        self._most_bytes = None
        self._may_pass.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        line = _Line(writer, far_writer)
        self._lines.add(line)
        await asyncio.gather(self._pump(line, reader, far_writer), self._pump(line, far_reader, writer))
        if not line.half_open:
            self._lines.discard(line)

    async def _pump(self, line: _Line, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await source.read(1 << 16):
                if sink is line.far:
                    await self._pass(len(chunk))
                sink.write(chunk)
                await sink.drain()
        if not (line.half_open and sink is line.far):
            sink.close()

    async def _pass(self, count: int) -> None:
        if self._most_bytes is not None and self.sent_bytes >= self._most_bytes:
            self._may_pass.clear()
        await self._may_pass.wait()
        self.sent_bytes += count


@contextlib.asynccontextmanager
async def forwarding(port: int) -> AsyncIterator[Forwarder]:
    """To this port of this machine."""
    forwarder = Forwarder(port)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(forwarder.accept(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    forwarder.port = listener.sockets[0].getsockname()[1]
    try:
        yield forwarder
    finally:
        listener.close()
        forwarder.cut()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def drop_transports(server: Server, identity: str, reason: str = "dropped") -> int:
    """A participant's Transports end, as when a Worker loses them; returns how many there were."""
    router = server.worker._running.router
    numbers = [one.number for one in router.registry.endpoints.values() if one.participant == identity]
    for number in numbers:
        router.transports._transports[number]._end(reason)
    return len(numbers)
