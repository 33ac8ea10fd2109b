"""All Transports of a Worker over the real plane's logic: no sockets, virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpTransport
from pylibsrtp import Policy, Session

from sfu.control import IceParameters, RemoteParameters
from sfu.core.types import TransportState
from sfu.net.addresses import candidates
from sfu.net.certificate import Certificate, CertificateStore
from sfu.net.config import TransportConfig
from sfu.net.dtls import DtlsSession
from sfu.net.transports import Transports
from sfu.plane import open_plane
from sfu.plane.interface import (
    ConsentRenewed,
    Datagram,
    DtlsReceived,
    Path,
    RtcpReceived,
    SrtpKeys,
    StrayReceived,
    StunReceived,
)
from sfu.wire.extensions import ExtensionIds
from tests.support.ice import PATIENCE_S, REMOTE_ICE, binding_request, read_answer, until

CONNECTING, CONNECTED, RECONNECTING, GONE = TransportState
RECEIVER_REPORT = bytes.fromhex("80c9000112345678")


class Bench:
    """A plane, its Transports, and a clock that stands still unless moved."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.plane = open_plane(["192.0.2.1", "2001:db8::1"], 7000)
        self.changes: list[tuple[float, int, TransportState, str]] = []
        self.on_change: Callable[[int, TransportState, str], None] = lambda transport, state, reason: None
        self.everybody: list[Remote] = []
        self.remotes: dict[Path, Remote] = {}  # by where they are
        self.transports = Transports(
            self.plane,
            worker_index=3,
            config=TransportConfig(),
            candidates=candidates(self.plane.addresses, 7000),
            certificate=CertificateStore(),
            random_bytes=random.Random(5).randbytes,
            on_change=self._on_change,
        )

    def deliver(self, payload: bytes, path: Path) -> None:
        """A datagram arrives; what it causes is carried out."""
        self.carry(self.plane.on_datagrams([Datagram(payload, path)], self.now))
        for event in self.plane.take_events():
            if isinstance(event, StunReceived):
                self.transports.on_stun(event, self.now)
            elif isinstance(event, ConsentRenewed):
                self.transports.on_consent(event)
            elif isinstance(event, StrayReceived):
                self.transports.on_stray(event, self.now)
            elif isinstance(event, DtlsReceived):
                self.transports.on_dtls(event)
            elif isinstance(event, RtcpReceived):
                self.transports.on_rtcp(event.transport, self.now)
        self.flush()

    def flush(self) -> None:
        self.carry(self.plane.take_output())

    def carry(self, output: list[Datagram]) -> None:
        for datagram in output:
            remote = self.remotes.get(datagram.path)
            if remote is not None:
                remote.receive(datagram)

    async def until(self, condition: Callable[[], bool]) -> None:
        """DTLS runs in tasks, whose output has to be carried."""

        def now_true() -> bool:
            self.flush()
            return condition()

        await until(now_true)

    def run_until(self, now: float) -> None:
        """Wake the Transports exactly when they ask to be."""
        while (wake_at := self.transports.next_timeout()) is not None and wake_at <= now:
            self.now = wake_at
            self.transports.on_timeout(wake_at)
        self.now = now

    def _on_change(self, transport: int, state: TransportState, reason: str) -> None:
        self.changes.append((self.now, transport, state, reason))
        self.on_change(transport, state, reason)


