"""One SSRC that we receive: puts packets in order, knows what is missing, when to ask for it and when to go on.

    packet ─► in order? ──yes──► out, with all that waited behind it
                 │ no: wait; ask by NACK after REORDERING_S, again each round trip
                 └─► after `wait_s` the hole is given up: what waits goes out, and its reader sees the numbers jump

Sans I/O, as `now` is an argument. Knows nothing of frames.
"""

from __future__ import annotations

from dataclasses import dataclass

from sfu.core.types import Kind
from sfu.wire import rtx
from sfu.wire.rtcp import ReportBlock, SenderReport, ntp_middle32
from sfu.wire.rtp import MalformedRtp, RtpHeader
from sfu.wire.serial import Unwrapper

REORDERING_S = 0.01  # a packet that comes this late was overtaken, not lost
NACK_REPEAT_S = 0.05  # about a round trip, and more than the server needs between two answers to the same question
VIDEO_WAIT_S = 0.5  # several requests and a round trip each; then a key frame is the better cure
AUDIO_WAIT_S = 0.06  # no NACK for audio: only for packets that overtook one another
LONGEST_GAP = 512  # packets; more is a restart of the sender, which nobody has to make up for


@dataclass(slots=True)
class ReceivedPacket:
    """`sequence_number` and `timestamp` are unwrapped; `recovered`: it came as a retransmission."""

    sequence_number: int
    timestamp: int
    marker: bool
    payload_type: int
    payload: bytes
    extensions: dict[int, bytes]
    at_s: float
    recovered: bool = False


@dataclass(slots=True)
class _Missing:
    since_s: float
    ask_at_s: float
    asked: int = 0


