"""A publisher's clock on ours: from its sender reports to the server time at which something was captured.

A sender report pairs an RTP timestamp with the publisher's NTP clock. All streams of one Transport share that clock,
so one offset per Transport keeps them in step with each other:

    offset = least of (arrival - NTP time) over the last reports     the report that waited least on its way
    captured at = NTP time + offset                                  late by the shortest way here, for all alike

The offset follows the publisher's drift, but slowly: a jump would tear sound from picture. A clock that is set
anew, or a report that contradicts the last, is believed when the next one agrees with it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

# Reports that compete for the least delay. Crystals drift 100 ppm at worst: 3 ms in this time.
WINDOW_S = 30.0
# How fast the offset may move once settled: above any crystal's drift, below what lip-sync can see.
MAX_SLEW = 0.005  # seconds per second
# While young, the first reports may have waited in a full queue: a better one is taken at once.
SETTLING_S = 5.0
# More than queues delay: the publisher's clock was set, or its machine slept.
JUMP_S = 2.0
# RTP and NTP of one layer may disagree by this from report to report; beyond, its RTP clock was restarted.
RTP_JUMP_S = 0.5
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
class _LayerClock:
    clock_rate: int
    ntp_s: float
    rtp_timestamp: int
    told_offset_s: float | None = None
    suspect: tuple[float, int] | None = None  # a report that did not fit


class PublisherClock:
    """The clock of one publishing Transport."""

    def __init__(self) -> None:
        self.offset_s: float | None = None
        self._origin: int | None = None  # NTP time of the first report: differences keep float precision
        self._samples: deque[tuple[float, float]] = deque()  # (arrival, arrival - NTP)
        self._layers: dict[tuple[int, int], _LayerClock] = {}
        self._settled_at = 0.0
        self._moved_at = 0.0
        self._suspect_offset_s: float | None = None

    def on_sender_report(
        self, track: int, layer: int, clock_rate: int, ntp_time: int, rtp_timestamp: int, arrival_s: float
    ) -> list[ClockReading]:
        """The readings to pass on: of this layer, and of the others if the offset moved noticeably."""
        if ntp_time == 0:  # RFC 3550 §6.4.1: a sender without a clock
            return []
        if self._origin is None:
            self._origin = ntp_time
        ntp_s = _signed64(ntp_time - self._origin) / (1 << 32)
        if not self._accept(arrival_s - ntp_s, arrival_s):
            return []
        key = (track, layer)
        if not self._on_layer_report(key, clock_rate, ntp_s, rtp_timestamp):
            return []
        return [
            self._reading(key, clock)
            for key, clock in self._layers.items()
            if key == (track, layer) or self._has_moved(clock)
        ]

    def forget_layer(self, track: int, layer: int) -> None:
        """The layer has a new SSRC, and with it a new RTP clock; or it is gone."""
        self._layers.pop((track, layer), None)

    def _accept(self, sample_s: float, now: float) -> bool:
        """Take one delay sample and move the offset. False: not to be believed yet."""
        if self.offset_s is None:
            self._restart(sample_s, now)
            return True
        if abs(sample_s - self.offset_s) > JUMP_S:
            suspect, self._suspect_offset_s = self._suspect_offset_s, sample_s
            if suspect is None or abs(sample_s - suspect) > JUMP_S / 4:
                return False
            self._restart(min(sample_s, suspect), now)
            return True
        self._suspect_offset_s = None
        while self._samples and self._samples[0][0] < now - WINDOW_S:
            self._samples.popleft()
        while self._samples and self._samples[-1][1] >= sample_s:
            self._samples.pop()  # older and no better: never the least again
        self._samples.append((now, sample_s))
        step = self._samples[0][1] - self.offset_s
        most = MAX_SLEW * max(0.0, now - self._moved_at)
        if step < 0 and now < self._settled_at:
            most = -step
        self.offset_s += min(most, max(-most, step))
        self._moved_at = now
        return True

    def _restart(self, sample_s: float, now: float) -> None:
        self._samples.clear()
        self._samples.append((now, sample_s))
        self.offset_s = sample_s
        self._suspect_offset_s = None
        self._settled_at = now + SETTLING_S
        self._moved_at = now
        self._layers.clear()

    def _on_layer_report(self, key: tuple[int, int], clock_rate: int, ntp_s: float, rtp_timestamp: int) -> bool:
        clock = self._layers.get(key)
        if clock is None:
            self._layers[key] = _LayerClock(clock_rate, ntp_s, rtp_timestamp)
            return True
        if not _agree(clock_rate, (clock.ntp_s, clock.rtp_timestamp), (ntp_s, rtp_timestamp)):
            suspect, clock.suspect = clock.suspect, (ntp_s, rtp_timestamp)
            if suspect is None or not _agree(clock_rate, suspect, (ntp_s, rtp_timestamp)):
                return False
        clock.suspect = None
        clock.ntp_s, clock.rtp_timestamp = ntp_s, rtp_timestamp
        return True

    def _has_moved(self, clock: _LayerClock) -> bool:
        assert self.offset_s is not None
        return clock.told_offset_s is None or abs(self.offset_s - clock.told_offset_s) > NOTICEABLE_S

    def _reading(self, key: tuple[int, int], clock: _LayerClock) -> ClockReading:
        assert self.offset_s is not None
        clock.told_offset_s = self.offset_s
        return ClockReading(*key, clock.rtp_timestamp, clock.ntp_s + self.offset_s)


def _agree(clock_rate: int, before: tuple[float, int], after: tuple[float, int]) -> bool:
    """Whether NTP and RTP advanced alike between two reports of one layer. Modulo 2**32 ticks, 13 hours of video."""
    expected = round((after[0] - before[0]) * clock_rate)
    difference = (after[1] - before[1] - expected + (1 << 31)) % (1 << 32) - (1 << 31)
    return abs(difference) <= RTP_JUMP_S * clock_rate


def _signed64(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)
