"""A light WebRTC endpoint: one UDP socket with ICE, DTLS and SRTP over it, and an RTP session inside.

The shell around the cores of this package: it reads the socket, tells datagrams apart, keeps one timer, and sends what
the cores hand out. Talks to an ICE-lite server only. Cheap enough for tens of them in one process; not a media server.

    socket ─► demux ─► ice │ DtlsSession │ SrtpContext ─► RtpSession ─► sinks
    socket ◄── impairment ◄── checks, DTLS, SRTP(RtpSession.take_…)
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Protocol

from sfu.control import Candidate, Fingerprint, IceParameters
from sfu.net.certificate import Certificate
from sfu.net.config import TransportConfig
from sfu.net.dtls import DtlsSession
from sfu.net.sctp import ChannelEvent, DataChannels
from sfu.plane.interface import SrtpKeys
from sfu.wire.demux import Kind, classify
from signaling.client.ice import CONSENT_INTERVAL_S, Address, ControllingAgent, new_credentials
from signaling.client.rtp_session import RtpSession
from signaling.client.srtp import SrtpContext

logger = logging.getLogger(__name__)

DATAGRAMS_PER_WAKE = 64  # then timers and other endpoints get their turn
DATAGRAM_BYTES = 2048
SOCKET_BUFFER_BYTES = 1 << 20  # several key frames at once; the kernel may grant less


@dataclass(frozen=True, slots=True)
class RemoteEndpoint:
    """What the server's description says of one connection. `dtls_client`: we open the handshake."""

    ice: IceParameters
    candidates: tuple[Candidate, ...]
    fingerprints: tuple[Fingerprint, ...]
    dtls_client: bool


class Impairment(Protocol):
    """A bad network in front of the socket: whether to lose a media datagram. STUN and DTLS always pass, so that
    a seeded test does not hang on their retransmission timers."""

    def loses(self, datagram: bytes, *, outgoing: bool) -> bool: ...


class RandomLoss:
    """Loses RTP and RTCP with this probability, each way by itself."""

    def __init__(self, ratio: float, random: Random) -> None:
        self._ratio = ratio
        self._random = random
        self.lost = 0

    def loses(self, datagram: bytes, *, outgoing: bool) -> bool:
        lost = self._random.random() < self._ratio
        self.lost += lost
        return lost


