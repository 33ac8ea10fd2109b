"""Transport-cc feedback for what we receive (draft-holmer-rmcat-transport-wide-cc-extensions-01): collects arrivals,
and every 100 ms says which transport-wide sequence numbers came, and when. Without it the sender knows no bandwidth."""

from __future__ import annotations

from sfu.wire import twcc
from sfu.wire.serial import Unwrapper

INTERVAL_S = 0.1  # as Chromium's longest; loopback and demos need no faster estimate


class Arrivals:
    def __init__(self) -> None:
        self._sequence = Unwrapper()
        self._arrived: dict[int, float] = {}
        self._first: int | None = None  # where the next feedback begins
        self._count = 0
        self.due_at_s: float | None = None

    def on_packet(self, sequence_number: int, now: float) -> None:
        number = self._sequence.unwrap(sequence_number)
        if self._first is not None and number < self._first:
            return  # already reported as lost; a late "it came" would need a second, overlapping feedback
        self._arrived.setdefault(number, now)
        if self.due_at_s is None:
            self.due_at_s = now + INTERVAL_S

    def feedback(self, sender_ssrc: int, media_ssrc: int, now: float) -> bytes | None:
        """One packed feedback when it is due, else `None`."""
        if self.due_at_s is None or now < self.due_at_s or not self._arrived:
            return None
        arrivals = sorted(self._arrived.items())
        self._arrived = {}
        self.due_at_s = None
        first = self._first
        self._first = arrivals[-1][0] + 1
        try:
            packed = twcc.build(sender_ssrc, media_ssrc, self._count, arrivals, first)
        except ValueError:
            # After an outage the numbers span more than one feedback may; what was lost in it is old news.
            packed = twcc.build(sender_ssrc, media_ssrc, self._count, arrivals[-1:])
        self._count = (self._count + 1) & 0xFF
        return packed
