"""What has left towards one remote, by transport-cc number: when, how large, and what was reported of it.

Numbers are unwrapped and without gaps, since one is spent only when its datagram leaves; so the place in the ring says
the number. A packet reported missing stays known: it may still arrive.
"""

from __future__ import annotations

_NUMBERS = 1 << 16  # on the wire


class Departure:
    """`cluster` is the serial number of the probe cluster it was sent for, 0 for none."""

    __slots__ = ("arrived", "at_s", "cluster", "size")

    def __init__(self, at_s: float, size: int, cluster: int) -> None:
        self.at_s = at_s
        self.size = size  # of the datagram
        self.cluster = cluster
        self.arrived: bool | None = None  # None: not reported on


class Flight:
    """The last `size` datagrams, at most 32768."""

    __slots__ = ("_first_in_flight", "_ring", "_size", "in_flight_bytes", "next_number")

    def __init__(self, size: int) -> None:
        self._size = size
        self._ring: list[Departure] = []
        self._first_in_flight = 0
        self.next_number = 0
        self.in_flight_bytes = 0

    def note(self, departure: Departure) -> None:
        """It leaves under `next_number`."""
        if self._first_in_flight <= self.next_number - self._size:
            self.pass_over(self._first_in_flight)  # nobody will report on it any more
        if self.next_number < self._size:
            self._ring.append(departure)
        else:
            self._ring[self.next_number % self._size] = departure
        self.next_number += 1
        self.in_flight_bytes += departure.size

    def unwrap(self, number: int) -> int:
        """The last one that left under these sixteen bits. Negative if none has."""
        return self.next_number - 1 - ((self.next_number - 1 - number) & (_NUMBERS - 1))

    def get(self, number: int) -> Departure | None:
        """`None` for what has not left yet, and for what left too long ago."""
        if max(0, self.next_number - self._size) <= number < self.next_number:
            return self._ring[number % self._size]
        return None

    def pass_over(self, number: int) -> None:
        """This one and all before it are in flight no more: reported on, or forgotten by reports that got lost."""
        while self._first_in_flight <= number:
            passed = self.get(self._first_in_flight)
            if passed is not None:
                self.in_flight_bytes -= passed.size
            self._first_in_flight += 1
