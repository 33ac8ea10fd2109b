"""When a Transport reports, what a sender report states, and the round trips that come back."""

from __future__ import annotations

import itertools
import random

import pytest

from sfu.core.reports import (
    FIRST_REPORT_S,
    MAX_COMPOUND_BYTES,
    ReportSchedule,
    RoundTrip,
    ServerClock,
    compounds,
    round_trip_s,
    sender_report,
)
from sfu.plane.interface import SlotTransmission
from sfu.wire import rtcp
from sfu.wire.rtcp import ReceiverReport, ReportBlock, SenderReport, SourceDescription

CLOCK = ServerClock(unix_at_zero_s=1_700_000_000.0)


def block(ssrc: int, lsr: int = 0, dlsr: int = 0) -> ReportBlock:
    return ReportBlock(ssrc, 0, 0, 0, 0, lsr, dlsr)


def transmission(timestamp_at_s: tuple[int, float] | None, packets: int = 5) -> SlotTransmission:
    return SlotTransmission(None, None, packets, 5000, 0, timestamp_at_s)


def test_reports_come_every_second_or_so_and_not_in_step() -> None:
    schedule = ReportSchedule(random.Random(3).random, interval_s=1.0, round_s=0.25)
    assert schedule.next_timeout() is None and not schedule.on_timeout(5.0)
    schedule.start(now=0.0)
    times = []
    while (at := schedule.next_timeout()) is not None and at < 100.0:
        assert not schedule.on_timeout(at - 0.001)
        assert schedule.on_timeout(at)
        times.append(at)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps) >= 0.5 and max(gaps) <= 1.5 and 90 < len(times) < 110
    assert set(gaps) == {0.5, 0.75, 1.0, 1.25, 1.5}  # in rounds, with others, but not always with the same


def test_a_slot_that_begins_to_send_hastens_the_report() -> None:
    schedule = ReportSchedule(lambda: 0.9, interval_s=1.0, round_s=0.25)
    schedule.hasten(now=1.0)
    assert schedule.next_timeout() == 1.0 + FIRST_REPORT_S
    schedule.on_timeout(1.0 + FIRST_REPORT_S)
    schedule.hasten(now=1.2)
    assert schedule.next_timeout() == 1.2 + FIRST_REPORT_S
    schedule.start(now=1.2)
    assert schedule.next_timeout() == 1.2 + FIRST_REPORT_S


def test_a_sender_report_pairs_the_servers_time_with_the_slots_own_line() -> None:
    report = sender_report(9, 90_000, transmission((0xFFFF_FFF0, 10.0)), CLOCK.ntp(10.5), now=10.5)
    assert report == SenderReport(9, rtcp.ntp_from_unix(1_700_000_010.5), 45_000 - 16, 5, 5000)
    assert sender_report(9, 90_000, transmission(None, packets=0), CLOCK.ntp(1.0), now=1.0) is None


def test_blocks_ride_on_sender_reports_and_overflow_into_receiver_reports() -> None:
    blocks = [block(ssrc) for ssrc in range(40)]
    (datagram,) = compounds([SenderReport(9, 1, 2, 3, 4)], blocks[:3], own_ssrc=1, cname="us")
    assert rtcp.parse(datagram).packets == (SenderReport(9, 1, 2, 3, 4, tuple(blocks[:3])), SourceDescription(9, "us"))
    packets = [
        packet
        for datagram in compounds([SenderReport(9, 1, 2, 3, 4)], blocks, own_ssrc=1, cname="us")
        for packet in rtcp.parse(datagram).packets
    ]
    assert [type(packet) for packet in packets] == [
        SenderReport,
        SourceDescription,
        ReceiverReport,
        SourceDescription,
    ]
    assert [len(p.blocks) for p in packets if isinstance(p, SenderReport | ReceiverReport)] == [31, 9]
    assert compounds([], [], own_ssrc=1, cname="us") == []


@pytest.mark.parametrize("slots", [1, 19, 60])
def test_each_datagram_is_a_compound_of_its_own_and_fits(slots: int) -> None:
    reports = [SenderReport(ssrc, 1, 2, 3, 4) for ssrc in range(100, 100 + slots)]
    datagrams = compounds(reports, [block(n) for n in range(80)], own_ssrc=1, cname="0123456789abcdef")
    seen = []
    for datagram in datagrams:
        assert len(datagram) <= MAX_COMPOUND_BYTES
        parsed = rtcp.parse(datagram)
        assert parsed.malformed == 0
        assert isinstance(parsed.packets[0], SenderReport | ReceiverReport)
        assert any(isinstance(packet, SourceDescription) for packet in parsed.packets)
        seen += [p.ssrc for p in parsed.packets if isinstance(p, SenderReport)]
    assert seen == [report.ssrc for report in reports]


# RFC 3550 §6.4.1, figure 2: A = 0xb710:8000, DLSR = 0x0005:4000, LSR = 0xb705:2000; the round trip is 6.125 s
@pytest.mark.parametrize(
    ("lsr", "dlsr", "now_middle", "expected"),
    [
        (0xB705_2000, 0x0005_4000, 0xB710_8000, 6.125),
        (0xFFFF_0000, 0x0000_8000, 0x0000_0000, 0.5),  # across the wrap
        (0, 0x0000_8000, 0x0000_9000, None),  # has heard no report
        (0xB705_2000, 0x0005_4000, 0xB70A_5FF0, 0.0),  # a rounding below zero
        (0xB705_2000, 0x0005_4000, 0xB709_6000, None),  # a second below
        (0x0000_0001, 0, 0x4000_0000, None),  # absurd
    ],
)
def test_round_trips(lsr: int, dlsr: int, now_middle: int, expected: float | None) -> None:
    assert round_trip_s(block(1, lsr, dlsr), now_middle << 16) == expected


def test_round_trips_are_smoothed() -> None:
    trip = RoundTrip()
    trip.on_sample(0.1)
    assert trip.rtt_s == 0.1
    trip.on_sample(0.9)
    assert trip.rtt_s == pytest.approx(0.2)
