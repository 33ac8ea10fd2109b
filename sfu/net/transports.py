"""All Transports of a Worker: ICE, DTLS and liveness on one side, the plane on the other.

    plane ── StunReceived ─► on_stun ─► IceLite ─► bind, select, send
          ── ConsentRenewed ► on_consent ► the Transport's liveness
          ── StrayReceived ► on_stray ► has_moved? ─► bind, select
          ── DtlsReceived ─► on_dtls ─► the Transport's DTLS ─► set_keys, send_dtls
          ── RtcpReceived ─► on_rtcp ─► the Transport's liveness
    timer ── on_timeout ──► liveness of each ─► on_change

Transports are named by the integers the plane knows them by. One that is GONE has already left the plane and this
table when `on_change` says so. Everything runs on the event loop's thread, but only DTLS needs the loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sfu.control import Candidate, Fingerprint, IceParameters, RemoteParameters
from sfu.core.types import TransportState
from sfu.net.certificate import CertificateStore
from sfu.net.config import TransportConfig
from sfu.net.ice import Answer, Bind, Entrust, IceLite, Output, Select
from sfu.net.sctp import ChannelEvent
from sfu.net.transport import Transport
from sfu.plane.interface import ConsentRenewed, DtlsReceived, Plane, StrayReceived, StunReceived

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TransportCounters:
    """Only ever grow."""

    stun_dropped: int  # not a connectivity check
    stun_refused: int  # a check without valid credentials
    moved: int  # followed to another port without a check
    dtls_dropped: int  # queues full, or not of a Transport that is there


class Transports:
    def __init__(
        self,
        plane: Plane,
        *,
        worker_index: int,
        config: TransportConfig,
        candidates: Sequence[Candidate],
        certificate: CertificateStore,
        random_bytes: Callable[[int], bytes],
        on_change: Callable[[int, TransportState, str], None],
        on_channel: Callable[[int, ChannelEvent], None] = lambda transport, event: None,
    ) -> None:
        """`on_change(transport, state, reason)` may call back into this. It also comes from DTLS tasks, and
        `next_timeout` may be sooner after it. `on_channel(transport, event)` comes in the middle of SCTP's work and
        must do no more than note it."""
        self.candidates = list(candidates)
        self._plane = plane
        self._config = config
        self._certificate = certificate
        self._on_change = on_change
        self._on_channel = on_channel
        self._ice = IceLite(worker_index, config, random_bytes)
        self._transports: dict[int, Transport] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._wake_at: float | None = None
        self._dtls_dropped = 0
        self._moved = 0

    def open(self, transport: int, now: float) -> IceParameters:
        """Our credentials for a new Transport, which is CONNECTING from now on."""
        self._plane.add_transport(transport)
        self._transports[transport] = Transport(
            transport,
            self._plane,
            self._certificate.current(now),
            self._config,
            self._on_transport_change,
            self._on_channel,
            now,
        )
        self._wake_by(self._transports[transport].deadline())
        return self._ice.add(transport)

    def fingerprints(self, transport: int) -> list[Fingerprint]:
        return [self._transports[transport].certificate.fingerprint]

    def connect(self, transport: int, remote: RemoteParameters, now: float) -> None:
        """The first time DTLS begins, as soon as there is a path. Again: other header extensions or data
        channels, or an ICE restart of the remote, of which a lite agent has nothing to note."""
        entry = self._transports[transport]
        entry.connect(remote, now)
        self._wake_by(entry.deadline())

    def restart_ice(self, transport: int, now: float) -> IceParameters:
        """New credentials; the old ones stay valid until the new ones are used, and a little longer."""
        return self._ice.restart(transport)

    def send_message(self, transport: int, label: str, frame: bytes) -> None:
        """On its data channel of this label; lost if there is none. ChannelDrained follows."""
        entry = self._transports.get(transport)
        if entry is not None:
            entry.send_message(label, frame)

    def close(self, transport: int) -> None:
        """Say farewell and forget it; nothing if it is GONE already. `on_change` is not called."""
        entry = self._transports.pop(transport, None)
        if entry is None:
            return
        entry.close()
        self._ice.remove(transport)
        self._plane.remove_transport(transport)
        self._dtls_dropped += entry.dtls_dropped
        if entry.has_tasks:
            task = asyncio.get_running_loop().create_task(entry.wait_closed())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def on_stun(self, event: StunReceived, now: float) -> None:
        """Answer a connectivity check. Never raises, whatever the payload."""
        self._carry_out(self._ice.on_stun(event.payload, event.path, event.transport, now), now)

    def on_consent(self, event: ConsentRenewed) -> None:
        self._carry_out(self._ice.on_consent(event.transport, event.path, event.at_s), event.at_s)

    def on_stray(self, event: StrayReceived, now: float) -> None:
        """A remote whose NAT has chosen another port is found there by what it sends, long before its next check.

        That it can receive there is not proved, as by an answer to a check. So it is followed to another port only, not
        to another host: whoever catches a packet and sends it on first turns nobody's media against a third party. And
        only while it is silent where it was, so that reordered packets change nothing."""
        for transport in self._ice.neighbours(event.path):
            if self._plane.has_moved(transport, event.payload, now):
                logger.info("Transport %d has moved to another port", transport)
                self._moved += 1
                self._carry_out(self._ice.on_moved(transport, event.path, now), now)
                return

    def _carry_out(self, outputs: Sequence[Output], now: float) -> None:
        for output in outputs:
            if isinstance(output, Answer):
                self._plane.send(output.path, output.payload)
            elif isinstance(output, Bind):
                self._plane.bind(output.transport, output.path)
            elif isinstance(output, Select):
                self._plane.select(output.transport, output.path)
            elif isinstance(output, Entrust):
                self._plane.set_credentials(output.transport, output.ice.username_fragment, output.ice.password)
            else:
                entry = self._transports[output.transport]
                entry.on_check(now)
                self._wake_by(entry.deadline())

    def on_dtls(self, event: DtlsReceived) -> None:
        entry = self._transports.get(event.transport)
        if entry is None:
            self._dtls_dropped += 1
        else:
            entry.on_dtls(event.payload)

    def on_rtcp(self, transport: int, now: float) -> None:
        """Authentic RTCP has come; what is in it is others' business."""
        entry = self._transports.get(transport)
        if entry is not None:
            entry.on_rtcp(now)

    def state(self, transport: int) -> TransportState:
        entry = self._transports.get(transport)
        return TransportState.GONE if entry is None else entry.state

    @property
    def counters(self) -> TransportCounters:
        return TransportCounters(
            stun_dropped=self._ice.dropped,
            stun_refused=self._ice.refused,
            moved=self._moved,
            dtls_dropped=self._dtls_dropped + sum(entry.dtls_dropped for entry in self._transports.values()),
        )

    def next_timeout(self) -> float | None:
        """When to call `on_timeout`. May be early: checks put deadlines off without this being worked out anew."""
        return self._wake_at

    def on_timeout(self, now: float) -> None:
        if self._wake_at is None or now < self._wake_at:
            return
        for entry in list(self._transports.values()):
            entry.on_timeout(now)
        deadlines = (entry.deadline() for entry in self._transports.values())
        self._wake_at = min((deadline for deadline in deadlines if deadline is not None), default=None)

    async def aclose(self) -> None:
        """Close all that are left, and wait until no task remains. Before the plane is closed."""
        for transport in list(self._transports):
            self.close(transport)
        if self._closing:
            await asyncio.wait(self._closing)

    def _on_transport_change(self, transport: int, state: TransportState, reason: str) -> None:
        if state is TransportState.GONE:
            self.close(transport)
        else:
            self._wake_by(self._transports[transport].deadline())
        self._on_change(transport, state, reason)

    def _wake_by(self, deadline: float | None) -> None:
        if deadline is not None and (self._wake_at is None or deadline < self._wake_at):
            self._wake_at = deadline
