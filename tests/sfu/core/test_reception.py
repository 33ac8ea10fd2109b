"""Report blocks to publishers, checked against the words of RFC 3550 §6.4.1 and A.3."""

from __future__ import annotations

import pytest

from sfu.core.reception import ReceptionReport
from sfu.plane.interface import LayerReception
from sfu.wire.rtcp import ntp_from_unix, ntp_middle32


def reception(first: int, highest: int, packets: int, jitter: float = 0.0) -> LayerReception:
    return LayerReception(
        layer=0,
        ssrc=7,
        rtx_ssrc=None,
        packets=packets,
        bytes=0,
        first_sequence_number=first,
        highest_sequence_number=highest,
        jitter=jitter,
        last_at_s=0.0,
    )


# (highest, packets) at each report of a stream that began at 65530; then the fraction in 1/256 and the total lost
CASES = [
    ((65629, 100), 0, 0),
    ((65729, 175), 64, 25),  # a quarter of the last hundred
    ((65829, 300), 0, 0),  # the missing ones and a few more came late: negative, so 0
    ((65829, 300), 0, 0),  # nothing was expected
    ((65929, 300), 255, 100),  # all lost: the field cannot say 256/256
    ((65939, 311), 0, 99),
]


def test_fractions_count_from_report_to_report_and_totals_from_the_start() -> None:
    report = ReceptionReport()
    for (highest, packets), fraction, lost in CASES:
        block = report.block(reception(65530, highest, packets), now=0.0)
        assert (block.fraction_lost, block.packets_lost) == (fraction, lost)
        assert block.highest_sequence == highest  # the cycles are its upper 16 bits


def test_names_the_last_sender_report_and_the_delay_since() -> None:
    report = ReceptionReport()
    assert report.block(reception(1, 1, 1), now=1.0).lsr == 0
    ntp = ntp_from_unix(1_700_000_000.5)
    report.on_sender_report(ntp, arrival_s=10.0)
    block = report.block(reception(1, 1, 1, jitter=12.9), now=10.5)
    assert (block.lsr, block.dlsr, block.jitter) == (ntp_middle32(ntp), 32768, 12)


@pytest.mark.parametrize("packets", [0, 1, 1 << 30])
def test_extremes_still_pack(packets: int) -> None:
    block = ReceptionReport().block(reception(-5, 1 << 33, packets, jitter=1e12), now=0.0)
    assert len(block.pack()) == 24
