"""What we tell a publisher about how one of its SSRCs arrives: the report block of RFC 3550 §6.4.1 and A.3.

All layers are reported, also those nobody receives: Chromium goes on putting MID and RID into every packet until it
sees a report for that SSRC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfu.wire.ntp import ntp_middle32
from sfu.wire.rtcp import ReportBlock

if TYPE_CHECKING:
    from sfu.plane.interface import LayerReception


class ReceptionReport:
    """One published SSRC. Make a new one when the SSRC changes."""

    def __init__(self) -> None:
        self._expected_before = 0
        self._received_before = 0
        self._last_sender_report: tuple[int, float] | None = None  # middle 32 bits, arrival

    def on_sender_report(self, ntp_time: int, arrival_s: float) -> None:
        self._last_sender_report = (ntp_middle32(ntp_time), arrival_s)

    def block(self, reception: LayerReception, now: float) -> ReportBlock:
        """The block to send now; the fraction lost counts from the last call."""
        expected = reception.highest_sequence_number - reception.first_sequence_number + 1
        expected_now = expected - self._expected_before
        lost_now = expected_now - (reception.packets - self._received_before)
        self._expected_before, self._received_before = expected, reception.packets
        # Late ones from before the interval can make it negative; A.3 says 0 then.
        fraction = min(255, 256 * lost_now // expected_now) if expected_now > 0 and lost_now > 0 else 0
        lsr, delay_s = 0, 0.0
        if self._last_sender_report is not None:
            lsr = self._last_sender_report[0]
            delay_s = max(0.0, now - self._last_sender_report[1])
        return ReportBlock(
            ssrc=reception.ssrc,
            fraction_lost=fraction,
            packets_lost=expected - reception.packets,
            highest_sequence=reception.highest_sequence_number & 0xFFFF_FFFF,
            jitter=min(int(reception.jitter), 0xFFFF_FFFF),
            lsr=lsr,
            dlsr=min(round(delay_s * 65536), 0xFFFF_FFFF),
        )
