"""Transports over real sockets: two local addresses, IPv6, both DTLS roles, a change of address."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sfu.core.types import TransportState
from sfu.net.addresses import candidates
from sfu.net.certificate import CertificateStore
from sfu.net.config import TransportConfig
from sfu.net.transports import Transports
from sfu.plane import open_plane
from sfu.plane.interface import ConsentRenewed, DtlsReceived, Event, StunReceived
from tests.support.ice import PATIENCE_S, RemoteAgent, RemoteEnd, until


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


HOSTS = ["127.0.0.1", "127.0.0.2", *(["::1"] if has_ipv6() else [])]


class Server:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.agents: list[RemoteAgent] = []
        self.plane = open_plane(HOSTS, 0)
        self.plane.start(self.loop, self._on_events)
        self.states: list[tuple[int, TransportState, str]] = []
        self.transports = Transports(
            self.plane,
            worker_index=0,
            config=TransportConfig(),
            candidates=candidates(self.plane.addresses, self.plane.port),
            certificate=CertificateStore(),
            random_bytes=os.urandom,
            on_change=lambda transport, state, reason: self.states.append((transport, state, reason)),
        )

    async def agent(self, own_host: str, host: str) -> RemoteAgent:
        """A remote's socket on `own_host` that talks to us at `host`."""
        agent = await RemoteAgent.open(own_host, (host, self.plane.port))
        self.agents.append(agent)
        return agent

    async def close(self) -> None:
        for agent in self.agents:
            await agent.close()
        await self.transports.aclose()
        self.plane.close()

    def _on_events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, StunReceived):
                self.transports.on_stun(event, self.loop.time())
            elif isinstance(event, ConsentRenewed):
                self.transports.on_consent(event)
            elif isinstance(event, DtlsReceived):
                self.transports.on_dtls(event)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    yield server
    await server.close()


@pytest.mark.parametrize("host", HOSTS)
async def test_an_answer_leaves_from_the_address_that_was_asked(server: Server, host: str) -> None:
    ice = server.transports.open(1, server.loop.time())
    agent = await server.agent("::1" if ":" in host else "127.0.0.1", host)
    answer, source = await agent.check(ice)
    assert source == (host, server.plane.port)
    assert answer.check_message_integrity(ice.password.encode())
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == agent.address


@pytest.mark.parametrize("remote_is_client", [True, False], ids=["passive", "active"])
@pytest.mark.parametrize("host", HOSTS[1:])
async def test_connects_and_says_farewell(server: Server, host: str, remote_is_client: bool) -> None:
    now = server.loop.time()
    ice = server.transports.open(1, now)
    agent = await server.agent("::1" if ":" in host else "127.0.0.1", host)
    remote = RemoteEnd(agent, server.transports.fingerprints(1), is_client=remote_is_client)
    server.transports.connect(1, remote.parameters(sctp_port=5000), now)
    await agent.check(ice, nominate=True)
    await remote.session.handshake(PATIENCE_S)
    await until(lambda: bool(server.states))
    server.transports.close(1)
    await until(lambda: remote.farewells == 1)
    assert server.states == [(1, TransportState.CONNECTED, "")]
    await remote.close()


async def test_a_remote_goes_on_from_another_address(server: Server) -> None:
    now = server.loop.time()
    ice = server.transports.open(1, now)
    agents = [await server.agent(host, "127.0.0.2") for host in ("127.0.0.1", "127.0.0.3")]
    remote = RemoteEnd(agents[0], server.transports.fingerprints(1), is_client=True)
    server.transports.connect(1, remote.parameters(), now)
    await agents[0].check(ice, nominate=True)
    await remote.session.handshake(PATIENCE_S)
    remote.move_to(agents[1])
    agents[0].on_datagram = lambda datagram: pytest.fail("sent to the address that was left")
    await agents[1].check(ice, nominate=True)
    server.transports.close(1)
    await until(lambda: remote.farewells == 1)
    await remote.close()


async def test_strangers_and_noise_leave_a_transport_alone(server: Server) -> None:
    now = server.loop.time()
    ice = server.transports.open(1, now)
    agent = await server.agent("127.0.0.1", "127.0.0.1")
    remote = RemoteEnd(agent, server.transports.fingerprints(1), is_client=True)
    server.transports.connect(1, remote.parameters(), now)
    await agent.check(ice, nominate=True)
    stranger = await server.agent("127.0.0.1", "127.0.0.1")
    for first in range(256):
        stranger.send(bytes([first]) + os.urandom(60))
    await remote.session.handshake(PATIENCE_S)
    await until(lambda: bool(server.states))
    for first in range(256):
        stranger.send(bytes([first]) + os.urandom(60))
        agent.send(bytes([first]) + os.urandom(60))
    await agent.check(ice)
    assert server.states == [(1, TransportState.CONNECTED, "")]
    await remote.close()