class Remote:
    """A browser with Transport `number`."""

    def __init__(self, bench: Bench, number: int, *, is_client: bool = True, port: int = 0) -> None:
        self.bench = bench
        self.number = number
        self.is_client = is_client
        self.is_mute = False
        self.sent = 0
        self.certificate = Certificate.generate()
        self.keys: list[SrtpKeys] = []
        self.received: list[Datagram] = []
        self.ice = bench.transports.open(number, bench.now)
        self.path = Path(0, "198.51.100.1", port or 5000 + number)
        self.move_to(self.path)
        bench.everybody.append(self)
        self.session = DtlsSession(
            self.certificate, is_client, bench.transports.fingerprints(number), self._send, self.keys.append
        )
        self._handshake: asyncio.Task[None] | None = None
        self._sealing: Session | None = None

    def parameters(
        self, *, ice: IceParameters = REMOTE_ICE, certificate: Certificate | None = None, sctp_port: int | None = None
    ) -> RemoteParameters:
        return RemoteParameters(
            ice=ice,
            fingerprints=[(certificate or self.certificate).fingerprint],
            dtls_client=not self.is_client,
            receive_extensions=ExtensionIds(),
            send_extensions=ExtensionIds(),
            sctp_port=sctp_port,
        )

    def move_to(self, path: Path) -> None:
        self.path = path
        self.bench.remotes[path] = self

    def check(self, *, nominate: bool = False, ice: IceParameters | None = None) -> None:
        """A connectivity check, whose answer has to come."""
        answers = len(self.received)
        self.bench.deliver(binding_request(ice or self.ice, nominate=nominate), self.path)
        answer = next(entry for entry in self.received[answers:] if entry.payload[0] < 4)
        assert answer.path == self.path
        assert read_answer(answer.payload, ice or self.ice).error_code is None

    def start(self) -> None:
        self._handshake = asyncio.get_running_loop().create_task(self.session.handshake(PATIENCE_S))

    async def join(self) -> None:
        """Everything until CONNECTED."""
        self.bench.transports.connect(self.number, self.parameters(), self.bench.now)
        self.check(nominate=True)
        self.start()
        await self.bench.until(lambda: self.bench.transports.state(self.number) is CONNECTED)
        await self.bench.until(lambda: bool(self.keys))

    def hears(self, compound: bytes) -> bool:
        """What the plane sends to this Transport comes to where the remote is, and opens with its own keys."""
        self.received.clear()
        self.bench.plane.send_rtcp(self.number, compound, self.bench.now)
        self.bench.flush()
        (entry,) = self.received
        opened = self._srtp(self.keys[0].receive_key, Policy.SSRC_ANY_INBOUND).unprotect_rtcp(entry.payload)
        return entry.path == self.path and opened == compound

    def report(self) -> None:
        """A receiver report, and nothing else."""
        if self._sealing is None:
            self._sealing = self._srtp(self.keys[0].send_key, Policy.SSRC_ANY_OUTBOUND)
        self.bench.deliver(self._sealing.protect_rtcp(RECEIVER_REPORT), self.path)

    def _srtp(self, key: bytes, ssrc_type: int) -> Session:
        profile = getattr(Policy, self.keys[0].profile.replace("SRTP_", "SRTP_PROFILE_", 1))
        return Session(Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile))

    def receive(self, datagram: Datagram) -> None:
        self.received.append(datagram)
        if 20 <= datagram.payload[0] <= 63:
            self.session.feed(datagram.payload)

    async def close(self) -> None:
        self.session.close()
        await self.session.wait_closed()
        if self._handshake is not None:
            await asyncio.gather(self._handshake, return_exceptions=True)

    def _send(self, datagram: bytes) -> None:
        if not self.is_mute:
            self.sent += 1
            self.bench.deliver(datagram, self.path)


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    for remote in bench.everybody:
        await remote.close()
    await bench.transports.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("remote_is_client", [True, False], ids=["passive", "active"])
async def test_connects_and_both_have_the_same_keys(bench: Bench, remote_is_client: bool) -> None:
    remote = Remote(bench, 1, is_client=remote_is_client)
    assert bench.transports.state(1) is CONNECTING
    await remote.join()
    assert bench.changes == [(bench.now, 1, CONNECTED, "")]
    assert remote.hears(RECEIVER_REPORT)


async def test_what_overtakes_the_description_is_kept(bench: Bench) -> None:
    remote = Remote(bench, 1)
    remote.check()
    remote.start()
    await until(lambda: remote.sent > 0)
    remote.is_mute = True  # so that it does not repeat what we are to remember
    bench.transports.connect(1, remote.parameters(), bench.now)
    await bench.until(lambda: any(entry.payload[0] == 22 for entry in remote.received))
    remote.is_mute = False
    await bench.until(lambda: bench.transports.state(1) is CONNECTED)