class ReceivedStream:
    """Counters only grow: `packets` are distinct ones, `recovered` those of them that came through RTX,
    `abandoned` those that nobody waits for any more."""

    def __init__(self, ssrc: int, kind: Kind, clock_rate: int, *, rtx_ssrc: int | None = None) -> None:
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.clock_rate = clock_rate
        self.packets = 0
        self.octets = 0
        self.recovered = 0
        self.duplicates = 0
        self.abandoned = 0
        self.nacked = 0
        self._wait_s = VIDEO_WAIT_S if kind == "video" else AUDIO_WAIT_S
        self._asks = kind == "video" and rtx_ssrc is not None
        self._sequence = Unwrapper()
        self._timestamps = Unwrapper(32)
        self._next: int | None = None  # the number that goes out next
        self._waiting: dict[int, ReceivedPacket] = {}
        self._missing: dict[int, _Missing] = {}
        self._payload_type = 0
        self._reception = _Reception()

    def on_packet(self, header: RtpHeader, packet: bytes, now: float) -> list[ReceivedPacket]:
        """A packet of this SSRC; returns what is now in order."""
        self._payload_type = header.payload_type
        payload = packet[header.payload_offset : header.payload_end]
        self._reception.on_packet(header.timestamp, self.clock_rate, now)
        return self._accept(header.sequence_number, payload, header, now, recovered=False)

    def on_retransmission(self, header: RtpHeader, packet: bytes, now: float) -> list[ReceivedPacket]:
        """A packet of our RTX SSRC; padding and what was not missing give nothing."""
        try:
            number, payload = rtx.unwrap(packet[header.payload_offset : header.payload_end])
        except MalformedRtp:
            return []
        return self._accept(number, payload, header, now, recovered=True)

    def on_sender_report(self, report: SenderReport, now: float) -> None:
        self._reception.last_report = (report, now)

    def next_timeout(self) -> float | None:
        if not self._missing:
            return None
        due = (
            min(missing.since_s + self._wait_s, missing.ask_at_s) if self._asks else missing.since_s + self._wait_s
            for missing in self._missing.values()
        )
        return min(due)

    def on_timeout(self, now: float) -> list[ReceivedPacket]:
        """Gives up holes that are too old; returns what waited behind them."""
        given_up = [number for number, missing in self._missing.items() if missing.since_s + self._wait_s <= now]
        for number in given_up:
            del self._missing[number]
            self.abandoned += 1
        return self._release()

    def due_nacks(self, now: float) -> list[int]:
        """16 bit numbers to ask for now, in order; each is then not due again for a while."""
        if not self._asks:
            return []
        numbers = []
        for number, missing in sorted(self._missing.items()):
            if missing.ask_at_s <= now:
                missing.ask_at_s = now + NACK_REPEAT_S
                missing.asked += 1
                numbers.append(number & 0xFFFF)
        self.nacked += len(numbers)
        return numbers

    @property
    def lost(self) -> int:
        """Numbers that never arrived, on their own or as a retransmission; those still waited for included."""
        if self._reception.first is None or self._sequence.highest is None:
            return 0
        return self._sequence.highest - self._reception.first + 1 - self.packets

    def sender_report(self) -> SenderReport | None:
        """The last one: which NTP time an RTP timestamp has."""
        last = self._reception.last_report
        return None if last is None else last[0]

    def report_block(self, now: float) -> ReportBlock | None:
        """`None` before the first packet. Retransmissions do not count as received (RFC 4588 §7.1)."""
        first, highest = self._reception.first, self._sequence.highest
        if first is None or highest is None:
            return None
        return self._reception.block(self.ssrc, first, highest, self.packets - self.recovered, now)

    def _accept(
        self, number: int, payload: bytes, header: RtpHeader, now: float, *, recovered: bool
    ) -> list[ReceivedPacket]:
        previous = self._sequence.highest
        if recovered and previous is None:
            return []  # nothing arrived yet that it could repair
        unwrapped = self._sequence.unwrap(number)
        if self._reception.first is None or previous is None:
            self._reception.first = unwrapped
            self._next = unwrapped
        elif unwrapped > previous + 1:
            self._on_gap(previous + 1, unwrapped, now)
        if unwrapped < (self._next or 0) or unwrapped in self._waiting:
            self.duplicates += 1
            return []
        self._missing.pop(unwrapped, None)
        self.packets += 1
        self.octets += len(payload)
        self.recovered += recovered
        timestamp = self._timestamps.unwrap(header.timestamp)
        self._waiting[unwrapped] = ReceivedPacket(
            unwrapped, timestamp, header.marker, self._payload_type, payload, header.extensions, now, recovered
        )
        return self._release()

    def _on_gap(self, first: int, end: int, now: float) -> None:
        if end - first > LONGEST_GAP:
            self._missing.clear()
            self._waiting.clear()
            self._next = end
            self.abandoned += end - first
            return
        for number in range(first, end):
            self._missing[number] = _Missing(now, now + REORDERING_S)

    def _release(self) -> list[ReceivedPacket]:
        out: list[ReceivedPacket] = []
        if self._next is None:
            return out
        while self._waiting:
            packet = self._waiting.pop(self._next, None)
            if packet is not None:
                out.append(packet)
            elif self._next in self._missing:
                break
            self._next += 1
        return out


class _Reception:
    """What report blocks are made of (RFC 3550 §6.4.1, A.3, A.8)."""

    __slots__ = ("_expected_before", "_jitter", "_received_before", "_transit", "first", "last_report")

    def __init__(self) -> None:
        self.first: int | None = None
        self.last_report: tuple[SenderReport, float] | None = None
        self._jitter = 0.0
        self._transit: float | None = None
        self._expected_before = 0
        self._received_before = 0

    def on_packet(self, timestamp: int, clock_rate: int, now: float) -> None:
        transit = now * clock_rate - timestamp
        if self._transit is not None:
            # A wrapped timestamp would show as a difference of hours; it is one sample of noise less.
            difference = abs(transit - self._transit)
            if difference < 1 << 31:
                self._jitter += (difference - self._jitter) / 16
        self._transit = transit

    def block(self, ssrc: int, first: int, highest: int, received: int, now: float) -> ReportBlock:
        expected = highest - first + 1
        expected_now = expected - self._expected_before
        lost_now = expected_now - (received - self._received_before)
        self._expected_before, self._received_before = expected, received
        fraction = min(255, max(0, lost_now) * 256 // expected_now) if expected_now > 0 else 0
        lsr = dlsr = 0
        if self.last_report is not None:
            report, at_s = self.last_report
            lsr = ntp_middle32(report.ntp_time)
            dlsr = round((now - at_s) * 65536) & 0xFFFF_FFFF
        return ReportBlock(ssrc, fraction, expected - received, highest & 0xFFFF_FFFF, round(self._jitter), lsr, dlsr)
