"""The sockets of a plane, none of them ever waited for.

Reads by `recvfrom` with a small buffer: asyncio's own datagram
transport allocates 256 kB for each datagram and takes one per wake-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from sfu.core.types import DropReason
from sfu.plane.fallback.outbox import Outbox
from sfu.plane.interface import Datagram, Path, PlaneConfig
from sfu.plane.ports import open_sockets

_DATAGRAM_BYTES = 2048  # above any path MTU that WebRTC uses; what is longer is cut, and fails authentication


class Sockets:
    def __init__(self, addresses: Sequence[str], port: int, config: PlaneConfig, outbox: Outbox) -> None:
        """Opens them. Raises OSError when an address is not ours or the port is taken."""
        self._batch_datagrams = config.batch_datagrams
        self._outbox = outbox
        self._sockets = open_sockets(addresses, port, config.socket_buffer_bytes)
        self.port: int = self._sockets[0].getsockname()[1]

    def listen(self, loop: asyncio.AbstractEventLoop, on_readable: Callable[[int], None]) -> None:
        for local, endpoint in enumerate(self._sockets):
            loop.add_reader(endpoint, partial(on_readable, local))

    def receive(self, local: int) -> list[Datagram]:
        """What waits on one socket, at most a batch: timers and other sockets have their turn under a flood."""
        receive, batch = self._sockets[local].recvfrom, []
        try:
            for _ in range(self._batch_datagrams):
                payload, address = receive(_DATAGRAM_BYTES)
                batch.append(Datagram(payload, Path(local, address[0], address[1])))
        except BlockingIOError:
            pass
        except OSError:
            # Some systems report an unreachable peer here (ICMP); the socket itself goes on.
            self._outbox.drop(DropReason.SEND_ERROR)
        return batch

    def send(self, datagrams: Sequence[Datagram]) -> None:
        """Each at once or not at all: a queue here would only be a second, hidden buffer."""
        counters, sockets = self._outbox.counters, self._sockets
        for payload, (local, host, port) in datagrams:
            try:
                sockets[local].sendto(payload, (host, port))
            except BlockingIOError:
                self._outbox.drop(DropReason.SEND_BUFFER_FULL)
            except OSError:
                self._outbox.drop(DropReason.SEND_ERROR)
            else:
                counters.sent_datagrams += 1
                counters.sent_bytes += len(payload)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        for endpoint in self._sockets:
            if not loop.is_closed():
                loop.remove_reader(endpoint)
            endpoint.close()