async def test_as_dtls_client_we_wait_for_a_path(bench: Bench) -> None:
    remote = Remote(bench, 1, is_client=False)
    bench.transports.connect(1, remote.parameters(), bench.now)
    await asyncio.sleep(0)
    assert bench.plane.counters.dropped == {}
    remote.start()
    remote.check()
    await bench.until(lambda: bench.transports.state(1) is CONNECTED)


async def test_a_wrong_certificate_is_the_end(bench: Bench) -> None:
    remote = Remote(bench, 1)
    bench.transports.connect(1, remote.parameters(certificate=Certificate.generate()), bench.now)
    remote.check()
    remote.start()
    await bench.until(lambda: bench.transports.state(1) is GONE)
    assert bench.changes == [(bench.now, 1, GONE, "fingerprint_mismatch")]
    bench.transports.close(1)  # again: nothing
    with pytest.raises(KeyError):
        bench.plane.send_dtls(1, b"it has left the plane")


async def test_a_remote_that_never_comes_is_gone(bench: Bench) -> None:
    Remote(bench, 1)
    second = Remote(bench, 2)
    bench.now += 10
    bench.transports.connect(2, second.parameters(), bench.now)
    bench.run_until(2000.0)
    assert bench.changes == [(1025.0, 2, GONE, "handshake_timeout"), (1030.0, 1, GONE, "never_connected")]
    assert bench.transports.next_timeout() is None


async def test_who_sends_no_checks_any_more_but_reports_is_there(bench: Bench) -> None:
    remote, stranger = Remote(bench, 1), Remote(bench, 2)
    await remote.join()
    await stranger.join()
    bench.changes.clear()
    bench.run_until(1009.0)
    remote.report()
    stranger.keys = remote.keys  # sealed with somebody else's key, it is nothing
    stranger.report()
    bench.run_until(1015.0)
    assert bench.changes == [(1010.0, 2, RECONNECTING, "silent")]


async def test_silence_and_return_and_silence(bench: Bench) -> None:
    remote, other = Remote(bench, 1), Remote(bench, 2)
    await remote.join()
    await other.join()
    bench.changes.clear()
    for _ in range(4):
        bench.run_until(bench.now + 5)
        other.check()
    remote.check()
    bench.run_until(1049.0)
    other.check()
    bench.run_until(1055.0)
    assert bench.changes == [
        (1010.0, 1, RECONNECTING, "silent"),
        (1020.0, 1, CONNECTED, ""),
        (1030.0, 1, RECONNECTING, "silent"),
        (1030.0, 2, RECONNECTING, "silent"),
        (1049.0, 2, CONNECTED, ""),
        (1050.0, 1, GONE, "silent"),
    ]


async def test_a_farewell_is_the_end(bench: Bench) -> None:
    remote = Remote(bench, 1)
    await remote.join()
    remote.session.close()
    await bench.until(lambda: bench.transports.state(1) is GONE)
    assert bench.changes[-1] == (bench.now, 1, GONE, "closed_by_remote")


async def test_closing_says_farewell_and_tells_nobody_else(bench: Bench) -> None:
    farewells = []
    remote = Remote(bench, 1)
    remote.session.close()
    remote.session = DtlsSession(
        remote.certificate,
        True,
        bench.transports.fingerprints(1),
        remote._send,
        remote.keys.append,
        on_closed=lambda: farewells.append(1),
    )
    await remote.join()
    bench.transports.close(1)
    await bench.until(lambda: bool(farewells))
    assert [change[2] for change in bench.changes] == [CONNECTED]


async def test_closing_in_the_middle_of_a_handshake(bench: Bench) -> None:
    remote = Remote(bench, 1)
    bench.transports.connect(1, remote.parameters(), bench.now)
    remote.check()
    await asyncio.sleep(0)
    bench.transports.close(1)
    await bench.transports.aclose()
    assert bench.changes == []


async def test_a_remote_whose_address_changes_is_followed(bench: Bench) -> None:
    remote = Remote(bench, 1)
    await remote.join()
    assert remote.hears(RECEIVER_REPORT)
    remote.move_to(Path(1, "2001:db8::99", 40000))
    remote.check(nominate=True)
    assert remote.hears(RECEIVER_REPORT)


