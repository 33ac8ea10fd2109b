"""Puts the packets of one SSRC in order, and waits for those that are late or asked for again.

There is time: a recording is not watched while it is made. So the wait is as long as the sender's and our buffers for
retransmission are worth, not what a conversation could bear.
"""

from __future__ import annotations

from typing import NamedTuple

from sfu.wire.extensions import Orientation


class OrderedPacket(NamedTuple):
    """`sequence_number` and `timestamp` are unwrapped. `missing`: how many packets before this one never came.
    `orientation`: if this packet says how its picture is to be shown."""

    sequence_number: int
    timestamp: int
    marker: bool
    payload_type: int
    payload: bytes
    arrived_at_s: float
    missing: int = 0
    orientation: Orientation | None = None


class ReorderBuffer:
    """`wait_s`: how long a hole is waited for. `most_packets`: held behind one; more ends the wait."""

    def __init__(self, wait_s: float, most_packets: int) -> None:
        self._wait_s = wait_s
        self._most = most_packets
        self._next: int | None = None
        self._waiting: dict[int, OrderedPacket] = {}
        self._since_s = 0.0  # when the hole was seen
        self.duplicates = 0
        self.lost = 0

    def on_packet(self, packet: OrderedPacket) -> list[OrderedPacket]:
        """What is in order now."""
        number = packet.sequence_number
        if self._next is None:
            self._next = number
        if number < self._next or number in self._waiting:
            self.duplicates += 1
            return []
        if number == self._next and not self._waiting:  # nearly always
            self._next += 1
            return [packet]
        if not self._waiting:
            self._since_s = packet.arrived_at_s
        self._waiting[number] = packet
        released = self._release(packet.arrived_at_s)
        while len(self._waiting) > self._most:
            released += self._skip(packet.arrived_at_s)
        return released

    def on_time(self, now: float) -> list[OrderedPacket]:
        """Gives up the holes that are too old."""
        released: list[OrderedPacket] = []
        while self._waiting and now - self._since_s >= self._wait_s:
            released += self._skip(now)
        return released

    def finish(self) -> list[OrderedPacket]:
        """Nothing more will come."""
        released: list[OrderedPacket] = []
        while self._waiting:
            released += self._skip(self._since_s)
        return released

    def _release(self, now: float) -> list[OrderedPacket]:
        released = []
        assert self._next is not None
        while (packet := self._waiting.pop(self._next, None)) is not None:
            released.append(packet)
            self._next += 1
        if released and self._waiting:
            # The hole behind it was seen when the first packet after it came.
            self._since_s = min(packet.arrived_at_s for packet in self._waiting.values())
        return released

    def _skip(self, now: float) -> list[OrderedPacket]:
        first = min(self._waiting)
        assert self._next is not None
        missing = first - self._next
        self.lost += missing
        self._next = first
        released = self._release(now)
        released[0] = released[0]._replace(missing=missing)
        return released
