"""A publisher's clock on ours: from its sender reports to the server time at which something was captured.

A sender report pairs an RTP timestamp with the publisher's NTP clock. All streams of one Transport share that clock,
so one offset per Transport keeps them in step with each other:

    offset = least of (arrival - NTP time) over the last reports     the report that waited least on its way
    captured at = NTP time + offset                                  late by the shortest way here, for all alike

Nor do reports of sound say when it was captured: browsers pair an RTP timestamp with the moment at which its packet
was sent, 20 to 40 ms later and another time in each report. So each layer has a line, too:

    line = least of (NTP time - RTP time) over the last pairs            the pair that was made least late
    captured at = RTP time + line + offset

A sender that says when it captured (abs-capture-time) has a pair in some of its packets, and those are hardly late.

Offset and lines follow the publisher's drift, but slowly: a jump would tear sound from picture. A clock that is set
anew, or a report that contradicts the last, is believed when the next one agrees with it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

# Reports that compete for the least delay. Crystals drift 100 ppm at worst: 3 ms in this time.
WINDOW_S = 30.0
# How fast the offset may move once settled: above any crystal's drift, below what lip-sync can see.
MAX_SLEW = 0.005  # seconds per second
# While young, the first reports may have waited in a full queue: a better one is taken at once.
SETTLING_S = 5.0
# More than queues delay: the publisher's clock was set, or its machine slept.
JUMP_S = 2.0
# A pair of RTP and NTP time may be so far from its layer's line: browsers make them up to 60 ms late. Beyond, the RTP
# clock was restarted, or stood still while nothing was captured.
RTP_JUMP_S = 0.1
# A capture time so much after its arrival is of another clock, or a lie: least delays are mistaken by less.
EARLY_S = 0.1
# The offset has moved by so much that the other layers should hear of it before their next report.
NOTICEABLE_S = 0.001


@dataclass(frozen=True, slots=True)
class ClockReading:
    """RTP timestamp `rtp_timestamp` of this layer was captured at `at_s` of the server's clock."""

    track: int
    layer: int
    rtp_timestamp: int
    at_s: float


@dataclass(slots=True)
class _Least:
    """The least of the last samples, followed slowly once it has settled."""

    value: float
    settled_at: float
    moved_at: float
    samples: deque[tuple[float, float]] = field(default_factory=deque)  # (time, sample), ascending in both

    @classmethod
    def of(cls, sample: float, now: float) -> _Least:
        return cls(sample, now + SETTLING_S, now, deque([(now, sample)]))

    def add(self, sample: float, now: float) -> None:
        while self.samples and self.samples[0][0] < now - WINDOW_S:
            self.samples.popleft()
        while self.samples and self.samples[-1][1] >= sample:
            self.samples.pop()  # older and no better: never the least again
        self.samples.append((now, sample))
        step = self.samples[0][1] - self.value
        most = MAX_SLEW * max(0.0, now - self.moved_at)
        if step < 0 and now < self.settled_at:
            most = -step
        self.value += min(most, max(-most, step))
        self.moved_at = now


@dataclass(slots=True)
class _LayerClock:
    """`line`: what is to be added to RTP seconds to get those of the publisher's NTP clock."""

    clock_rate: int
    rtp_timestamp: int  # the last
    ticks: int  # the same, unwrapped
    line: _Least
    told_s: float | None = None  # line and offset
    suspect_s: float | None = None  # where the line would be by a pair that did not fit

    @classmethod
    def of(cls, clock_rate: int, ntp_s: float, rtp_timestamp: int, now: float) -> _LayerClock:
        line = _Least.of(ntp_s - rtp_timestamp / clock_rate, now)
        return cls(clock_rate, rtp_timestamp, rtp_timestamp, line)

    def add(self, ntp_s: float, rtp_timestamp: int, now: float) -> bool:
        """False: it does not fit, and is not to be believed yet."""
        expected = (ntp_s - self.line.value) * self.clock_rate  # ticks; modulo 2**32, 13 hours of video
        ticks = round(expected) + (rtp_timestamp - round(expected) + (1 << 31)) % (1 << 32) - (1 << 31)
        sample_s = ntp_s - ticks / self.clock_rate
        if abs(sample_s - self.line.value) <= RTP_JUMP_S:
            self.line.add(sample_s, now)
            self.suspect_s = None
        elif self.suspect_s is None or abs(sample_s - self.suspect_s) > RTP_JUMP_S:
            self.suspect_s = sample_s
            return False
        else:
            self.line = _Least.of(min(sample_s, self.suspect_s), now)
            self.suspect_s = None
        self.rtp_timestamp, self.ticks = rtp_timestamp, ticks
        return True


