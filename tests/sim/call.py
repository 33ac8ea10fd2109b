"""A Worker's Router on the real plane, in virtual time, with remotes that have no sockets.

Datagrams travel over a link with delay and loss; SRTP is real, ICE and DTLS are skipped: paths and keys are put into
the plane as those would have done. Everything is a function of the seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from math import inf
from random import Random
from typing import Any

from sfu.config import WorkerConfig
from sfu.control import AnyNotice, AnyReply, Failed, OpenTransport
from sfu.core.reports import ServerClock
from sfu.net.certificate import CertificateStore
from sfu.net.config import TransportConfig
from sfu.plane import open_plane
from sfu.plane.fallback.srtp import SrtpSession
from sfu.plane.interface import Datagram, Path, SrtpKeys
from sfu.router import Router
from sfu.wire.demux import Kind, classify
from sfu.wire.extensions import ExtensionIds
from tests.sim.link import Link

IDS = ExtensionIds(mid=1, rid=2, repaired_rid=3, abs_send_time=4, transport_cc=5, audio_level=6)
UNNUMBERED = replace(IDS, transport_cc=0)
UNIX_AT_ZERO_S = 1_700_000_000.0
CERTIFICATES = CertificateStore()
# Nobody completes ICE here; liveness is tested with the Transports.
PATIENT = TransportConfig(connect_timeout_s=1e9)


class Call:
    """The server, the network and the clock."""

    def __init__(
        self,
        seed: int = 1,
        config: WorkerConfig | None = None,
        delay_s: float = 0.02,
        trace: Callable[[str], object] | None = None,
    ) -> None:
        self.random = Random(seed)
        self.now = 100.0
        self.delay_s = delay_s
        self._busy_until = 0.0
        self.plane = open_plane(["127.0.0.1"])
        self.router = Router(
            config or WorkerConfig(transport=PATIENT),
            self.plane,
            candidates=[],
            certificate=CERTIFICATES,
            clock=ServerClock(UNIX_AT_ZERO_S),
            random=Random(seed),
            trace=trace,
        )
        self.notices: list[AnyNotice] = []
        self._remotes: dict[int, Remote] = {}
        self._calls = count(1)
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []

    def ask(self, command: type, **fields: Any) -> AnyReply:
        """A Command and its Reply, whatever that is."""
        reply = self.router.on_command(command(call=next(self._calls), **fields), self.now)
        self._drain()
        return reply

    def tell(self, command: type, **fields: Any) -> AnyReply:
        """A Command that must succeed."""
        reply = self.ask(command, **fields)
        assert not isinstance(reply, Failed), reply
        return reply

    def connect(self, remote: Remote, room: str = "room") -> None:
        """What ICE and DTLS would do."""
        self.tell(OpenTransport, room=room, participant=remote.name, transport=remote.name)
        endpoint = self.router.registry.endpoints[remote.name]
        self._remotes[remote.path.port] = remote
        self.plane.bind(endpoint.number, remote.path)
        self.plane.select(endpoint.number, remote.path)
        self.plane.set_keys(endpoint.number, remote.servers_keys)
        self.plane.set_extensions(endpoint.number, IDS, IDS if remote.reports_arrivals else UNNUMBERED)
        endpoint.on_negotiated(IDS, self.now)
        if remote.reports_arrivals:
            self.router.registry.estimating.start(endpoint, self.now)
        endpoint.on_connected()
        self.router.on_timeout(self.now)
        self._drain()

    def at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (when, next(self._order), action))

    def every(self, interval_s: float, action: Callable[[], None]) -> None:
        def again() -> None:
            action()
            self.at(self.now + interval_s, again)

        self.at(self.now, again)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            timer = self.router.next_timeout()
            plane_at = self.plane.next_timeout()
            agenda_at = self._agenda[0][0] if self._agenda else end
            if timer is not None:
                timer = max(timer, self._busy_until)
            if plane_at is not None:
                plane_at = max(plane_at, self._busy_until)
            if plane_at is not None and plane_at < min(agenda_at, inf if timer is None else timer) and plane_at <= end:
                self.now = max(self.now, plane_at)
                self._deliver(self.plane.on_timeout(self.now))
            elif timer is not None and timer < agenda_at and timer <= end:
                self.now = max(self.now, timer)
                self.router.on_timeout(self.now)
            elif agenda_at <= end and self._agenda:
                self.now, _, action = heapq.heappop(self._agenda)
                action()
            else:
                break
            self._drain()
        self.now = end

    def be_busy(self, seconds: float) -> None:
        """The server's machine is: it looks at nothing, then at everything that has come meanwhile."""
        self._busy_until = max(self._busy_until, self.now + seconds)

    def to_server(self, remote: Remote, datagram: bytes) -> None:
        if self.random.random() >= remote.loss_up:
            self._pass(datagram, remote.uplink, lambda: self._receive(datagram, remote.path))

    def _receive(self, datagram: bytes, path: Path) -> None:
        if self.now < self._busy_until:
            self.at(self._busy_until, lambda: self._receive(datagram, path))
            return
        self._deliver(self.plane.on_datagrams([Datagram(datagram, path)], self.now))

    def _drain(self) -> None:
        while events := self.plane.take_events():
            self.router.on_events(events, self.now)
        self._deliver(self.plane.take_output())
        while (notice := self.router.poll()) is not None:
            self.notices.append(notice)

    def _deliver(self, datagrams: list[Datagram]) -> None:
        for datagram in datagrams:
            remote = self._remotes[datagram.path.port]
            if self.random.random() < remote.loss_down:
                continue
            self._pass(datagram.payload, remote.downlink, partial(remote.receive, datagram.payload))

    def _pass(self, datagram: bytes, link: Link | None, receive: Callable[[], None]) -> None:
        if link is None:
            self.at(self.now + self.delay_s, receive)
            return
        passage = link.pass_on(len(datagram), self.now)

        def arrive() -> None:
            assert passage is not None
            if passage.arrives_at > self.now:
                self.at(passage.arrives_at, arrive)
            else:
                receive()

        if passage is not None:
            self.at(passage.arrives_at, arrive)


