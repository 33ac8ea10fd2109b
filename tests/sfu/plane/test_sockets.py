"""The started plane on real sockets, loopback only."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from sfu.plane.interface import Datagram, Event, Path, Plane, PlaneConfig, SsrcLearned, StunReceived, Switched
from sfu.wire import rtx
from tests.support.planes import MakePlane, feedback
from tests.support.ports import free_port
from tests.support.rtp import PUBLISHER_IDS, SUBSCRIBER_IDS, VIDEO, Received, Remote, VideoSource, video_slot

STUN = b"\x00\x01\x00\x00" + b"\x21\x12\xa4\x42" + bytes(12)
TIMEOUT_S = 60


class Running:
    """A started plane; its events wait in a queue."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.batches: list[list[Event]] = []
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        plane.start(asyncio.get_running_loop(), self._on_events)

    async def event(self) -> Event:
        return await asyncio.wait_for(self.events.get(), TIMEOUT_S)

    def _on_events(self, batch: list[Event]) -> None:
        self.batches.append(batch)
        for event in batch:
            self.events.put_nowait(event)


Start = Callable[..., Running]


@pytest_asyncio.fixture
async def start(make_plane: MakePlane) -> AsyncIterator[Start]:
    running: list[Running] = []

    def start(*addresses: str, port: int = 0, config: PlaneConfig | None = None) -> Running:
        running.append(Running(make_plane(addresses or ("127.0.0.1",), port, config or PlaneConfig())))
        return running[-1]

    yield start
    for each in running:
        each.plane.close()


