"""RTP time of one SSRC on the session's clock.

    sender reports ─► sfu/core/timeline.PublisherClock ─► readings: this RTP time was captured then ─┐
    arrivals ─► least of (arrival - RTP time), until there are readings ─────────────────────────────┴─► one line

One `PublisherClock` serves all SSRCs of a sender, which keeps sound and picture together. A line is believed as long as
it says that frames were captured shortly before they arrived. An RTP time that jumps would be captured in the future,
or before the frame that was sent first: then a new line begins at the arrival, and readings of the old one are refused.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

# A capture after the arrival: how far clocks and least delays may be mistaken.
_FUTURE_S = 0.25
# A capture so long before its arrival is no queue any more, when a new reading claims it.
_PAST_S = 5.0
# Backwards, from one frame to the next: more is no reordering of B-frames, which nobody sends here.
_BACKWARDS_S = 0.25
# After a leap: how far a reading may be from the line that arrivals have drawn, and how many that are not are refused.
_AGREE_S = 0.5
_MOST_CONTRADICTIONS = 5
# Arrivals that compete for the least delay, and how fast a line made of them may follow: as sfu/core/timeline.py.
_WINDOW_S = 30.0
_MAX_SLEW = 0.005
_SETTLING_S = 5.0


@dataclass(frozen=True, slots=True)
class ClockJump:
    """At `at_s` the RTP time leapt by `by_s` against the session's clock."""

    at_s: float
    by_s: float


@dataclass(slots=True)
class ClockFigures:
    """What a manifest says of a clock. `drift_ppm`: how much faster the sender's clock runs than the session's."""

    clock_rate: int
    readings: int = 0
    refused: int = 0
    jumps: list[ClockJump] = field(default_factory=list)
    drift_ppm: float | None = None


class StreamClock:
    """One SSRC. `timestamp`s are unwrapped."""

    def __init__(self, clock_rate: int, figures: ClockFigures) -> None:
        self._rate = clock_rate
        self.figures = figures
        self._anchor: tuple[int, float] | None = None
        self._last: tuple[int, float, float] | None = None  # timestamp, arrival, captured
        self.has_reading = False
        self._least: deque[tuple[float, float]] = deque()  # (arrival, arrival - RTP time), ascending in both
        self._began_s: float | None = None
        self._slewed_at_s = 0.0
        self._drift = _Drift()
        self._contradictions = 0  # how many more readings may be refused for not fitting a new line
        self._latest_seen: tuple[int, float] | None = None

    def on_arrival(self, timestamp: int, arrived_at_s: float) -> None:
        """Each packet, as it comes in; before its frame is asked for."""
        if self._latest_seen is None or timestamp > self._latest_seen[0]:
            self._latest_seen = (timestamp, arrived_at_s)
        if self.has_reading:
            return
        sample = arrived_at_s - timestamp / self._rate
        if self._began_s is None:
            self._began_s = self._slewed_at_s = arrived_at_s
        while self._least and self._least[0][0] < arrived_at_s - _WINDOW_S:
            self._least.popleft()
        while self._least and self._least[-1][1] >= sample:
            self._least.pop()
        self._least.append((arrived_at_s, sample))

    def on_reading(self, rtp_timestamp: int, at_s: float) -> None:
        """The RTP timestamp (32 bits) was captured at `at_s`."""
        if self._latest_seen is None:
            return
        latest, arrived_at_s = self._latest_seen
        timestamp = latest + (rtp_timestamp - latest + (1 << 31)) % (1 << 32) - (1 << 31)
        delay_s = arrived_at_s - (at_s + (latest - timestamp) / self._rate)
        if not -_FUTURE_S <= delay_s <= _PAST_S or self._is_of_the_line_before(timestamp, at_s):
            self.figures.refused += 1
            return
        self.figures.readings += 1
        self._anchor = (timestamp, at_s)
        self.has_reading = True
        self._drift.add(timestamp / self._rate, at_s)
        self.figures.drift_ppm = self._drift.ppm()

    def _is_of_the_line_before(self, timestamp: int, at_s: float) -> bool:
        """After a leap, what contradicts the new line; but not for ever, as its arrivals may have waited."""
        if not self._contradictions or self._anchor is None or abs(self._on_line(timestamp) - at_s) <= _AGREE_S:
            self._contradictions = 0
            return False
        self._contradictions -= 1
        return True

    def captured_s(self, timestamp: int, arrived_at_s: float) -> float:
        """When the frame was captured. Ask in the order of sending."""
        if not self.has_reading:
            self._follow_arrivals(arrived_at_s)
        if self._anchor is None:
            self._anchor = (timestamp, arrived_at_s)
        captured_s = self._on_line(timestamp)
        backwards = self._last is not None and captured_s < self._last[2] - _BACKWARDS_S
        if captured_s > arrived_at_s + _FUTURE_S or backwards:
            captured_s = self._begin_anew(timestamp, arrived_at_s, captured_s)
        self._last = (timestamp, arrived_at_s, captured_s)
        return captured_s

    def _on_line(self, timestamp: int) -> float:
        assert self._anchor is not None
        return self._anchor[1] + (timestamp - self._anchor[0]) / self._rate

    def _follow_arrivals(self, now: float) -> None:
        if not self._least or self._began_s is None:
            return
        timestamp = 0 if self._anchor is None else self._anchor[0]
        target_s = self._least[0][1] + timestamp / self._rate
        if self._anchor is None or now < self._began_s + _SETTLING_S:
            self._anchor = (timestamp, target_s)
        else:
            most = _MAX_SLEW * max(0.0, now - self._slewed_at_s)
            step = min(most, max(-most, target_s - self._anchor[1]))
            self._anchor = (timestamp, self._anchor[1] + step)
        self._slewed_at_s = now

    def _begin_anew(self, timestamp: int, arrived_at_s: float, captured_s: float) -> float:
        """Arrivals of the new line say where it lies, until a report does. What came before is forgotten."""
        at_s = arrived_at_s
        if self._last is not None:  # not before the frame before it
            at_s = max(at_s, self._last[2])
        self.figures.jumps.append(ClockJump(at_s, captured_s - at_s))
        self._anchor = (timestamp, at_s)
        self._least.clear()
        self._least.append((arrived_at_s, at_s - timestamp / self._rate))
        self._began_s = self._slewed_at_s = arrived_at_s
        self.has_reading = False
        self._drift = _Drift()
        self._contradictions = _MOST_CONTRADICTIONS
        self._latest_seen = (timestamp, arrived_at_s)
        return at_s


class _Drift:
    """Least squares through (RTP seconds, session seconds), with running sums."""

    _LEAST_SPAN_S = 10.0  # below, jitter is all there is to see

    def __init__(self) -> None:
        self._origin: tuple[float, float] | None = None
        self._count = 0
        self._sum_x = self._sum_y = self._sum_xx = self._sum_xy = 0.0
        self._span_s = 0.0

    def add(self, rtp_s: float, session_s: float) -> None:
        if self._origin is None:
            self._origin = (rtp_s, session_s)
        x = session_s - self._origin[1]
        y = (rtp_s - self._origin[0]) - x  # the difference alone: precision
        self._count += 1
        self._sum_x += x
        self._sum_y += y
        self._sum_xx += x * x
        self._sum_xy += x * y
        self._span_s = max(self._span_s, x)

    def ppm(self) -> float | None:
        spread = self._count * self._sum_xx - self._sum_x**2
        if self._span_s < self._LEAST_SPAN_S or spread <= 0:
            return None
        return 1e6 * (self._count * self._sum_xy - self._sum_x * self._sum_y) / spread
