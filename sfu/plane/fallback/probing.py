"""Sending more than there is to send, for a moment, to find out what the path carries.

A probe is what was sent last, once more by RTX, and when there is no more of that, padding (libwebrtc's senders do the
same). Either has its place on the RTX SSRC: receivers know it for a repetition, or for nothing, and decode on.
It leaves at the rate it is to find out about, not at that of RTX. When a wake-up came late the next ones follow sooner,
so that the mean is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfu.core.types import DropReason
from sfu.plane.fallback.clusters import Cluster
from sfu.plane.fallback.outbox import Outbox

if TYPE_CHECKING:
    from sfu.plane.fallback.slot import Slot
    from sfu.plane.fallback.transport import Transport


class Probing:
    """Of one Transport: one cluster at a time."""

    def __init__(self, transport: Transport, outbox: Outbox) -> None:
        self._transport = transport
        self._outbox = outbox
        self._cluster: Cluster | None = None  # running
        self._rate_bps = 0.0
        self._packets = 0  # still to be sent
        self._next_at = 0.0

    def start(self, rate_bps: float, packets: int, cluster: int, now: float) -> bool:
        """Another takes the place of one still running. False if there is nothing to probe with."""
        transport = self._transport
        if not transport.is_connected or not transport.numbers_departures or self._padded() is None:
            return False
        self._stop()
        self._cluster = transport.feedback.clusters.open(cluster)
        self._rate_bps = float(rate_bps)
        self._packets = packets
        self._next_at = now
        self._outbox.reporting.setdefault(transport)
        return True

    def next_timeout(self) -> float | None:
        return None if self._cluster is None else self._next_at

    def send_due(self, now: float) -> None:
        while self._cluster is not None and now >= self._next_at:
            left = self._send(self._cluster.serial, now)
            if isinstance(left, DropReason):
                self._outbox.drop(left)
                self._stop()
                return
            self._cluster.on_sent(left, now)
            self._outbox.counters.probes += 1
            self._next_at += left * 8 / self._rate_bps
            self._packets -= 1
            if self._packets == 0:
                self._stop()

    def _stop(self) -> None:
        if self._cluster is not None:
            self._cluster.running = False
            self._cluster = None

    def _send(self, cluster: int, now: float) -> int | DropReason:
        newest: tuple[Slot, int, float] | None = None
        for slot in self._transport.slots.values():
            found = slot.find_for_probe(cluster)
            if found is not None and (newest is None or found[1] > newest[2]):
                newest = slot, *found
        if newest is not None:
            slot, number, _ = newest
            slot.sent.pass_for_probe()
            return slot.repeat(number, now, cluster)
        padded = self._padded()
        if padded is None:
            return DropReason.NO_PAYLOAD_TYPE  # its Slots have gone meanwhile
        slot, payload_type = padded
        return slot.send_padding(payload_type, now, cluster)

    def _padded(self) -> tuple[Slot, int] | None:
        """The first Slot with RTX, and under which payload type."""
        for slot in self._transport.slots.values():
            payload_type = slot.padding_payload_type
            if payload_type is not None:
                return slot, payload_type
        return None
