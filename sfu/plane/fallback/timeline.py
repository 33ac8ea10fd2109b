"""Which RTP timestamps leave through a Slot, whatever it carries.

One line per outgoing SSRC pairs RTP time with the server's clock. Sources come and go, each with a random base of
its own; at a switch the line goes on: the first timestamp of the new stretch is where the line is at the moment
the packet was captured, and up to the next switch the publisher's timestamps are only shifted.

                    switch        Captured when? By the layer's sender reports mapped to the server's clock
    out    ────────╱────────      (`set_clock`); by arrival until there is one, which the next switch corrects.
    in q   ──────  :
    in f           : ─────        A publisher's clock drifts. Its timestamps are not bent back to ours: the line
                                  follows the source, so that nothing jumps at a switch after an hour's call.
"""

from __future__ import annotations

_MASK = 0xFFFFFFFF


class SourceClock:
    """When a publisher's timestamps were captured, in the server's time; nothing until its first sender report."""

    __slots__ = ("pair",)

    def __init__(self) -> None:
        self.pair: tuple[int, float] | None = None  # (RTP timestamp, captured at)

    def captured_at(self, timestamp: int, clock_rate: int) -> float | None:
        if self.pair is None:
            return None
        reported, at_s = self.pair
        return at_s + _signed(timestamp - reported) / clock_rate


class Timeline:
    """The outgoing timestamps of one Slot. `least_advance` (ticks) is what a switch moves on at least: receivers
    take a timestamp twice for one frame, and an audio packet that begins inside the last one for a late one."""

    def __init__(self, first_timestamp: int, clock_rate: int, least_advance: int, tolerance_s: float) -> None:
        """`tolerance_s`: how far sender reports may be from what arrival times say before they are disbelieved."""
        self._first = first_timestamp
        self._clock_rate = clock_rate
        self._least_advance = least_advance
        self._tolerance = round(tolerance_s * clock_rate)
        self._offset = 0  # outgoing minus incoming timestamp, in this stretch
        self._ahead = 0  # by how much this stretch had to be put off; the next switch takes it back
        self._clock = SourceClock()  # of the source of this stretch
        self._anchor: tuple[int, float] | None = None  # where this stretch began, for as long as the clock is silent
        self._newest: tuple[int, float] | None = None  # (highest timestamp sent, when its packet had arrived)

    def begin(self, timestamp: int, arrived_at: float, clock: SourceClock) -> int:
        """Starts a stretch with this packet of another source; returns its outgoing timestamp."""
        captured_at = clock.captured_at(timestamp, self._clock_rate)
        if captured_at is None:
            captured_at = arrived_at
        out = self._continue(captured_at, arrived_at)
        self._offset = out - timestamp
        self._clock = clock
        self._anchor = (out, captured_at)
        self._newest = (out, arrived_at)
        return out

    def map(self, timestamp: int, arrived_at: float) -> int:
        """The outgoing timestamp of another packet of this stretch."""
        out = (timestamp + self._offset) & _MASK
        if self._newest is None or _signed(out - self._newest[0]) > 0:
            self._newest = (out, arrived_at)
        return out

    @property
    def newest(self) -> int:
        """The highest timestamp sent, or what the first one will be."""
        return self._first & _MASK if self._newest is None else self._newest[0]

    def is_idle(self, since: float) -> bool:
        """Nothing that has arrived since then has left."""
        return self._newest is None or self._newest[1] < since

    def pair(self) -> tuple[int, float] | None:
        """A point of the line: (outgoing timestamp, when it was captured). `None` before the first packet."""
        if self._anchor is None or self._clock.pair is None:
            return self._anchor
        reported, at_s = self._clock.pair
        return (reported + self._offset) & _MASK, at_s

    def describe(self) -> dict[str, object]:
        point = self.pair()
        return {
            "offset": self._offset,
            "ahead": self._ahead,
            "pair": None if point is None else {"timestamp": point[0], "at_s": point[1]},
        }

    def _continue(self, captured_at: float, arrived_at: float) -> int:
        point = self.pair()
        if point is None or self._newest is None:
            return self._first & _MASK
        newest, newest_arrived_at = self._newest
        by_arrival = round((arrived_at - newest_arrived_at) * self._clock_rate)
        advance = _signed(point[0] - self._ahead - newest) + round((captured_at - point[1]) * self._clock_rate)
        if abs(advance - by_arrival) > self._tolerance:
            advance = by_arrival  # a publisher may report what it likes; it shall not move the next one's timestamps
        self._ahead = max(0, self._least_advance - advance)
        return (newest + advance + self._ahead) & _MASK


def _signed(difference: int) -> int:
    """A difference of 32 bit timestamps, the shorter way round."""
    return ((difference + 0x80000000) & _MASK) - 0x80000000