async def test_a_remote_with_a_new_port_is_followed_before_it_checks(bench: Bench) -> None:
    neighbour, remote = Remote(bench, 1), Remote(bench, 2)  # behind one NAT
    await neighbour.join()
    await remote.join()
    remote.report()
    remote.move_to(remote.path._replace(port=40000))
    bench.now += 0.05
    remote.report()
    assert bench.transports.counters.moved == 0, "what it sent before it moved may still be on its way"
    bench.now += 0.1
    remote.report()
    assert bench.transports.counters.moved == 1
    assert remote.hears(RECEIVER_REPORT)
    assert neighbour.hears(RECEIVER_REPORT)
    remote.move_to(Path(0, "203.0.113.9", 40000))
    bench.now += 1
    remote.report()
    assert bench.transports.counters.moved == 1, "never to another host"


async def test_after_an_ice_restart_new_credentials_work_and_old_ones_end(bench: Bench) -> None:
    remote = Remote(bench, 1)
    await remote.join()
    fresh = bench.transports.restart_ice(1, bench.now)
    bench.transports.connect(1, remote.parameters(ice=IceParameters("other", "p" * 24)), bench.now)
    remote.check()
    remote.check(ice=fresh)
    bench.run_until(bench.now + 9.9)
    remote.check()
    bench.run_until(bench.now + 0.2)
    bench.deliver(binding_request(remote.ice), remote.path)
    assert read_answer(remote.received[-1].payload).error_code == 401
    assert bench.transports.counters.stun_refused == 1
    assert [change[2] for change in bench.changes] == [CONNECTED]


async def test_an_address_goes_to_the_transport_that_proves_it_last(bench: Bench) -> None:
    first = Remote(bench, 1, port=6000)
    await first.join()
    second = Remote(bench, 2, port=6000)  # the same address: a page that was reloaded
    await second.join()
    assert second.hears(RECEIVER_REPORT)
    bench.run_until(bench.now + 9)
    second.check()
    bench.run_until(1032.0)
    assert [change[1:3] for change in bench.changes][2:] == [(1, RECONNECTING), (2, RECONNECTING), (1, GONE)]


async def test_data_channels_come_with_the_description_or_later(bench: Bench) -> None:
    remote = Remote(bench, 1)
    await remote.join()
    association = RTCSctpTransport(remote.session.association, 5000)
    with_channels = remote.parameters(sctp_port=5000)
    bench.transports.connect(1, with_channels, bench.now)
    bench.transports.connect(1, with_channels, bench.now)
    await association.start(RTCSctpTransport.getCapabilities(), 5000)
    channel = RTCDataChannel(association, RTCDataChannelParameters(label="chat"))
    await bench.until(lambda: channel.readyState == "open")
    await association.stop()
    await asyncio.sleep(0)


async def test_a_callback_may_close_everything(bench: Bench) -> None:
    for number in (1, 2, 3):
        Remote(bench, number)

    def close_all(transport: int, state: TransportState, reason: str) -> None:
        for number in (1, 2, 3):
            bench.transports.close(number)

    bench.on_change = close_all
    bench.run_until(2000.0)
    assert len(bench.changes) == 1
    assert [bench.transports.state(number) for number in (1, 2, 3)] == [GONE] * 3


async def test_a_certificate_is_renewed_for_new_transports_only(bench: Bench) -> None:
    Remote(bench, 1)
    before = bench.transports.fingerprints(1)
    bench.now += 21 * 24 * 3600
    Remote(bench, 2)
    assert bench.transports.fingerprints(1) == before
    assert bench.transports.fingerprints(2) != before


async def test_datagrams_for_nobody_are_counted(bench: Bench) -> None:
    bench.transports.on_dtls(DtlsReceived(b"\x16\xfe\xff", 99))
    bench.transports.on_stun(StunReceived(b"\x00", Path(0, "198.51.100.9", 1), None), bench.now)
    counters = bench.transports.counters
    assert (counters.dtls_dropped, counters.stun_dropped, counters.stun_refused) == (1, 1, 0)


def test_candidates_are_those_given() -> None:
    assert [(entry.host, entry.port) for entry in Bench().transports.candidates] == [
        ("192.0.2.1", 7000),
        ("2001:db8::1", 7000),
    ]