class Remote:
    """One Transport's other end: keys, an address, a lossy link. Subclasses read `on_rtp` and `on_rtcp`."""

    _ports = count(20_000)
    reports_arrivals = False  # has negotiated transport-cc for what it receives

    def __init__(self, call: Call, name: str, room: str = "room") -> None:
        self.call = call
        self.name = name
        self.path = Path(0, "127.0.0.1", next(self._ports))
        self.loss_up = 0.0
        self.loss_down = 0.0
        self.uplink: Link | None = None  # in place of delay and loss
        self.downlink: Link | None = None
        ours, theirs = call.random.randbytes(28), call.random.randbytes(28)
        self.servers_keys = SrtpKeys("SRTP_AEAD_AES_128_GCM", receive_key=ours, send_key=theirs)
        self._srtp = SrtpSession(SrtpKeys("SRTP_AEAD_AES_128_GCM", receive_key=theirs, send_key=ours), 1024)
        call.connect(self, room)

    def on_rtp(self, packet: bytes) -> None:
        """A decrypted packet from the server."""

    def on_rtcp(self, compound: bytes) -> None:
        """A decrypted compound from the server."""

    def receive(self, datagram: bytes) -> None:
        kind = classify(datagram)
        if kind is Kind.RTP:
            self.on_rtp(self._srtp.unprotect(datagram))
        elif kind is Kind.RTCP:
            self.on_rtcp(self._srtp.unprotect_rtcp(datagram))

    def send_rtp(self, packet: bytes) -> None:
        self.call.to_server(self, self._srtp.protect(packet))

    def send_rtcp(self, compound: bytes) -> None:
        self.call.to_server(self, self._srtp.protect_rtcp(compound))
