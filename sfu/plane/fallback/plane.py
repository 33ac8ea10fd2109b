"""The readable plane: the tables, the control methods, and the two drivers.

Each method finds what its integers name and says one thing to it; the work is done in the other files. Unknown ids
are KeyErrors (a bug of ours), except when removing: whatever is removed first takes with it what hangs on it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from sfu.core.transport_feedback import FeedbackBatch
from sfu.core.types import Codec, DropReason
from sfu.plane.fallback.feedback import poll_feedback
from sfu.plane.fallback.learning import Learning
from sfu.plane.fallback.levels import Levels
from sfu.plane.fallback.outbox import Outbox
from sfu.plane.fallback.publishing import Track
from sfu.plane.fallback.receiving import Receiving
from sfu.plane.fallback.reporting import poll_reports
from sfu.plane.fallback.sinks import Sinks
from sfu.plane.fallback.slot import Slot
from sfu.plane.fallback.sockets import Sockets
from sfu.plane.fallback.transport import Transport
from sfu.plane.interface import (
    Counters,
    Datagram,
    Event,
    LayerReception,
    Path,
    PlaneConfig,
    SinkFrame,
    SlotSpec,
    SlotTransmission,
    SrtpKeys,
    TrackSpec,
)
from sfu.plane.readers import connect_to_reader
from sfu.wire.extensions import ExtensionIds

_DEFAULTS = PlaneConfig()


class FallbackPlane:
    """See `interface.Plane`. Not started, it is logic alone: no socket, no clock."""

    name = "fallback"
    cpu_s = 0.0  # the event loop's

    def __init__(self, addresses: Sequence[str], port: int = 0, config: PlaneConfig = _DEFAULTS) -> None:
        self.addresses = tuple(addresses)
        self.port = port
        self.counters = Counters()
        self._config = config
        self._outbox = Outbox(self.counters, config.pending_events)
        self._transports: dict[int, Transport] = {}
        self._tracks: dict[int, Track] = {}
        self._slots: dict[int, Slot] = {}
        self._paths: dict[Path, Transport] = {}
        self._learning = Learning(config, self._outbox)
        self._sinks = Sinks(self._outbox)
        self._levels = Levels(config.levels_per_track)
        self._receiving = Receiving(self._paths, self._learning, self._sinks, self._levels, config, self._outbox)
        self._sockets: Sockets | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_events: Callable[[list[Event]], None] | None = None
        self._delivery_due = False
        self._timer: asyncio.TimerHandle | None = None

    # --- drivers -------------------------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop, on_events: Callable[[list[Event]], None]) -> None:
        self._sockets = Sockets(self.addresses, self.port, self._config, self._outbox)
        self.port = self._sockets.port
        self._loop = loop
        self._on_events = on_events
        self._sinks.live = True
        self._sockets.listen(loop, self._on_readable)
        self._settle()

    def close(self) -> None:
        self._sinks.close()
        if self._sockets is not None and self._loop is not None:
            self._sockets.close(self._loop)
        if self._timer is not None:
            self._timer.cancel()
        self._sockets = self._on_events = self._timer = None

    def on_datagrams(self, batch: Sequence[Datagram], now: float) -> list[Datagram]:
        before, self._outbox.datagrams = self._outbox.datagrams, []
        self._receive(batch, now)
        caused, self._outbox.datagrams = self._outbox.datagrams, before
        return self._count_out(caused)

    def next_timeout(self) -> float | None:
        times = (transport.next_timeout() for transport in self._outbox.later)
        return min((at for at in times if at is not None), default=None)

    def on_timeout(self, now: float) -> list[Datagram]:
        before, self._outbox.datagrams = self._outbox.datagrams, []
        self._send_due(now)
        caused, self._outbox.datagrams = self._outbox.datagrams, before
        return self._count_out(caused)

    def take_events(self) -> list[Event]:
        events, self._outbox.events = self._outbox.events, []
        return events

    def take_pending(self, by: float) -> list[Event]:
        return self.take_events()

    def take_output(self) -> list[Datagram]:
        output, self._outbox.datagrams = self._outbox.datagrams, []
        return self._count_out(output)

    def take_sink_output(self) -> list[SinkFrame]:
        return self._sinks.take()

    def _receive(self, batch: Sequence[Datagram], now: float) -> None:
        self._receiving.begin_batch()
        for datagram in batch:
            self._receiving.on_datagram(datagram, now)

    def _send_due(self, now: float) -> None:
        for transport in list(self._outbox.later):
            transport.on_timeout(now)

    def _count_out(self, datagrams: list[Datagram]) -> list[Datagram]:
        self.counters.sent_datagrams += len(datagrams)
        self.counters.sent_bytes += sum(len(datagram.payload) for datagram in datagrams)
        return datagrams

    def _on_readable(self, local: int) -> None:
        if self._sockets is None:
            return
        batch = self._sockets.receive(local)
        self._receive(batch, time.monotonic())
        self._flush()
        self._deliver()
        self._arm()

    def _settle(self) -> None:
        """After a control method, when started: what it caused leaves at once, and its events on the loop's next
        turn, so that the caller is not called back in the middle of its own work."""
        if self._sockets is None or self._loop is None:
            return
        self._flush()
        self._arm()
        if self._outbox.events and not self._delivery_due:
            self._delivery_due = True
            self._loop.call_soon(self._deliver)

    def _flush(self) -> None:
        if self._sockets is not None and self._outbox.datagrams:
            output, self._outbox.datagrams = self._outbox.datagrams, []
            self._sockets.send(output)
        self._sinks.flush()

    def _arm(self) -> None:
        """Wakes itself when something is due to be sent."""
        at = self.next_timeout()
        if self._loop is None or self._sockets is None or at == (self._timer and self._timer.when()):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if at is None else self._loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._send_due(time.monotonic())
        self._settle()

    def _deliver(self) -> None:
        self._delivery_due = False
        if self._on_events is not None and self._outbox.events:
            self._on_events(self.take_events())

    # --- transports ----------------------------------------------------------------------------------------

    def add_transport(self, transport: int) -> None:
        _require_new(transport, self._transports)
        self._transports[transport] = Transport(transport, self._config, self._outbox)

    def bind(self, transport: int, path: Path) -> None:
        owner = self._transports[transport]
        before = self._paths.get(path)
        if before is not None and before is not owner:
            before.unbind(path)
        self._paths[path] = owner
        gone = owner.bind(path)
        if gone is not None:
            del self._paths[gone]

    def select(self, transport: int, path: Path) -> None:
        self._transports[transport].select(path)

    def set_credentials(self, transport: int, username_fragment: str, password: str) -> None:
        self._transports[transport].set_credentials(username_fragment, password)

    def has_moved(self, transport: int, stray: bytes, now: float) -> bool:
        return self._receiving.has_moved(self._transports[transport], stray, now)

    def set_keys(self, transport: int, keys: SrtpKeys) -> None:
        self._transports[transport].set_keys(keys)

    def set_extensions(self, transport: int, receive: ExtensionIds, send: ExtensionIds) -> None:
        self._transports[transport].set_extensions(receive, send)

    def remove_transport(self, transport: int) -> None:
        gone = self._transports.pop(transport, None)
        if gone is None:
            return
        for slot in list(gone.slots):
            self.remove_slot(slot)
        for track in list(gone.tracks.values()):
            self.remove_track(track.id)
        for path in gone.paths:
            del self._paths[path]
        self._outbox.later.pop(gone, None)
        self._outbox.reporting.pop(gone, None)
        self._outbox.reported_on.pop(gone, None)

    def send(self, path: Path, payload: bytes) -> None:
        self._outbox.send(path, payload)
        self._settle()

    def send_dtls(self, transport: int, payload: bytes) -> None:
        self._count(self._transports[transport].send_dtls(payload))
        self._settle()

    def send_rtcp(self, transport: int, compound: bytes, now: float) -> None:
        self._count(self._transports[transport].send_rtcp(compound))
        self._settle()

    def set_reporter(self, transport: int, ssrc: int, cname: str) -> None:
        self._transports[transport].reporting.set_reporter(ssrc, cname)

    def set_feedback_interval(self, transport: int, interval_s: float | None, now: float) -> None:
        self._transports[transport].set_feedback_interval(interval_s, now)
        self._settle()

    def send_reports(self, transports: Sequence[int], ntp_time: int, now: float) -> None:
        for reporter in [self._transports[transport] for transport in transports]:
            for compound in reporter.reporting.compounds(ntp_time, now):
                self._count(reporter.send_rtcp(compound))
        self._settle()

    def poll_reports(self) -> NDArray[Any]:
        return poll_reports(self._outbox.reported_on)

    # --- after packets have left ---------------------------------------------------------------------------

    def set_recovery_rate(self, transport: int, rate_bps: float) -> None:
        _require_positive(rate_bps)
        self._transports[transport].recovery.bucket.set_rate(rate_bps)
        self._settle()

    def probe(self, transport: int, rate_bps: float, packets: int, cluster: int, now: float) -> bool:
        _require_positive(rate_bps, packets)
        source = self._transports[transport]
        if not source.probing.start(rate_bps, packets, cluster, now):
            return False
        source.on_timeout(now)
        self._settle()
        return True

    def poll_feedback(self, now: float) -> FeedbackBatch:
        return poll_feedback(self._outbox.reporting, now)

    # --- publishing ----------------------------------------------------------------------------------------

    def add_track(self, track: int, transport: int, spec: TrackSpec) -> None:
        _require_new(track, self._tracks)
        owner = self._transports[transport]
        if spec.mid in owner.tracks:
            raise ValueError(f"transport {transport} has a track with mid {spec.mid} already")
        owner.tracks[spec.mid] = self._tracks[track] = Track(track, owner, spec, self._config, self._outbox)

    def announce_ssrc(self, track: int, layer: int, ssrc: int, rtx: bool) -> None:
        self._tracks[track].layer(layer)
        self._learning.bind(self._tracks[track], layer, ssrc, rtx, now=None)
        self._settle()

    def set_clock(self, track: int, layer: int, rtp_timestamp: int, at_s: float) -> None:
        self._tracks[track].layer(layer).clock.pair = (rtp_timestamp, at_s)

    def remove_track(self, track: int) -> None:
        gone = self._tracks.pop(track, None)
        if gone is None:
            return
        for slot in list(gone.slots):
            slot.set_route(None)
        self._sinks.end_track(gone)
        self._levels.forget(track)
        del gone.transport.tracks[gone.spec.mid]
        for ssrc in [ssrc for ssrc, source in gone.transport.sources.items() if source.track is gone]:
            gone.transport.forget(ssrc)
        self._settle()

    def reception(self, track: int) -> list[LayerReception]:
        return self._tracks[track].reception()

    def missing(self, track: int, layer: int, sequence_numbers: Sequence[int]) -> list[int]:
        return self._tracks[track].layer(layer).missing(sequence_numbers)

    def poll_levels(self) -> NDArray[Any]:
        return self._levels.take()

    # --- subscribing ---------------------------------------------------------------------------------------

    def add_slot(self, slot: int, transport: int, spec: SlotSpec) -> None:
        _require_new(slot, self._slots)
        owner = self._transports[transport]
        if not 0 <= spec.first_sequence_number < 1 << 15:
            # Were the first packets lost, a receiver could not tell whether it wrapped (RFC 3711 §3.3.1).
            raise ValueError(f"the first sequence number {spec.first_sequence_number} is not below 32768")
        owner.reserve_ssrc(spec.ssrc)
        if spec.rtx_ssrc is not None:
            owner.reserve_ssrc(spec.rtx_ssrc)
        self._slots[slot] = owner.slots[slot] = Slot(slot, owner, spec, self._config, self._outbox)

    def set_payload_types(self, slot: int, payload_types: Mapping[Codec, tuple[int, int | None]]) -> None:
        self._slots[slot].set_payload_types(payload_types)

    def set_route(self, slot: int, track: int | None) -> None:
        self._slots[slot].set_route(None if track is None else self._tracks[track])

    def set_layer(
        self,
        slot: int,
        layer: int | None,
        max_temporal_id: int | None = None,
        max_spatial_id: int | None = None,
        *,
        look_back: tuple[float, float] | None = None,
    ) -> None:
        of = self._slots[slot]
        of.set_layer(layer, max_temporal_id, max_spatial_id)
        if look_back is not None:
            of.look_back(*look_back)
            self._settle()

    def remove_slot(self, slot: int) -> None:
        gone = self._slots.pop(slot, None)
        if gone is not None:
            gone.set_route(None)
            del gone.transport.slots[slot]
            gone.transport.recovery.forget(gone)
            gone.transport.note_later()

    def retransmit(self, slot: int, sequence_numbers: Sequence[int], now: float) -> int:
        source = self._slots[slot]
        recovery = source.transport.recovery
        recovery.send_due(now)
        taken = sum(recovery.ask(source, number, now) for number in sequence_numbers)
        source.transport.note_later()
        self._settle()
        return taken

    def transmission(self, slot: int) -> SlotTransmission:
        return self._slots[slot].transmission()

    # --- local sinks ---------------------------------------------------------------------------------------

    def add_sink(self, sink: int, address: str) -> None:
        if sink in self._sinks:
            raise ValueError(f"{sink} is in use")
        endpoint = None if self._sockets is None else connect_to_reader(address, self._config.sink_buffer_bytes)
        self._sinks.add(sink, endpoint)
        self._settle()

    def set_tap(self, sink: int, track: int, layers: Collection[int]) -> None:
        self._sinks.set_tap(sink, self._tracks[track], layers)
        self._settle()

    def remove_sink(self, sink: int) -> None:
        self._sinks.remove(sink)
        self._settle()

    # --- for people ----------------------------------------------------------------------------------------

    def describe_transport(self, transport: int) -> dict[str, object]:
        return self._transports[transport].describe()

    def describe_track(self, track: int) -> dict[str, object]:
        return self._tracks[track].describe()

    def describe_slot(self, slot: int) -> dict[str, object]:
        return self._slots[slot].describe()

    def _count(self, refusal: DropReason | None) -> None:
        if refusal is not None:
            self._outbox.drop(refusal)


def _require_positive(*values: float) -> None:
    if any(not value > 0 for value in values):
        raise ValueError(f"not all of these are positive: {values}")


def _require_new(number: int, table: dict[int, Transport] | dict[int, Track] | dict[int, Slot]) -> None:
    if number in table:
        raise ValueError(f"{number} is in use")
