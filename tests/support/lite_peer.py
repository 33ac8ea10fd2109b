"""An ICE-lite server for one client: answers checks, DTLS in either role, SRTP, and the client's own RTP session.

Only for tests of the client's endpoint: what a real server decides is not here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, cast

from aioice import stun

from sfu.control import Candidate, IceParameters
from sfu.net.certificate import Certificate
from sfu.net.dtls import DtlsSession
from sfu.plane.interface import SrtpKeys
from sfu.wire.demux import Kind, classify
from signaling.client import Endpoint, RemoteEndpoint
from signaling.client.rtp_session import RtpSession
from signaling.client.srtp import SrtpContext
from tests.support.ice import PATIENCE_S

ICE = IceParameters("lite", "litepasswordlitepassword")
TURN_S = 0.005


class LitePeer(asyncio.DatagramProtocol):
    def __init__(self, *, is_client: bool) -> None:
        self.certificate = Certificate.generate()
        self.is_client = is_client
        self.silent = False  # answers nothing any more
        self.checks = 0
        self.session = RtpSession(
            cname="peer", random=Random(7), unix_offset_s=time.time() - asyncio.get_running_loop().time()
        )
        self.srtp: SrtpContext | None = None
        self.dtls: DtlsSession | None = None
        self._socket: asyncio.DatagramTransport
        self._client: tuple[str, int] | None = None
        self._turns: asyncio.Task[None] | None = None
        self._handshake: asyncio.Task[None] | None = None

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._socket.get_extra_info("sockname")[:2]
        return host, port

    def described(self, *candidates: Candidate, certificate: Certificate | None = None) -> RemoteEndpoint:
        """As its description would say; with `certificate`, a lie about its fingerprint."""
        own = Candidate(*self.address, 100)
        return RemoteEndpoint(
            ICE, candidates or (own,), ((certificate or self.certificate).fingerprint,), not self.is_client
        )

    def accept(self, endpoint: Endpoint) -> None:
        """The client's description has come."""
        self.dtls = DtlsSession(self.certificate, self.is_client, [endpoint.fingerprint], self._send, self._on_keys)
        self._handshake = asyncio.create_task(self.dtls.handshake(PATIENCE_S))

    def flush(self) -> None:
        if self.srtp is None:
            return
        self.session.on_timeout(asyncio.get_running_loop().time())
        for packet in self.session.take_rtp():
            self._send(self.srtp.protect_rtp(packet))
        for compound in self.session.take_rtcp():
            self._send(self.srtp.protect_rtcp(compound))

    def send_raw(self, datagram: bytes) -> None:
        self._send(datagram)

    async def close(self) -> None:
        for task in (self._turns, self._handshake):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
                if not task.cancelled():
                    task.exception()  # a client that refuses us is the test's affair
        if self.dtls is not None:
            self.dtls.close()
            await self.dtls.wait_closed()
        self._socket.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        kind = classify(data)
        now = asyncio.get_running_loop().time()
        if self.silent:
            return
        if kind is Kind.STUN:
            self._answer(data, (addr[0], addr[1]))
        elif kind is Kind.DTLS and self.dtls is not None:
            self.dtls.feed(data)
        elif kind is Kind.RTP and self.srtp is not None:
            if packet := self.srtp.unprotect_rtp(data):
                self.session.on_rtp(packet, now)
        elif kind is Kind.RTCP and self.srtp is not None and (compound := self.srtp.unprotect_rtcp(data)):
            self.session.on_rtcp(compound, now)
        self.flush()

    def _answer(self, check: bytes, client: tuple[str, int]) -> None:
        request = stun.parse_message(check)
        assert request.check_message_integrity(ICE.password.encode())
        self.checks += 1
        self._client = client
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        answer.attributes["XOR-MAPPED-ADDRESS"] = client
        answer.add_message_integrity(ICE.password.encode())
        self._send(bytes(answer))

    def _send(self, datagram: bytes) -> None:
        if self._client is not None and not self._socket.is_closing():
            self._socket.sendto(datagram, self._client)

    def _on_keys(self, keys: SrtpKeys) -> None:
        self.srtp = SrtpContext(keys)
        self._turns = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            self.session.next_timeout(asyncio.get_running_loop().time())
            self.flush()
            await asyncio.sleep(TURN_S)


@asynccontextmanager
async def lite_peer(*, host: str = "127.0.0.1", is_client: bool = False) -> AsyncIterator[LitePeer]:
    loop = asyncio.get_running_loop()
    _, peer = await loop.create_datagram_endpoint(lambda: LitePeer(is_client=is_client), local_addr=(host, 0))
    try:
        yield peer
    finally:
        await peer.close()