class Endpoint:
    """One connection. `connect` it once; add streams to `session` before or after; `close` it in any case, and then
    `wait_closed` for a tidy end.

    Media that is sent before `connect` returned is dropped. `on_lost` is called once when the server no longer
    answers consent checks. A subclass may take media elsewhere (loadtest): it overrides `_on_keys`.
    """

    def __init__(
        self,
        *,
        certificate: Certificate | None = None,
        random: Random | None = None,
        impairment: Impairment | None = None,
        cname: str = "sfu-python",
        on_lost: Callable[[], None] = lambda: None,
        consent_interval_s: float = CONSENT_INTERVAL_S,
        srtp_profiles: Sequence[str] | None = None,
    ) -> None:
        """`srtp_profiles`: which to offer, by OpenSSL's names; all that are known if not given."""
        self._random = random or SystemRandom()
        self._loop = asyncio.get_running_loop()
        self._certificate = certificate or Certificate.generate()
        self._impairment = impairment
        self._on_lost = on_lost
        self._consent_interval_s = consent_interval_s
        self._srtp_profiles = srtp_profiles
        self._socket: socket.socket | None = None
        self._agent: ControllingAgent | None = None
        self._dtls: DtlsSession | None = None
        self._srtp: SrtpContext | None = None
        self._channels: DataChannels | None = None
        self._closed = False
        self._selected = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.ice = new_credentials(self._random)
        self.session = RtpSession(cname=cname, random=self._random, unix_offset_s=time.time() - self._loop.time())
        self.datagrams_received = 0
        self.datagrams_dropped = 0

    @property
    def fingerprint(self) -> Fingerprint:
        return self._certificate.fingerprint

    @property
    def connected(self) -> bool:
        return self._srtp is not None

    @property
    def local_address(self) -> Address | None:
        """Where our datagrams come from, for logs and tests; the host is the wildcard address."""
        return None if self._socket is None else self._socket.getsockname()[:2]

    async def connect(self, remote: RemoteEndpoint, timeout_s: float = 10.0) -> None:
        """ICE, then DTLS. Raises ConnectionError when no candidate answers in time or none can be used, and
        HandshakeFailed when DTLS fails."""
        if self._closed:
            raise ConnectionError("this endpoint was closed")
        candidates = self._open_socket(remote.candidates)
        now = self._loop.time()
        self._agent = ControllingAgent(self.ice, remote.ice, candidates, self._random, now, self._consent_interval_s)
        self._dtls = DtlsSession(
            self._certificate,
            remote.dtls_client,
            remote.fingerprints,
            self._send_selected,
            self._on_keys,
            srtp_profiles=self._srtp_profiles,
        )
        self._turn()
        try:
            async with asyncio.timeout(timeout_s):
                await self._selected.wait()
        except TimeoutError:
            raise ConnectionError(f"no candidate of {len(candidates)} answered in {timeout_s:g} s") from None
        await self._dtls.handshake(max(0.001, now + timeout_s - self._loop.time()))

    async def open_channels(self, remote_port: int, on_event: Callable[[ChannelEvent], None]) -> DataChannels:
        """Once, after `connect`: what channels are opened on, and what tells of them. `on_event` must only take note,
        as it comes in the middle of SCTP's work. Raises ConnectionError when the connection is closed already."""
        if self._dtls is None or self._closed:
            raise ConnectionError("this endpoint is not connected")
        self._channels = DataChannels(self._dtls, TransportConfig(), on_event)
        await self._channels.open(remote_port)
        return self._channels

    def flush(self) -> None:
        """Send what the session has ready; call it after `session.send`."""
        self._turn()

    def close(self) -> None:
        """Idempotent. Says farewell in DTLS, so that the server need not wait for silence."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._channels is not None:
            self._channels.close()
        if self._dtls is not None:
            self._dtls.close()
        self._srtp = None
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    async def wait_closed(self) -> None:
        """After `close`: until the task that reads DTLS has ended."""
        if self._dtls is not None:
            await self._dtls.wait_closed()

    # --- the socket

    def _open_socket(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Opens it for the address family of the best candidate; returns the candidates of that family."""
        ranked = sorted(candidates, key=lambda candidate: -candidate.priority)
        versions = [ipaddress.ip_address(candidate.host).version for candidate in ranked]
        if not versions:
            raise ConnectionError("the server offers no address")
        # IPv4 when there is any: it is what loopback and containers have for certain.
        version = 4 if 4 in versions else 6
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
        self._socket.bind(("", 0))
        self._loop.add_reader(self._socket, self._on_readable)
        return [candidate for candidate, each in zip(ranked, versions, strict=True) if each == version]

    def _on_readable(self) -> None:
        now = self._loop.time()
        for _ in range(DATAGRAMS_PER_WAKE):
            if self._socket is None:
                return
            try:
                datagram, source = self._socket.recvfrom(DATAGRAM_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                logger.debug("receive: %s", error)
                break
            self._on_datagram(datagram, source[:2], now)
        self._turn()

    def _on_datagram(self, datagram: bytes, source: Address, now: float) -> None:
        self.datagrams_received += 1
        kind = classify(datagram)
        if kind is Kind.STUN:
            if self._agent is not None and self._agent.on_stun(datagram, source, now) and self._agent.selected:
                self._selected.set()
        elif self._agent is None or not self._agent.knows(source):
            self.datagrams_dropped += 1
        elif kind is Kind.DTLS:
            if self._dtls is not None:
                self._dtls.feed(datagram)
        elif self._srtp is None or (self._impairment and self._impairment.loses(datagram, outgoing=False)):
            self.datagrams_dropped += 1
        elif kind is Kind.RTP:
            if packet := self._srtp.unprotect_rtp(datagram):
                self.session.on_rtp(packet, now)
        elif kind is Kind.RTCP and (compound := self._srtp.unprotect_rtcp(datagram)):
            self.session.on_rtcp(compound, now)

    def _send_selected(self, datagram: bytes) -> None:
        if self._agent is not None and self._agent.selected is not None:
            self._send(datagram, self._agent.selected)

    def _send(self, datagram: bytes, destination: Address) -> None:
        if self._socket is None:
            return
        with contextlib.suppress(OSError):  # a full buffer or a vanished route is loss, as anywhere on the way
            self._socket.sendto(datagram, destination)

    def _send_media(self, datagram: bytes) -> None:
        if not (self._impairment and self._impairment.loses(datagram, outgoing=True)):
            self._send_selected(datagram)

    # --- keys and time

    def _on_keys(self, keys: SrtpKeys) -> None:
        self._srtp = SrtpContext(keys)
        self._turn()

    def _turn(self) -> None:
        """Let everything that is due happen, send what came of it, and set the one timer again."""
        agent = self._agent
        if agent is None or self._socket is None:
            return
        now = self._loop.time()
        for check, destination in agent.poll(now):
            self._send(check, destination)
        if self._srtp is not None:
            self.session.on_timeout(now)
            for packet in self.session.take_rtp():
                self._send_media(self._srtp.protect_rtp(packet))
            for compound in self.session.take_rtcp():
                self._send_media(self._srtp.protect_rtcp(compound))
        else:
            self.session.take_rtp()
            self.session.take_rtcp()
        if agent.expired(now):
            on_lost, self._on_lost = self._on_lost, lambda: None
            on_lost()
        due = min(agent.next_timeout(), self.session.next_timeout(now)) if self._srtp else agent.next_timeout()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(max(due, now + 0.001), self._turn)
