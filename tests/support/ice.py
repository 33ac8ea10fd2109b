"""The remote's side of a Transport: a controlling ICE agent with one UDP socket, and DTLS over it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, cast

from aioice import stun

from sfu.control import Fingerprint, IceParameters, RemoteParameters
from sfu.net.certificate import Certificate
from sfu.net.dtls import DtlsSession
from sfu.plane.interface import SrtpKeys
from sfu.wire.extensions import ExtensionIds

REMOTE_ICE = IceParameters("rmte", "remotepasswordremotepassword")
PATIENCE_S = 60.0  # for what takes milliseconds, or a process to start, on a machine that is busy with something else
REPEAT_AFTER_S = 0.5


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what will be true in a moment."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - any condition at all, so nobody could set an event
            await asyncio.sleep(0.005)


def binding_request(
    server: IceParameters,
    *,
    nominate: bool = False,
    role: str = "ICE-CONTROLLING",
    username: str | None = None,
    password: str | None = None,
    transaction_id: bytes | None = None,
) -> bytes:
    """A connectivity check as a browser sends it."""
    attributes: dict[str, Any] = {
        "USERNAME": username or f"{server.username_fragment}:{REMOTE_ICE.username_fragment}",
        role: 0x1234567890,
        "PRIORITY": 1853824767,
    }
    if nominate:
        attributes["USE-CANDIDATE"] = None
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, transaction_id, attributes)
    message.add_message_integrity((password or server.password).encode())
    return bytes(message)


def read_answer(payload: bytes, server: IceParameters | None = None) -> stun.Message:
    """Parsed, its FINGERPRINT verified; with `server` its integrity too."""
    answer = stun.parse_message(payload)
    assert "FINGERPRINT" in answer.attributes
    assert server is None or answer.check_message_integrity(server.password.encode())
    return answer


class RemoteAgent(asyncio.DatagramProtocol):
    """One socket of a remote. Answers to checks are matched by transaction; anything else goes to `on_datagram`."""

    def __init__(self) -> None:
        self.on_datagram: Callable[[bytes], None] = lambda datagram: None
        self.server: tuple[str, int] = ("", 0)
        self._answers: dict[bytes, asyncio.Future[tuple[stun.Message, tuple[str, int]]]] = {}
        self._socket: asyncio.DatagramTransport
        self._lost = asyncio.Event()

    @classmethod
    async def open(cls, host: str, server: tuple[str, int]) -> RemoteAgent:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        loop = asyncio.get_running_loop()
        _, agent = await loop.create_datagram_endpoint(cls, local_addr=(host, 0), family=family)
        agent.server = server
        return agent

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._socket.get_extra_info("sockname")[:2]
        return host, port

    async def check(self, ice: IceParameters, *, nominate: bool = False) -> tuple[stun.Message, tuple[str, int]]:
        """Check until an answer comes; returns it and where it came from."""
        transaction_id = os.urandom(12)
        request = binding_request(ice, nominate=nominate, transaction_id=transaction_id)
        answered: asyncio.Future[tuple[stun.Message, tuple[str, int]]] = asyncio.get_running_loop().create_future()
        self._answers[transaction_id] = answered
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self.send(request)
                done, _ = await asyncio.wait([answered], timeout=REPEAT_AFTER_S)
                if done:
                    return answered.result()

    def send(self, datagram: bytes) -> None:
        if not self._socket.is_closing():
            self._socket.sendto(datagram, self.server)

    async def close(self) -> None:
        self._socket.close()
        await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast(asyncio.DatagramTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if data and data[0] < 4:
            answer = stun.parse_message(data)
            waiting = self._answers.pop(answer.transaction_id, None)
            if waiting is not None:
                waiting.set_result((answer, (addr[0], addr[1])))
        else:
            self.on_datagram(data)


class RemoteEnd:
    """A whole remote: ICE agent, certificate, DTLS session."""

    def __init__(self, agent: RemoteAgent, fingerprints: list[Fingerprint], *, is_client: bool) -> None:
        self.agent = agent
        self.certificate = Certificate.generate()
        self.is_client = is_client
        self.keys: list[SrtpKeys] = []
        self.farewells = 0
        self.session = DtlsSession(
            self.certificate, is_client, fingerprints, self._send, self.keys.append, on_closed=self._on_farewell
        )
        agent.on_datagram = self._on_datagram

    def parameters(self, *, sctp_port: int | None = None, certificate: Certificate | None = None) -> RemoteParameters:
        """What this remote's description says; with `certificate`, a lie about its fingerprint."""
        return RemoteParameters(
            ice=REMOTE_ICE,
            fingerprints=[(certificate or self.certificate).fingerprint],
            dtls_client=not self.is_client,
            receive_extensions=ExtensionIds(mid=1),
            send_extensions=ExtensionIds(mid=2),
            sctp_port=sctp_port,
        )

    def move_to(self, agent: RemoteAgent) -> None:
        """Go on from another socket, as after a change of network."""
        self.agent = agent
        agent.on_datagram = self._on_datagram

    async def close(self) -> None:
        """The session; whoever opened the socket closes that."""
        self.session.close()
        await self.session.wait_closed()

    def _send(self, datagram: bytes) -> None:
        self.agent.send(datagram)

    def _on_datagram(self, datagram: bytes) -> None:
        if datagram and 20 <= datagram[0] <= 63:
            self.session.feed(datagram)

    def _on_farewell(self) -> None:
        self.farewells += 1
