"""Reports of one Transport, both ways (RFC 3550 §6.4): ours about what it sends and is sent, and what it says of that.

Slots, layers ─► compounds ─► SR, RR, SDES          `sfu/core/reports.py` puts them together
reports in ─┬► sender reports: named in the next block about that layer
            └► blocks about Slots ─► take: the newest of each

When to report is Python's decision; receivers' reports, which come once a second from everybody, decide nothing and end
here. Sender reports go up besides: `sfu/core/timeline.py` reads the publisher's clock from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfu.core.report_blocks import BLOCK, BlockRow
from sfu.core.reports import compounds
from sfu.plane.interface import LONGEST_CNAME_BYTES
from sfu.wire.rtcp import ReceiverReport, ReportBlock, SenderReport

if TYPE_CHECKING:
    from sfu.plane.fallback.transport import Transport


class Reporting:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.ssrc = 0
        self._cname = ""
        self._blocks: dict[int, BlockRow] = {}  # by Slot

    def set_reporter(self, ssrc: int, cname: str) -> None:
        if len(cname.encode()) > LONGEST_CNAME_BYTES:
            raise ValueError(f"a CNAME of more than {LONGEST_CNAME_BYTES} bytes")
        self.ssrc, self._cname = ssrc, cname

    def compounds(self, ntp_time: int, now: float) -> list[bytes]:
        reports = [slot.report(ntp_time, now) for slot in self._transport.slots.values()]
        blocks = [
            layer.reported.block(reception, now)
            for track in self._transport.tracks.values()
            for layer in track.layers
            if (reception := layer.report()) is not None
        ]
        return compounds([report for report in reports if report is not None], blocks, self.ssrc, self._cname)

    def on_reports(self, reports: Sequence[SenderReport | ReceiverReport], now: float) -> bool:
        """Whether any of it is about a Slot."""
        about_slots = False
        for report in reports:
            if isinstance(report, SenderReport):
                source = self._transport.sources.get(report.ssrc)
                if source is not None and source.layer is not None and not source.rtx:
                    source.layer.reported.on_sender_report(report.ntp_time, now)
            for block in report.blocks:
                about_slots |= self._note(block, now)
        return about_slots

    def take(self) -> list[BlockRow]:
        taken, self._blocks = self._blocks, {}
        return [taken[slot] for slot in self._transport.slots if slot in taken]

    def _note(self, block: ReportBlock, now: float) -> bool:
        for slot in self._transport.slots.values():
            if slot.spec.ssrc == block.ssrc:
                self._blocks[slot.id] = (self._transport.id, slot.id, now, *block)
                return True
        return False


def poll_reports(reported_on: dict[Transport, None]) -> NDArray[Any]:
    """Of all that have any; who was asked is taken out."""
    transports = sorted(reported_on, key=lambda transport: transport.id)
    reported_on.clear()
    return np.array([row for transport in transports for row in transport.reporting.take()], BLOCK)