class Client:
    """A UDP socket with its address."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, 0))
        self.address = self.socket.getsockname()[:2]

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    async def receive(self) -> tuple[bytes, tuple[str, int]]:
        loop = asyncio.get_running_loop()
        payload, where = await asyncio.wait_for(loop.sock_recvfrom(self.socket, 2048), TIMEOUT_S)
        return payload, where[:2]


def has_ipv6() -> bool:
    try:
        with Client("::1"):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
async def test_a_reply_leaves_from_the_address_its_request_came_to(start: Start, address: str) -> None:
    if address == "::1" and not has_ipv6():
        pytest.skip("no IPv6 loopback here")
    addresses = ("127.0.0.1", "127.0.0.2") + (("::1",) if has_ipv6() else ())
    running = start(*addresses)
    assert running.plane.port > 0
    with Client("::1" if address == "::1" else "127.0.0.1") as client:
        client.socket.sendto(STUN, (address, running.plane.port))
        event = await running.event()
        assert event == StunReceived(STUN, Path(addresses.index(address), *client.address), None)
        assert isinstance(event, StunReceived)
        running.plane.send(event.path, b"\x01\x01 answer")
        assert await client.receive() == (b"\x01\x01 answer", (address, running.plane.port))
    assert running.plane.counters.sent_datagrams == 1


class Subscribed:
    """A publisher and a subscriber on sockets of their own."""

    def __init__(self, running: Running, publisher: Client, subscriber: Client) -> None:
        self.plane = running.plane
        self.clients = {1: publisher, 2: subscriber}
        self.remotes = {transport: Remote(Path(0, *client.address)) for transport, client in self.clients.items()}
        for transport, remote in self.remotes.items():
            self.plane.add_transport(transport)
            self.plane.bind(transport, remote.path)
            self.plane.select(transport, remote.path)
            self.plane.set_extensions(transport, PUBLISHER_IDS, SUBSCRIBER_IDS)
            self.plane.set_keys(transport, remote.keys)
        self.plane.add_track(1, 1, VIDEO)
        self.plane.add_slot(1, 2, video_slot())
        self.plane.set_route(1, 1)
        self.plane.set_layer(1, 0)

    async def send(self, packets: int) -> None:
        """A frame; the subscriber gets it under the numbers from 100 on."""
        for packet in VideoSource(ssrc=3).frame(packets, key=True):
            self.clients[1].socket.sendto(self.remotes[1].protect(packet).payload, ("127.0.0.1", self.plane.port))
        for number in range(100, 100 + packets):
            assert (await self.receive()).number == number

    async def receive(self) -> Received:
        payload, _ = await self.clients[2].receive()
        return self.remotes[2].open(Datagram(payload, self.remotes[2].path))


async def test_media_passes_from_socket_to_socket(start: Start) -> None:
    running = start()
    with Client() as publisher, Client() as subscriber:
        scene = Subscribed(running, publisher, subscriber)
        await scene.send(3)
        assert running.plane.retransmit(1, [101], 1.0) == 1
        assert (await scene.receive()).header.ssrc == 7001
        told = [event for batch in running.batches for event in batch]
        assert [type(event) for event in told if isinstance(event, SsrcLearned | Switched)] == [SsrcLearned, Switched]


async def test_a_probe_leaves_by_itself_and_not_before_its_time(start: Start) -> None:
    running = start()
    with Client() as publisher, Client() as subscriber:
        scene = Subscribed(running, publisher, subscriber)
        begun = time.monotonic()
        assert running.plane.probe(2, 100_000, 6, 5, begun)  # padding of 268 bytes, one each 21 ms
        for index in range(6):
            received = await scene.receive()
            assert (received.header.ssrc, received.payload) == (7001, b"")
            assert time.monotonic() - begun >= index * 260 * 8 / 100_000
        assert running.plane.counters.probes == 6
        assert running.plane.next_timeout() is None
        report = feedback(dict.fromkeys(range(6), 5.0)).pack()
        for datagram in (scene.remotes[2].protect_rtcp(report).payload, STUN):
            subscriber.socket.sendto(datagram, ("127.0.0.1", running.plane.port))
        assert isinstance(await running.event(), StunReceived)  # of feedback alone there is none
        batch = running.plane.poll_feedback(time.monotonic())
        assert batch.clusters["cluster"].tolist() == [5]
        assert 0 < batch.reports["rtt_s"][0] < TIMEOUT_S


async def test_rtx_that_waits_leaves_by_itself_and_sooner_when_it_may(start: Start) -> None:
    running = start(config=PlaneConfig(recovery_bps=20_000, recovery_burst_s=0.01, rtx_wait_s=60.0))
    with Client() as publisher, Client() as subscriber:
        scene = Subscribed(running, publisher, subscriber)
        await scene.send(30)
        begun = time.monotonic()
        assert running.plane.retransmit(1, range(100, 130), begun) == 30
        for index in range(5):
            received = await scene.receive()
            assert rtx.unwrap(received.payload)[0] == 100 + index
            assert time.monotonic() - begun >= index * 80 * 8 / 20_000 - 0.01
        running.plane.set_recovery_rate(2, 10_000_000)
        for index in range(5, 30):
            assert rtx.unwrap((await scene.receive()).payload)[0] == 100 + index


async def test_what_waits_when_the_plane_closes_is_not_sent(start: Start) -> None:
    running = start()
    with Client() as publisher, Client() as subscriber:
        scene = Subscribed(running, publisher, subscriber)
        assert running.plane.probe(2, 1000, 6, 5, time.monotonic())
        await scene.receive()
        running.plane.close()


async def test_events_of_control_methods_come_on_the_next_turn_of_the_loop(start: Start) -> None:
    running = start()
    running.plane.add_transport(1)
    running.plane.add_track(1, 1, VIDEO)
    running.plane.announce_ssrc(1, 0, 77, rtx=False)
    running.plane.announce_ssrc(1, 0, 78, rtx=True)
    assert running.batches == []
    assert await running.event() == SsrcLearned(1, 0, 77, rtx=False)
    assert running.batches == [[SsrcLearned(1, 0, 77, rtx=False), SsrcLearned(1, 0, 78, rtx=True)]]


async def test_a_flood_is_taken_in_batches(start: Start) -> None:
    running = start(config=PlaneConfig(batch_datagrams=4, strangers_per_batch=4))
    with Client() as client:
        for _ in range(50):
            client.socket.sendto(STUN, ("127.0.0.1", running.plane.port))
        for _ in range(50):
            await running.event()
    assert max(map(len, running.batches)) == 4
    assert running.plane.counters.dropped == {}


async def test_events_that_nobody_takes_in_time_stay_in_order(start: Start) -> None:
    """What came up before a control method's events is delivered with them, not after."""
    running = start()
    running.plane.add_transport(1)
    running.plane.add_track(1, 1, VIDEO)
    with Client() as client:
        client.socket.sendto(STUN, ("127.0.0.1", running.plane.port))
        assert isinstance(await running.event(), StunReceived)
        running.plane.announce_ssrc(1, 0, 77, rtx=False)
        assert isinstance(await running.event(), SsrcLearned)


async def test_a_datagram_that_cannot_be_sent_is_counted(start: Start) -> None:
    running = start()
    running.plane.send(Path(0, "127.0.0.1", 9), bytes(70_000))
    assert running.plane.counters.dropped == {"send_error": 1}
    assert running.plane.counters.sent_datagrams == 0


async def test_closing_frees_the_port_and_may_be_repeated(start: Start) -> None:
    first = start("127.0.0.1", "127.0.0.2", port=free_port(socket.SOCK_DGRAM))
    with pytest.raises(OSError):
        start("127.0.0.1", port=first.plane.port)
    first.plane.close()
    first.plane.close()
    second = start("127.0.0.1", "127.0.0.2", port=first.plane.port)
    assert second.plane.port == first.plane.port


async def test_a_port_that_is_taken_on_one_address_is_chosen_on_none(start: Start) -> None:
    blocked = start("127.0.0.2", port=free_port(socket.SOCK_DGRAM))  # which nobody else is given on another address
    with pytest.raises(OSError):
        start("127.0.0.1", "127.0.0.2", port=blocked.plane.port)
    assert start("127.0.0.1", port=blocked.plane.port).plane.port == blocked.plane.port


async def test_a_foreign_address_is_refused(start: Start) -> None:
    with pytest.raises(OSError):
        start("192.0.2.1")
