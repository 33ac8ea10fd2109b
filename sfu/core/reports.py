"""Sender and receiver reports of one Transport: when, what goes into which compound, and what comes back.

    every second or so (RFC 3550 §6.3, jittered so that a room's reports do not all come in one burst):
    SR(slot) SR(slot) … SDES      one report per Slot that sends, on its own time line
    RR(blocks) SDES               for what this Transport publishes, if it has no Slot to put the blocks into

The NTP time we state is the server's: wall clock at start plus monotonic time, so that it never jumps. Round-trip
times come from the reports that answer ours (§6.4.1, A.8). Other feedback (NACK, PLI, transport-cc) goes out by
itself, reduced in size (RFC 5506).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from sfu.wire import rtcp
from sfu.wire.rtcp import ReceiverReport, ReportBlock, SenderReport, SourceDescription

if TYPE_CHECKING:
    from sfu.plane.interface import SlotTransmission

# A Slot that has just begun to send is reported soon: until then its receiver cannot put sound and picture together.
FIRST_REPORT_S = 0.1
# Below the 1200 bytes that every path carries, with room for SRTCP's tag and index.
MAX_COMPOUND_BYTES = 1100
MOST_BLOCKS = 31  # five bits of count
DESCRIPTIONS = 4096  # that are kept packed: those of 2000 subscribers to a picture and a sound, 100 bytes each
# A round trip above this is an answer to a report of another life.
MAX_RTT_S = 10.0


class ServerClock:
    """The server's monotonic time as NTP time."""

    def __init__(self, unix_at_zero_s: float) -> None:
        """`unix_at_zero_s`: what Unix time was when monotonic time was 0; read once, at start."""
        self._unix_at_zero_s = unix_at_zero_s

    def ntp(self, now: float) -> int:
        return rtcp.ntp_from_unix(self._unix_at_zero_s + now)


class ReportSchedule:
    """When one Transport reports next."""

    def __init__(self, random: Callable[[], float], interval_s: float, round_s: float) -> None:
        """`random` gives uniform numbers from 0 to 1. Due at multiples of `round_s`, together with others."""
        self._random = random
        self._interval_s = interval_s
        self._round_s = round_s
        self._due_at: float | None = None

    def start(self, now: float) -> None:
        """There is something to report from now on."""
        if self._due_at is None:
            self._due_at = self._in_round(now + self._interval_s * self._random())

    def hasten(self, now: float) -> None:
        """A Slot has begun to send."""
        soon = now + FIRST_REPORT_S
        self._due_at = soon if self._due_at is None else min(soon, self._due_at)

    def next_timeout(self) -> float | None:
        return self._due_at

    def on_timeout(self, now: float) -> bool:
        """Whether to report now; if so, the next time is settled too."""
        if self._due_at is None or now < self._due_at:
            return False
        self._due_at = self._in_round(now + self._interval_s * (0.5 + self._random()))
        return True

    def _in_round(self, at: float) -> float:
        return round(at / self._round_s) * self._round_s


def sender_report(
    ssrc: int, clock_rate: int, transmission: SlotTransmission, ntp_time: int, now: float
) -> SenderReport | None:
    """Of what left through one Slot until `now`, which is `ntp_time`. `None` before its time line is fixed, that is
    before its first packet."""
    if transmission.timestamp_at_s is None:
        return None
    timestamp, at_s = transmission.timestamp_at_s
    return SenderReport(
        ssrc,
        ntp_time,
        (timestamp + round((now - at_s) * clock_rate)) & 0xFFFF_FFFF,
        transmission.packets & 0xFFFF_FFFF,
        transmission.octets & 0xFFFF_FFFF,
    )


def compounds(reports: Sequence[SenderReport], blocks: Sequence[ReportBlock], own_ssrc: int, cname: str) -> list[bytes]:
    """The reports of one Transport in as few datagrams as they fit. Each begins with a report and names its sources."""
    groups: list[bytes] = []
    left = list(blocks)
    for report in reports:
        if left:
            report, left = report._replace(blocks=tuple(left[:MOST_BLOCKS])), left[MOST_BLOCKS:]
        groups.append(report.pack() + _description(report.ssrc, cname))
    while left:
        groups.append(ReceiverReport(own_ssrc, tuple(left[:MOST_BLOCKS])).pack() + _description(own_ssrc, cname))
        left = left[MOST_BLOCKS:]
    datagrams: list[bytes] = []
    for packed in groups:
        if datagrams and len(datagrams[-1]) + len(packed) <= MAX_COMPOUND_BYTES:
            datagrams[-1] += packed
        else:
            datagrams.append(packed)
    return datagrams


@lru_cache(DESCRIPTIONS)
def _description(ssrc: int, cname: str) -> bytes:
    """The same in each report."""
    return SourceDescription(ssrc, cname).pack()


def round_trip_s(block: ReportBlock, ntp_now: int) -> float | None:
    """From a report block about one of our SSRCs; `None` if it answers no report of ours."""
    if block.lsr == 0:
        return None
    rtt = (rtcp.ntp_middle32(ntp_now) - block.lsr - block.dlsr) & 0xFFFF_FFFF
    if rtt >= 1 << 31:  # a little below zero: their clock's rounding
        return 0.0 if (1 << 32) - rtt < 65536 // 100 else None
    return rtt / 65536 if rtt <= MAX_RTT_S * 65536 else None


class RoundTrip:
    """A smoothed round-trip time (RFC 6298 §2: an eighth of each new sample)."""

    def __init__(self) -> None:
        self.rtt_s: float | None = None

    def on_sample(self, rtt_s: float) -> None:
        self.rtt_s = rtt_s if self.rtt_s is None else self.rtt_s + (rtt_s - self.rtt_s) / 8
