"""A UDP relay in this process, as a NAT is one: what it sends on for a client leaves from a port that can change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sfu.control import Candidate

if TYPE_CHECKING:
    from signaling.server import Server

Address = tuple[str, int]


Made = TypeVar("Made", bound="Relay")


class _Front(asyncio.DatagramProtocol):
    """Towards clients."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._relay.on_client(data, addr)


class _Back(asyncio.DatagramProtocol):
    """Towards the server, for one client."""

    def __init__(self, relay: Relay, client: Address) -> None:
        self._relay = relay
        self._client = client

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._relay.on_server(data, self._client)


class Relay:
    def __init__(self, server: Address) -> None:
        self._server = server
        self._front: asyncio.DatagramTransport | None = None
        self._backs: dict[Address, asyncio.DatagramTransport] = {}
        self._opening: dict[Address, asyncio.Task[None]] = {}
        self._blocked = False
        self.port = 0

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        front, _ = await loop.create_datagram_endpoint(lambda: _Front(self), local_addr=("127.0.0.1", 0))
        self._front = front
        self.port = front.get_extra_info("sockname")[1]

    def close(self) -> None:
        for transport in (self._front, *self._backs.values()):
            if transport is not None:
                transport.close()

    async def change_ports(self) -> int:
        """Every client comes from another port from now on, and nothing sent to the old ones arrives. Returns how many
        there are."""
        for client, old in list(self._backs.items()):
            await self._open(client)
            old.close()
        return len(self._backs)

    def block(self, blocked: bool = True) -> None:
        """Nothing passes."""
        self._blocked = blocked

    def on_client(self, datagram: bytes, client: Address) -> None:
        if self._blocked:
            return
        back = self._backs.get(client)
        if back is not None:
            back.sendto(datagram, self._server)
        elif client not in self._opening:  # and this one is lost
            self._opening[client] = asyncio.ensure_future(self._open(client))

    def on_server(self, datagram: bytes, client: Address) -> None:
        if not self._blocked and self._front is not None:
            self._send(self._front, datagram, client)

    def _send(self, front: asyncio.DatagramTransport, datagram: bytes, client: Address) -> None:
        front.sendto(datagram, client)

    async def _open(self, client: Address) -> None:
        loop = asyncio.get_running_loop()
        back, _ = await loop.create_datagram_endpoint(lambda: _Back(self, client), local_addr=("127.0.0.1", 0))
        self._backs[client] = back
        self._opening.pop(client, None)


@contextlib.asynccontextmanager
async def relayed(server: Server, make: Callable[[Address], Made]) -> AsyncIterator[Made]:
    """Whoever joins from now on reaches this server's media through the relay only."""
    transports = server.worker._running.router.transports
    before = list(transports.candidates)
    relay = make(("127.0.0.1", server.worker.udp_port))
    await relay.open()
    transports.candidates[:] = [Candidate(host="127.0.0.1", port=relay.port, priority=before[0].priority)]
    try:
        yield relay
    finally:
        transports.candidates[:] = before
        relay.close()