class PublisherClock:
    """The clock of one publishing Transport."""

    def __init__(self) -> None:
        self._offset: _Least | None = None  # of (arrival - NTP)
        self._origin = 0  # NTP time of the first report: differences keep float precision
        self._layers: dict[tuple[int, int], _LayerClock] = {}
        self._suspect_offset_s: float | None = None

    @property
    def offset_s(self) -> float | None:
        return None if self._offset is None else self._offset.value

    def on_sender_report(
        self, track: int, layer: int, clock_rate: int, ntp_time: int, rtp_timestamp: int, arrival_s: float
    ) -> list[ClockReading]:
        """The readings to pass on: of this layer, and of the others if the offset moved noticeably."""
        if ntp_time == 0:  # RFC 3550 §6.4.1: a sender without a clock
            return []
        if self._offset is None:
            self._origin = ntp_time
        ntp_s = self._ntp_s(ntp_time)
        if not self._accept(arrival_s - ntp_s, arrival_s):
            return []
        if not self._on_pair((track, layer), clock_rate, ntp_s, rtp_timestamp, arrival_s):
            return []
        return [
            self._reading(key, clock)
            for key, clock in self._layers.items()
            if key == (track, layer) or self._has_moved(clock)
        ]

    def on_capture_time(
        self, track: int, layer: int, clock_rate: int, ntp_time: int, rtp_timestamp: int, arrival_s: float
    ) -> list[ClockReading]:
        """A packet says itself when it was captured, on the clock of the reports; before the first of them it cannot be
        known to be that one. The reading, if it tells anything new."""
        if ntp_time == 0 or self._offset is None:
            return []
        ntp_s, key = self._ntp_s(ntp_time), (track, layer)
        if not -EARLY_S <= arrival_s - self._offset.value - ntp_s <= JUMP_S:
            return []
        if not self._on_pair(key, clock_rate, ntp_s, rtp_timestamp, arrival_s):
            return []
        clock = self._layers[key]
        return [self._reading(key, clock)] if self._has_moved(clock) else []

    def forget_layer(self, track: int, layer: int) -> None:
        """The layer has a new SSRC, and with it a new RTP clock; or it is gone."""
        self._layers.pop((track, layer), None)

    def _ntp_s(self, ntp_time: int) -> float:
        return _signed64(ntp_time - self._origin) / (1 << 32)

    def _accept(self, sample_s: float, now: float) -> bool:
        """Take one delay sample and move the offset. False: not to be believed yet."""
        if self._offset is None:
            self._restart(sample_s, now)
            return True
        if abs(sample_s - self._offset.value) > JUMP_S:
            suspect, self._suspect_offset_s = self._suspect_offset_s, sample_s
            if suspect is None or abs(sample_s - suspect) > JUMP_S / 4:
                return False
            self._restart(min(sample_s, suspect), now)
            return True
        self._suspect_offset_s = None
        self._offset.add(sample_s, now)
        return True

    def _restart(self, sample_s: float, now: float) -> None:
        self._offset = _Least.of(sample_s, now)
        self._suspect_offset_s = None
        self._layers.clear()

    def _on_pair(self, key: tuple[int, int], clock_rate: int, ntp_s: float, rtp_timestamp: int, now: float) -> bool:
        clock = self._layers.get(key)
        if clock is not None:
            return clock.add(ntp_s, rtp_timestamp, now)
        self._layers[key] = _LayerClock.of(clock_rate, ntp_s, rtp_timestamp, now)
        return True

    def _has_moved(self, clock: _LayerClock) -> bool:
        assert self._offset is not None
        return clock.told_s is None or abs(self._offset.value + clock.line.value - clock.told_s) > NOTICEABLE_S

    def _reading(self, key: tuple[int, int], clock: _LayerClock) -> ClockReading:
        assert self._offset is not None
        clock.told_s = self._offset.value + clock.line.value
        return ClockReading(*key, clock.rtp_timestamp, clock.ticks / clock.clock_rate + clock.told_s)


def _signed64(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)
