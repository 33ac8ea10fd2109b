"""ReceivedStream: order, holes, requests for what is missing, and reports."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sfu.wire import rtp, rtx
from sfu.wire.rtcp import SenderReport, ntp_from_unix, ntp_middle32
from signaling.client.receiving import (
    AUDIO_WAIT_S,
    LONGEST_GAP,
    NACK_REPEAT_S,
    REORDERING_S,
    VIDEO_WAIT_S,
    ReceivedPacket,
    ReceivedStream,
)

SSRC, RTX = 1000, 2000


def video() -> ReceivedStream:
    return ReceivedStream(SSRC, "video", 90_000, rtx_ssrc=RTX)


def feed(stream: ReceivedStream, number: int, now: float = 0.0, timestamp: int = 0) -> list[ReceivedPacket]:
    packet = rtp.build(
        payload_type=96, sequence_number=number & 0xFFFF, timestamp=timestamp, ssrc=SSRC, payload=bytes([number & 0xFF])
    )
    return stream.on_packet(rtp.parse(packet), packet, now)


def feed_rtx(stream: ReceivedStream, number: int, now: float = 0.0) -> list[ReceivedPacket]:
    payload = rtx.wrap(bytes([number & 0xFF]), number & 0xFFFF)
    packet = rtp.build(payload_type=97, sequence_number=7, timestamp=0, ssrc=RTX, payload=payload)
    return stream.on_retransmission(rtp.parse(packet), packet, now)


def numbers(packets: list[ReceivedPacket]) -> list[int]:
    return [packet.sequence_number for packet in packets]


def test_packets_in_order_pass_at_once() -> None:
    stream = video()
    assert [numbers(feed(stream, number)) for number in (65534, 65535, 65536)] == [[65534], [65535], [65536]]
    assert stream.lost == 0


def test_a_hole_holds_back_what_follows_until_it_is_filled() -> None:
    stream = video()
    feed(stream, 10)
    assert feed(stream, 12) == feed(stream, 13) == []
    assert numbers(feed(stream, 11)) == [11, 12, 13]
    assert stream.lost == 0


def test_a_retransmission_fills_a_hole_and_is_marked_as_recovered() -> None:
    stream = video()
    feed(stream, 10)
    feed(stream, 12)
    packets = feed_rtx(stream, 11)
    assert [(packet.sequence_number, packet.recovered) for packet in packets] == [(11, True), (12, False)]
    assert packets[0].payload == b"\x0b"
    assert packets[0].payload_type == 96  # as if it had arrived the first time
    assert stream.recovered == 1


def test_an_older_hole_is_given_up_and_the_numbers_jump() -> None:
    stream = video()
    feed(stream, 10)
    feed(stream, 12, now=1.0)
    assert stream.on_timeout(1.0 + VIDEO_WAIT_S - 0.001) == []
    assert numbers(stream.on_timeout(1.0 + VIDEO_WAIT_S)) == [12]
    assert (stream.abandoned, stream.lost) == (1, 1)
    assert feed(stream, 11, now=2.0) == []  # too late
    assert stream.duplicates == 1


def test_missing_packets_are_asked_for_after_a_while_and_again() -> None:
    stream = video()
    feed(stream, 65535)
    feed(stream, 65538, now=1.0)
    assert stream.due_nacks(1.0) == []
    assert stream.next_timeout() == 1.0 + REORDERING_S
    assert stream.due_nacks(1.0 + REORDERING_S) == [0, 1]
    assert stream.due_nacks(1.0 + REORDERING_S) == []
    feed_rtx(stream, 65537, now=1.02)
    assert stream.due_nacks(1.0 + REORDERING_S + NACK_REPEAT_S) == [0]
    assert stream.nacked == 3


def test_audio_is_not_asked_for_and_waits_shortly() -> None:
    stream = ReceivedStream(SSRC, "audio", 48_000)
    feed(stream, 1)
    feed(stream, 3, now=1.0)
    assert stream.due_nacks(2.0) == []
    assert stream.next_timeout() == 1.0 + AUDIO_WAIT_S
    assert numbers(stream.on_timeout(1.0 + AUDIO_WAIT_S)) == [3]


def test_duplicates_are_counted_and_dropped() -> None:
    stream = video()
    feed(stream, 5)
    feed(stream, 7)
    assert feed(stream, 7) == feed(stream, 5) == feed_rtx(stream, 5) == []
    assert (stream.duplicates, stream.packets) == (3, 2)


def test_a_long_jump_is_a_restart() -> None:
    stream = video()
    feed(stream, 5)
    assert numbers(feed(stream, 5 + LONGEST_GAP + 2)) == [5 + LONGEST_GAP + 2]
    assert stream.next_timeout() is None


def test_a_retransmission_before_anything_else_is_ignored() -> None:
    assert feed_rtx(video(), 5) == []


def test_a_retransmission_too_short_to_be_one_is_ignored() -> None:
    stream = video()
    feed(stream, 5)
    padding = rtp.build(payload_type=97, sequence_number=7, timestamp=0, ssrc=RTX, payload=b"", padding=200)
    assert stream.on_retransmission(rtp.parse(padding), padding, 0.0) == []


def test_report_blocks_count_what_was_lost_since_the_last() -> None:
    stream = video()
    assert stream.report_block(0.0) is None
    for number in (100, 101, 103):
        feed(stream, number)
    feed_rtx(stream, 102)  # a retransmission repairs, but the network did lose it
    block = stream.report_block(1.0)
    assert block is not None
    assert (block.ssrc, block.packets_lost, block.fraction_lost, block.highest_sequence) == (SSRC, 1, 64, 103)
    feed(stream, 104)
    again = stream.report_block(2.0)
    assert again is not None
    assert (again.packets_lost, again.fraction_lost) == (1, 0)


def test_report_blocks_echo_the_last_sender_report() -> None:
    stream = video()
    feed(stream, 1)
    report = SenderReport(SSRC, ntp_from_unix(1e9), 1234, 1, 1)
    stream.on_sender_report(report, now=10.0)
    block = stream.report_block(10.5)
    assert block is not None
    assert (block.lsr, block.dlsr) == (ntp_middle32(report.ntp_time), 32768)
    assert stream.sender_report() == report


def test_jitter_follows_rfc_3550() -> None:
    stream = video()
    for number, late_s in enumerate((0.0, 0.016, 0.0)):
        feed(stream, number, now=number / 10 + late_s, timestamp=9_000 * number)
    block = stream.report_block(1.0)
    assert block is not None
    assert block.jitter == round(90 + (1440 - 90) / 16)  # two differences of 16 ms, a sixteenth of each


@given(st.permutations(range(12)), st.sets(st.integers(1, 11)))
def test_whatever_the_order_packets_leave_once_and_in_order(order: list[int], lost: set[int]) -> None:
    stream = video()
    out = numbers(feed(stream, 0))
    for number in order:
        if number and number not in lost:
            out += numbers(feed(stream, number, now=0.1))
    out += numbers(stream.on_timeout(0.1 + VIDEO_WAIT_S))
    assert out == [number for number in range(12) if number not in lost]
    assert stream.next_timeout() is None
