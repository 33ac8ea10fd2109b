"""SentStream: how packets introduce themselves, what can be sent again, and sender reports."""

from __future__ import annotations

from random import Random

from sfu.wire import rtp, rtx
from sfu.wire.extensions import AudioLevel, ExtensionIds, Orientation
from sfu.wire.rtcp import ReportBlock, ntp_from_unix, ntp_middle32
from signaling.client.sending import HISTORY_PACKETS, SentStream

IDS = ExtensionIds(mid=1, rid=2, repaired_rid=3, abs_send_time=4, transport_cc=5, audio_level=6)


def stream(rid: str = "h", rtx_payload_type: int | None = 97) -> SentStream:
    return SentStream(
        mid="1",
        kind="video",
        payload_type=96,
        rtx_payload_type=rtx_payload_type,
        clock_rate=90_000,
        ssrc=11,
        rtx_ssrc=12,
        random=Random(1),
        rid=rid,
    )


def send(sent: SentStream, payload: bytes = b"x", now: float = 1.0, level: AudioLevel | None = None) -> bytes:
    return sent.media(
        payload, sent.timestamp(now), marker=True, ids=IDS, transport_sequence=65537, now=now, level=level
    )


def block(ssrc: int = 11, lsr: int = 0, dlsr: int = 0) -> ReportBlock:
    return ReportBlock(ssrc, 64, packets_lost=0, highest_sequence=0, jitter=0, lsr=lsr, dlsr=dlsr)


def test_packets_carry_every_extension_that_was_negotiated() -> None:
    header = rtp.parse(send(stream(), now=0.5, level=AudioLevel(True, -20)))
    assert header.extensions == {
        1: b"1",
        2: b"h",
        4: (1 << 17).to_bytes(3, "big"),
        5: b"\x00\x01",
        6: b"\x94",
    }
    assert (header.payload_type, header.marker, header.ssrc) == (96, True, 11)


def test_sequence_numbers_start_low_and_follow_each_other() -> None:
    sent = stream()
    first, second = rtp.parse(send(sent)), rtp.parse(send(sent))
    assert first.sequence_number < 1 << 15
    assert second.sequence_number == first.sequence_number + 1


def test_mid_and_rid_are_left_out_once_the_receiver_has_reported() -> None:
    sent = stream()
    sent.on_report_block(block(), unix_s=0.0)
    assert rtp.parse(send(sent)).extensions.keys() == {4, 5}
    assert sent.fraction_lost == 0.25


def test_retransmissions_introduce_themselves_until_they_are_reported_on() -> None:
    sent = stream()
    number = rtp.parse(send(sent)).sequence_number

    def introduced() -> bool:
        packet = sent.retransmission(number, ids=IDS, transport_sequence=0, now=0.0)
        assert packet is not None
        return {1, 3} <= rtp.parse(packet).extensions.keys()

    sent.on_report_block(block(), unix_s=0.0)
    assert introduced()
    sent.on_report_block(block(ssrc=12), unix_s=0.0)
    assert not introduced()


def test_nothing_is_written_that_was_not_negotiated() -> None:
    sent = stream()
    packet = sent.media(
        b"x", 0, marker=False, ids=ExtensionIds(), transport_sequence=1, now=0.0, level=AudioLevel(True, 0)
    )
    assert rtp.parse(packet).extensions == {}


def test_how_a_picture_is_to_be_shown_is_said_again_when_it_is_sent_again() -> None:
    sent, ids = stream(), ExtensionIds(video_orientation=9)
    packet = sent.media(
        b"x", 0, marker=True, ids=ids, transport_sequence=1, now=0.0, orientation=Orientation(3, mirrored=True)
    )
    again = sent.retransmission(rtp.parse(packet).sequence_number, ids=ids, transport_sequence=2, now=0.1)
    assert again is not None
    assert rtp.parse(packet).extensions == rtp.parse(again).extensions == {9: b"\x07"}


def test_a_retransmission_has_its_own_stream_and_names_the_repaired_one() -> None:
    sent = stream()
    original = rtp.parse(send(sent, b"payload"))
    again = sent.retransmission(original.sequence_number, ids=IDS, transport_sequence=9, now=2.0)
    assert again is not None
    header = rtp.parse(again)
    assert (header.ssrc, header.payload_type, header.timestamp, header.marker) == (12, 97, original.timestamp, True)
    assert rtx.unwrap(again[header.payload_offset :]) == (original.sequence_number, b"payload")
    assert header.extensions[3] == b"h"
    assert 2 not in header.extensions
    assert sent.retransmitted == 1


def test_what_is_too_old_is_not_sent_again() -> None:
    sent = stream()
    first = rtp.parse(send(sent)).sequence_number
    for _ in range(HISTORY_PACKETS):
        send(sent)
    assert sent.retransmission(first, ids=IDS, transport_sequence=0, now=0.0) is None
    assert sent.retransmission(first + 1, ids=IDS, transport_sequence=0, now=0.0) is not None


def test_without_rtx_nothing_is_sent_again() -> None:
    sent = stream(rtx_payload_type=None)
    number = rtp.parse(send(sent)).sequence_number
    assert sent.retransmission(number, ids=IDS, transport_sequence=0, now=0.0) is None


def test_sender_reports_go_on_with_the_clock_of_the_media() -> None:
    sent = stream()
    assert sent.report(0.0, 0.0) is None
    send(sent, b"12345", now=10.0)
    report = sent.report(10.5, 1e9)
    assert report is not None
    assert (report.rtp_timestamp - sent.timestamp(10.0)) % (1 << 32) == 45_000
    assert (report.ntp_time, report.packet_count, report.octet_count) == (ntp_from_unix(1e9), 1, 5)


def test_the_round_trip_comes_from_echoed_sender_reports() -> None:
    sent = stream()
    sent.on_report_block(block(lsr=ntp_middle32(ntp_from_unix(1e9)), dlsr=65536), unix_s=1e9 + 1.25)
    assert sent.round_trip_s is not None
    assert abs(sent.round_trip_s - 0.25) < 0.001
