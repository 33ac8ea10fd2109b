"""Two DTLS sessions that hear each other without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sfu.control import Fingerprint
from sfu.net.certificate import Certificate
from sfu.net.dtls import DtlsSession
from sfu.plane.interface import SrtpKeys
from tests.support.ice import PATIENCE_S

SERVER, CLIENT = Certificate.generate(), Certificate.generate()


class End:
    """A session whose datagrams reach the other end on the next turn of the loop, unless the link drops them."""

    def __init__(self, certificate: Certificate, is_client: bool, trusted: list[Fingerprint]) -> None:
        self.other: End | None = None
        self.keys: list[SrtpKeys] = []
        self.farewells = 0
        self.sent: list[bytes] = []
        self.link: Callable[[bytes], bool] = lambda datagram: True
        self.session = DtlsSession(
            certificate, is_client, trusted, self._send, self.keys.append, on_closed=self._on_closed, queue=32
        )

    def _send(self, datagram: bytes) -> None:
        self.sent.append(datagram)
        if self.other is not None and self.link(datagram):
            asyncio.get_running_loop().call_soon(self.other.session.feed, datagram)

    def _on_closed(self) -> None:
        self.farewells += 1


class Pair:
    """A server and a client, each with its certificate and trust in the other, unless others are given."""

    def __init__(self, server: End | None = None, client: End | None = None) -> None:
        self.server = server or End(SERVER, False, [CLIENT.fingerprint])
        self.client = client or End(CLIENT, True, [SERVER.fingerprint])
        self.ends = (self.server, self.client)
        self.server.other, self.client.other = self.client, self.server

    async def handshake(self) -> list[BaseException | None]:
        """How it went at the server and at the client."""
        return await asyncio.gather(*(end.session.handshake(PATIENCE_S) for end in self.ends), return_exceptions=True)

    async def close(self) -> None:
        for end in self.ends:
            end.session.close()
            await end.session.wait_closed()
