"""A Worker without its loop: what comes in from signaling, the plane and the timer, to whom it goes.

    Commands ─────► commands.py ─┐
    plane events ─► Endpoints, Tracks, Slots (registry.py) ─► plane calls, Notices
    timer ────────► whoever is due (core/deadlines.py) ─┘
    data channels ► messaging.py ─► data channels

Only routes; decisions are in `sfu/core`. After each input everything due is done before the next is taken, so that
nobody sees half of a change. `now` comes with every input; the one callback without it, from DTLS, only marks.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from sfu.commands import Commands
from sfu.config import WorkerConfig
from sfu.context import Context, Owner
from sfu.control import AnyCommand, AnyNotice, AnyReply, Candidate, Failed, SinkLost, TransportChanged
from sfu.core.errors import Refused
from sfu.core.estimation.estimator import Estimator
from sfu.core.estimation.traced import TracedEstimator
from sfu.core.reports import ServerClock
from sfu.core.types import TransportState
from sfu.endpoint import Endpoint
from sfu.messaging import Messaging
from sfu.net.certificate import CertificateStore
from sfu.net.transports import Transports
from sfu.plane.interface import (
    ConsentRenewed,
    DtlsReceived,
    Event,
    GapSeen,
    KeyFrameReceived,
    Plane,
    RtcpReceived,
    SinkGone,
    SsrcLearned,
    StrayReceived,
    StunReceived,
    Switched,
)
from sfu.registry import Registry

# A wish may come of an allocation, and a request of the wish: three rounds settle it. What is left after these has
# lost its way, and must not hold up the loop.
ROUNDS = 8

logger = logging.getLogger(__name__)


class Router:
    def __init__(
        self,
        config: WorkerConfig,
        plane: Plane,
        *,
        candidates: Sequence[Candidate],
        certificate: CertificateStore,
        clock: ServerClock,
        random: Random,
        on_work: Callable[[], None] = lambda: None,
        process_cpu_s: Callable[[], float] = lambda: 0.0,
        trace: Callable[[str], object] | None = None,
    ) -> None:
        """`on_work` says that `poll` or `on_timeout` has something outside of a call to this: DTLS has got on.
        `trace` is given lines of what the estimator is told."""
        self._notices: deque[AnyNotice] = deque()
        self._on_work = on_work
        sizes = config.transports, config.budget_bps
        estimator = Estimator(*sizes) if trace is None else TracedEstimator(*sizes, trace)
        self.context = Context(config, plane, estimator, clock, random, self._notices.append, process_cpu_s)
        self.counters = self.context.counters
        self.registry = Registry(self.context)
        self._messaging = Messaging(self.registry.messages, self.registry.correspondents, on_work, self._on_message_bug)
        self.transports = Transports(
            plane,
            worker_index=config.worker_index,
            config=config.transport,
            candidates=candidates,
            certificate=certificate,
            random_bytes=random.randbytes,
            on_change=self._on_transport_change,
            on_channel=self._messaging.note,
        )
        self.registry.reporting.on_heard = self.transports.on_rtcp
        self._commands = Commands(self.context, self.registry, self.transports)

    def on_command(self, command: AnyCommand, now: float) -> AnyReply:
        """Carries it out. Never raises: what we did not foresee is `Failed("internal")` and a traceback in the log."""
        self.counters.commands += 1
        reply: AnyReply
        try:
            reply = self._commands.execute(command, now)
        except Refused as refused:
            self.counters.commands_refused += 1
            reply = Failed(call=command.call, code=refused.code, reason=refused.reason)
        except Exception:
            self.counters.internal_errors += 1
            logger.exception("Command %s failed", type(command).__name__)
            reply = Failed(call=command.call, code="internal", reason="the Worker failed; its log says why")
        self.on_timeout(now)
        return reply

    def on_events(self, events: Sequence[Event], now: float) -> None:
        for event in events:
            try:
                self._on_event(event, now)
            except Exception:
                self._on_bug(type(event).__name__, self._endpoint_of(event))
        self.on_timeout(now)

    def next_timeout(self) -> float | None:
        deadlines = (self.context.deadlines.next_timeout(), self.transports.next_timeout())
        return min((at for at in deadlines if at is not None), default=None)

    def on_timeout(self, now: float) -> None:
        """Whatever is due, and what becomes due by it."""
        self._messaging.run(self.transports, now)
        transports_at = self.transports.next_timeout()
        if transports_at is not None and transports_at <= now:
            self.transports.on_timeout(now)
        for _ in range(ROUNDS):
            owners = self.context.deadlines.due(now)
            if not owners:
                break
            for owner in owners:
                try:
                    owner.on_timeout(now)
                except Exception:
                    self._on_bug(type(owner).__name__, owner.endpoint)

    def poll(self) -> AnyNotice | None:
        """The next Notice, in the order in which things happened."""
        return self._notices.popleft() if self._notices else None

    def _on_event(self, event: Event, now: float) -> None:
        if isinstance(event, RtcpReceived):
            self.transports.on_rtcp(event.transport, now)
            endpoint = self.registry.endpoints_by_number.get(event.transport)
            if endpoint is not None:
                endpoint.on_rtcp(event, now)
        elif isinstance(event, ConsentRenewed):
            self.transports.on_consent(event)
        elif isinstance(event, StunReceived):
            self.transports.on_stun(event, now)
        elif isinstance(event, StrayReceived):
            self.transports.on_stray(event, now)
        elif isinstance(event, DtlsReceived):
            self.transports.on_dtls(event)
        elif isinstance(event, Switched):
            self._on_switched(event, now)
        elif isinstance(event, SinkGone):
            self._on_sink_gone(event)
        else:
            self._on_track_event(event, now)

    def _on_sink_gone(self, event: SinkGone) -> None:
        logger.warning("the reader of sink %d has gone", event.sink)
        for sink in self.registry.sinks.values():
            if sink.number == event.sink:
                self._notices.append(SinkLost(sink=sink.id))

    def _on_switched(self, event: Switched, now: float) -> None:
        slot = self.registry.slots_by_number.get(event.slot)
        # The Slot may have been given another Track since; what the plane says of the last one is history.
        if slot is None or slot.subscription is None or slot.subscription.track.number != event.track:
            return
        slot.subscription.on_switched(event.layer, event.timestamp, now)
        slot.endpoint.reports.hasten(now)  # its receiver wants to know when that was captured
        self.registry.reporting.touch(slot.endpoint)

    def _on_track_event(self, event: SsrcLearned | KeyFrameReceived | GapSeen, now: float) -> None:
        track = self.registry.tracks_by_number.get(event.track)
        if track is None:
            return
        if isinstance(event, GapSeen):
            track.on_gap(event.layer, event.first, event.last, now)
        elif isinstance(event, KeyFrameReceived):
            track.on_key_frame(event.layer, now)
        elif not event.rtx:
            track.endpoint.on_ssrc(track, event.layer, event.ssrc, now)
            track.endpoint.reports.start(now)
            self.registry.reporting.touch(track.endpoint)
            self.registry.listening.on_flowing(track, now)

    def _on_transport_change(self, number: int, state: TransportState, reason: str) -> None:
        endpoint = self.registry.endpoints_by_number.get(number)
        if endpoint is None:
            return
        if state is TransportState.GONE:
            self.registry.forget_endpoint(endpoint)
        endpoint.is_reconnecting = state is TransportState.RECONNECTING
        if state is TransportState.CONNECTED:
            endpoint.on_connected()
        self._notices.append(TransportChanged(transport=endpoint.id, state=state.value, reason=reason))
        self._on_work()

    def _endpoint_of(self, event: Event) -> Endpoint | None:
        if isinstance(event, Switched):
            slot = self.registry.slots_by_number.get(event.slot)
            return None if slot is None else slot.endpoint
        if isinstance(event, SsrcLearned | KeyFrameReceived | GapSeen):
            track = self.registry.tracks_by_number.get(event.track)
            return None if track is None else track.endpoint
        if isinstance(event, SinkGone | StrayReceived):
            return None
        return None if event.transport is None else self.registry.endpoints_by_number.get(event.transport)

    def _on_message_bug(self, transport: int) -> None:
        self._on_bug("Messaging", self.registry.endpoints_by_number.get(transport))

    def _on_bug(self, where: str, endpoint: Owner | None) -> None:
        """Ours, not the peer's: said in full, counted, and only the Transport where it showed ends."""
        self.counters.internal_errors += 1
        logger.exception("%s failed", where)
        if endpoint is not None and endpoint.number in self.registry.endpoints_by_number:
            self.transports.close(endpoint.number)
            self._on_transport_change(endpoint.number, TransportState.GONE, "internal")
