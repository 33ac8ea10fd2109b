"""RtpSession without sockets: which RTCP leaves, and what incoming RTCP causes."""

from __future__ import annotations

from random import Random

from sfu.wire import rtp
from sfu.wire.extensions import ExtensionIds
from sfu.wire.feedback import FullIntraRequest, Nack, PictureLossIndication
from sfu.wire.rtcp import (
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    pack_compound,
    parse,
)
from sfu.wire.twcc import TransportFeedback
from signaling.client.receiving import REORDERING_S, ReceivedPacket, ReceivedStream
from signaling.client.rtp_session import RtpSession
from signaling.client.sending import SentStream

IDS = ExtensionIds(transport_cc=5)


def session() -> RtpSession:
    one = RtpSession(cname="me", random=Random(1), unix_offset_s=1e9)
    one.send_extensions = one.receive_extensions = IDS
    return one


def sent_stream() -> SentStream:
    return SentStream(
        mid="0",
        kind="video",
        payload_type=96,
        rtx_payload_type=97,
        clock_rate=90_000,
        ssrc=100,
        rtx_ssrc=101,
        random=Random(1),
    )


def packet(number: int, ssrc: int = 200, transport_sequence: int | None = None) -> bytes:
    extension = (
        b"" if transport_sequence is None else b"\xbe\xde\x00\x01\x51" + transport_sequence.to_bytes(2) + b"\x00"
    )
    return rtp.build(payload_type=96, sequence_number=number, timestamp=0, ssrc=ssrc, payload=b"x", extension=extension)


def said(one: RtpSession) -> list[RtcpPacket]:
    return [message for compound in one.take_rtcp() for message in parse(compound).packets]


def receiving(one: RtpSession) -> list[ReceivedPacket]:
    received: list[ReceivedPacket] = []
    one.add_received(ReceivedStream(200, "video", 90_000, rtx_ssrc=201), received.append)
    return received


def test_reports_come_about_once_a_second_and_name_everybody() -> None:
    one = session()
    stream = sent_stream()
    one.add_sent(stream)
    receiving(one)
    one.send(stream, b"x", 0, now=0.0)
    one.on_rtp(packet(1), 0.0)
    due = one.next_timeout(0.0)
    assert 0.25 <= due <= 0.5
    one.on_timeout(due)
    first, second, third = said(one)
    assert isinstance(first, SenderReport) and first.ssrc == 100
    assert isinstance(second, ReceiverReport) and [block.ssrc for block in second.blocks] == [200]
    assert isinstance(third, SourceDescription) and third == SourceDescription(100, "me")
    assert 0.8 <= one.next_timeout(due) - due <= 1.2


def test_without_anything_to_report_an_empty_report_leaves() -> None:
    one = session()
    one.on_timeout(one.next_timeout(0.0))
    assert said(one) == [ReceiverReport(one.ssrc), SourceDescription(one.ssrc, "me")]


def test_arrivals_are_fed_back_also_of_streams_nobody_knows() -> None:
    one = session()
    one.on_rtp(packet(1, ssrc=999, transport_sequence=7), 0.0)
    one.next_timeout(0.0)
    one.on_timeout(0.1)
    (feedback,) = said(one)
    assert isinstance(feedback, TransportFeedback)
    assert feedback.packets[0][0] == 7
    assert one.dropped == 1


def test_gaps_are_asked_for() -> None:
    one = session()
    received = receiving(one)
    for number in (1, 2, 5):
        one.on_rtp(packet(number), 0.0)
    assert one.next_timeout(0.0) == REORDERING_S
    one.on_timeout(REORDERING_S)
    assert said(one) == [Nack(one.ssrc, 200, (3, 4))]
    assert len(received) == 2


def test_a_nack_is_answered_and_other_sources_are_not() -> None:
    one = session()
    stream = sent_stream()
    one.add_sent(stream)
    one.send(stream, b"x", 0, now=0.0)
    (original,) = one.take_rtp()
    number = rtp.parse(original).sequence_number
    one.on_rtcp(pack_compound([Nack(1, 100, (number, number + 1)), Nack(1, 555, (number,))]), 0.1)
    (again,) = one.take_rtp()
    header = rtp.parse(again)
    assert header.ssrc == 101
    assert int.from_bytes(header.extensions[5]) == int.from_bytes(rtp.parse(original).extensions[5]) + 1


def test_both_kinds_of_key_frame_request_are_understood() -> None:
    one = session()
    stream = sent_stream()
    one.add_sent(stream)
    asked: list[SentStream] = []
    one.on_key_frame_request = asked.append
    one.on_rtcp(pack_compound([PictureLossIndication(1, 100), FullIntraRequest(1, ((100, 3), (555, 1)))]), 0.0)
    assert asked == [stream, stream]
    assert stream.key_frame_requests == 2


def test_report_blocks_reach_their_stream() -> None:
    one = session()
    stream = sent_stream()
    one.add_sent(stream)
    blocks = (ReportBlock(100, 128, 1, 1, 0, 0, 0), ReportBlock(555, 0, 0, 0, 0, 0, 0))
    one.on_rtcp(pack_compound([ReceiverReport(1, blocks)]), 0.0)
    assert stream.reported
    assert stream.fraction_lost == 0.5


def test_random_packets_are_dropped(seed: int) -> None:
    """Whatever is fed, nothing raises and nothing is delivered."""
    random = Random(seed)
    one = session()
    received = receiving(one)
    for _ in range(1000):
        one.on_rtp(random.randbytes(random.randrange(60)), 0.0)
        one.on_rtcp(random.randbytes(random.randrange(60)), 0.0)
        one.on_rtp(b"\x90\x60" + random.randbytes(random.randrange(40)), 0.0)
    assert received == []
