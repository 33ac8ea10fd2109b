"""What one Slot has sent lately, so that a NACK can be answered by RTX (RFC 4588), and probes be made of it.

Holds no payloads: those are in the layers' histories, where all Slots share them. Only numbers are kept here, enough
to write the same packet again. When it may leave is said in recovery.py and probing.py.
"""

from __future__ import annotations

from typing import NamedTuple

from sfu.plane.fallback.packets import MediaPacket
from sfu.plane.fallback.pictures import PictureFields
from sfu.plane.fallback.publishing import TrackLayer


class Sent(NamedTuple):
    number: int  # as sent, unwrapped
    timestamp: int  # as sent
    layer: TrackLayer
    source_number: int
    picture: PictureFields


class SentPackets:
    """The last `size` packets of a Slot by outgoing sequence number."""

    __slots__ = (
        "_first",
        "_newest",
        "_probe",
        "_probe_next",
        "_repeat_after_s",
        "_repeated_at",
        "_ring",
        "_size",
        "_waiting",
    )

    def __init__(self, size: int, repeat_after_s: float) -> None:
        self._size = size
        self._repeat_after_s = repeat_after_s
        self._ring: list[Sent | None] = [None] * size
        self._repeated_at: dict[int, float] = {}  # ring index → when the packet there was last repeated
        self._waiting: set[int] = set()  # numbers that are to be repeated as soon as there is room
        self._newest = 0
        self._first: int | None = None  # the lowest there can be
        self._probe = 0  # serial number of the probe cluster that looked last, and where it goes on
        self._probe_next = 0

    def note(self, sent: Sent) -> None:
        index = sent.number % self._size
        self._ring[index] = sent
        self._repeated_at.pop(index, None)
        self._newest = max(self._newest, sent.number)
        self._first = sent.number if self._first is None else min(self._first, sent.number)

    def find(self, number: int) -> tuple[Sent, MediaPacket] | None:
        """By its unwrapped number; `None` when it is too long ago."""
        sent = self._ring[number % self._size]
        if sent is None or sent.number != number or sent.layer.history is None:
            return None
        packet = sent.layer.history.get(sent.source_number)
        return None if packet is None else (sent, packet)

    def unwrap(self, sequence_number: int) -> int:
        """The last number that can have left under these sixteen bits."""
        return self._newest - ((self._newest - sequence_number) & 0xFFFF)

    def is_answered(self, number: int, now: float) -> bool:
        """It was repeated so lately that the repetition can still be under way, or will be."""
        repeated_at = self._repeated_at.get(number % self._size, -self._repeat_after_s)
        return number in self._waiting or now - repeated_at < self._repeat_after_s

    def wait(self, number: int) -> None:
        """It is to be repeated later."""
        self._waiting.add(number)

    def release(self, number: int) -> None:
        """It waits no longer."""
        self._waiting.discard(number)

    def note_repeated(self, number: int, now: float) -> None:
        self._repeated_at[number % self._size] = now

    def next_for_probe(self, cluster: int) -> int | None:
        """The number before the last one that this cluster has passed, the newest to begin with; those that cannot be
        found are the caller's to pass. `None` at the end."""
        if self._probe != cluster:
            self._probe = cluster
            self._probe_next = self._newest
        if self._first is None or self._probe_next < max(self._first, self._newest - self._size + 1):
            return None
        return self._probe_next

    def pass_for_probe(self) -> None:
        self._probe_next -= 1

    def clear(self) -> None:
        """What was sent cannot be repeated any more: lets go of the layers."""
        self._ring = [None] * self._size
        self._first = None
        self._repeated_at.clear()

    def describe(self) -> dict[str, object]:
        return {"newest": self._newest, "held": sum(sent is not None for sent in self._ring)}
