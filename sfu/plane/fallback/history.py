"""What has arrived of one layer, lately: to tell duplicates, to answer NACKs, to look back at a switch."""

from __future__ import annotations

from collections.abc import Iterator

from sfu.core.types import DropReason
from sfu.plane.fallback.packets import MediaPacket

# Audio is not retransmitted; this is as far back as a packet may be late: 2.5 s of 20 ms packets.
RECENT_NUMBERS = 128


class History:
    """The last `size` packets of a video layer by unwrapped sequence number, those that carry nothing included."""

    __slots__ = ("_newest", "_ring", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._ring: list[MediaPacket | None] = [None] * size
        self._newest: int | None = None

    def admit(self, packet: MediaPacket) -> DropReason | None:
        """Keeps the packet, or says why not."""
        number = packet.sequence_number
        if self._newest is None or number > self._newest:
            self._newest = number
        elif number <= self._newest - self._size:
            return DropReason.TOO_OLD
        elif self.get(number) is not None:
            return DropReason.DUPLICATE
        self._ring[number % self._size] = packet
        return None

    def get(self, number: int) -> MediaPacket | None:
        packet = self._ring[number % self._size]
        return packet if packet is not None and packet.sequence_number == number and self._reaches(number) else None

    def lacks(self, number: int) -> bool:
        """Whether this number was jumped over, has not arrived since, and would still find its place."""
        return self._newest is not None and self._reaches(number) and number < self._newest and self.get(number) is None

    def after(self, number: int) -> Iterator[MediaPacket]:
        """What is there with higher numbers, in their order."""
        if self._newest is not None:
            for later in range(number + 1, self._newest + 1):
                packet = self.get(later)
                if packet is not None:
                    yield packet

    def since(self, at_s: float) -> list[MediaPacket]:
        """What is there of what has arrived since then, by number."""
        if self._newest is None:
            return []
        return [packet for packet in self.after(self._newest - self._size) if packet.arrived_at >= at_s]

    def describe(self) -> dict[str, object]:
        held = sum(packet is not None and self._reaches(packet.sequence_number) for packet in self._ring)
        return {"newest": self._newest, "held": held}

    def _reaches(self, number: int) -> bool:
        return self._newest is not None and number > self._newest - self._size


class RecentNumbers:
    """For audio: which of the last numbers have been there, as bits; bit 0 is the newest."""

    __slots__ = ("_newest", "_seen")

    def __init__(self) -> None:
        self._newest: int | None = None
        self._seen = 0

    def admit(self, packet: MediaPacket) -> DropReason | None:
        number = packet.sequence_number
        if self._newest is None:
            self._newest = number
        if number > self._newest:
            # A shift by as many bits as a long jump asks for would be slow; beyond the window none is left anyway.
            self._seen <<= min(number - self._newest, RECENT_NUMBERS)
            self._seen &= (1 << RECENT_NUMBERS) - 1
            self._newest = number
        age = self._newest - number
        if age >= RECENT_NUMBERS:
            return DropReason.TOO_OLD
        if self._seen >> age & 1:
            return DropReason.DUPLICATE
        self._seen |= 1 << age
        return None
