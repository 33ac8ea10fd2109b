"""The engine counts exactly what was sent, what was lost, came twice or late; and sends what a browser would."""

from __future__ import annotations

import threading
from collections import deque
from typing import TypeVar

import pytest

from loadtest.traffic.counts import Histogram, StreamCounts
from loadtest.traffic.streams import IncomingStream, audio, video
from sfu.plane import open_plane
from sfu.plane.srtp import open_sessions
from sfu.wire import rtcp, rtp, vp8
from sfu.wire.extensions import ExtensionIds, pack
from sfu.wire.feedback import PictureLossIndication
from sfu.wire.rtcp import ReceiverReport, ReportBlock, SenderReport
from sfu.wire.twcc import TransportFeedback
from tests.loadtest.traffic.wires import Peer, bound_socket, keys, peer_of, running_engine, through_relay, until

if open_plane(()).name != "compiled":
    pytest.skip("nothing is compiled here", allow_module_level=True)

VIDEO, AUDIO = 1000, 2000
IDS = ExtensionIds(mid=1, rid=2, transport_cc=3, abs_send_time=4, audio_level=5)
FAST = video(VIDEO, 96, packets_per_s=1000, mid="0")


def test_counts_what_was_sent() -> None:
    with running_engine() as engine, through_relay(engine, lambda _, datagram: [datagram]):
        engine.set_send_extensions(0, IDS)
        engine.add_outgoing(0, FAST, 0.0)
        engine.add_outgoing(0, audio(AUDIO, 111, packets_per_s=200), 0.5)
        until(lambda: engine.counts()[0]["sent"] >= 1000)
        for ssrc in (VIDEO, AUDIO):
            engine.remove_outgoing(0, ssrc)
        sent = engine.counts()[0]["sent"]
        until(lambda: engine.counts()[0]["received"] == sent)
        sums, latency, lateness, streams = engine.counts()
        assert (sums["undecryptable"], sums["unmarked"], sums["send_refused"], sums["kernel_dropped"]) == (0, 0, 0, 0)
        assert sums["sampled"] == sent == Histogram(latency).count  # every packet is decrypted here
        assert Histogram(lateness).count >= sent // 5
        counted = [StreamCounts(*stream) for stream in streams]
        assert {(one.connection, one.ssrc, one.source_ssrc) for one in counted} == {
            (1, VIDEO, VIDEO),
            (1, AUDIO, AUDIO),
        }
        assert [(one.lost, one.duplicates, one.reordered) for one in counted] == [(0, 0, 0)] * 2


def test_tells_lost_from_late_and_twice() -> None:
    """Of each twenty: one is dropped, one comes twice, two swap places."""
    held: deque[bytes] = deque()

    def treat(index: int, datagram: bytes) -> list[bytes]:
        match index % 20:
            case 3:
                return []
            case 7:
                return [datagram, datagram]
            case 11:
                held.append(datagram)
                return []
            case 12:
                return [datagram, held.popleft()]
        return [datagram]

    with running_engine(sample_every=3) as engine, through_relay(engine, treat):
        engine.add_outgoing(0, FAST, 0.0)
        until(lambda: engine.counts()[0]["sent"] >= 1000)
        engine.remove_outgoing(0, VIDEO)
        sent = engine.counts()[0]["sent"]
        complete, rest = divmod(sent, 20)
        lost = complete + (rest > 3)
        until(lambda: engine.counts()[0]["received"] >= sent - lost)
        (stream,) = (StreamCounts(*one) for one in engine.counts()[3])
        assert rest in (0, 5, 10, 15)  # frames have five packets, so none ends between the two that swap
        assert stream.lost == lost
        assert stream.duplicates == complete + (rest > 7)
        assert stream.reordered == complete + (rest > 12)


def test_loss_of_a_window_is_that_of_its_numbers() -> None:
    """A window in which nothing is lost says so, whatever was lost before."""
    losing = threading.Event()
    losing.set()

    def treat(index: int, datagram: bytes) -> list[bytes]:
        return [] if losing.is_set() and index % 2 else [datagram]

    with running_engine() as engine, through_relay(engine, treat):
        engine.add_outgoing(0, FAST, 0.0)
        until(lambda: engine.counts()[0]["received"] >= 200)
        losing.clear()
        settled = engine.counts()[0]["sent"]
        until(lambda: engine.counts()[0]["received"] >= settled)
        (before,) = (StreamCounts(*one) for one in engine.counts()[3])
        until(lambda: engine.counts()[0]["received"] >= settled + 500)
        (after,) = (StreamCounts(*one) for one in engine.counts()[3])
        assert before.lost >= 190
        assert after.since(before).lost == 0
        assert after.since(before).received == after.received - before.received > 0


def test_retransmissions_are_no_media() -> None:
    with running_engine() as engine, through_relay(engine, lambda _, datagram: [datagram]):
        engine.add_incoming(1, IncomingStream(VIDEO, "video", repairs=True))
        engine.add_outgoing(0, FAST, 0.0)
        until(lambda: engine.counts()[0]["repairs"] >= 100)
        sums, _, _, streams = engine.counts()
        assert (sums["received"], streams) == (0, [])


def test_sends_vp8_that_begins_with_a_key_frame_and_sends_another_when_asked() -> None:
    with running_engine() as engine, peer_of(engine) as peer:
        engine.set_send_extensions(0, IDS)
        engine.add_outgoing(0, video(VIDEO, 96, packets_per_s=500, mid="0", rid="h"), 0.0)
        while len(peer.rtp) < 30:
            peer.read()
        peer.send_rtcp(PictureLossIndication(7, VIDEO).pack())
        while sum(_descriptor(packet).key_frame for packet in peer.rtp) < 2:
            peer.read()
        headers = [rtp.parse(packet) for packet in peer.rtp]
        first = headers[0].sequence_number
        assert [one.sequence_number for one in headers] == list(range(first, first + len(headers)))
        assert _descriptor(peer.rtp[0]).key_frame
        assert _descriptor(peer.rtp[0]).width == 1280
        pictures = [_descriptor(packet).picture_id or 0 for packet in peer.rtp]
        assert [(one - pictures[0]) & 0x7FFF for one in pictures] == [index // 5 for index in range(len(pictures))]
        assert [one.marker for one in headers[:10]] == [False, False, False, False, True] * 2
        assert headers[5].timestamp - headers[0].timestamp == 900  # 100 frames a second
        assert [int.from_bytes(one.extensions[3], "big") for one in headers] == list(range(len(headers)))
        assert (headers[0].extensions[1], headers[0].extensions[2]) == (b"0", b"h")
        assert engine.counts()[0]["key_frame_requests"] == 1


def test_introduces_itself_until_it_is_known() -> None:
    with running_engine() as engine, peer_of(engine) as peer:
        engine.set_send_extensions(0, IDS)
        engine.add_outgoing(0, FAST, 0.0)
        peer.read()
        assert rtp.parse(peer.rtp[0]).extensions[IDS.mid] == b"0"
        block = ReportBlock(VIDEO, 0, 0, 0, 0, 0, 0)
        peer.send_rtcp(ReceiverReport(7, (block,)).pack())
        while IDS.mid in rtp.parse(peer.rtp[-1]).extensions:
            peer.read()


def test_reports_and_feedback_say_what_came() -> None:
    """Numbers 0 … 9 arrive, but 4, and 5 before 3."""
    with running_engine() as engine, peer_of(engine) as peer:
        engine.set_receive_extensions(0, IDS)
        peer.send_rtp(_packet(0))
        while not _received(peer, TransportFeedback):
            peer.read()
        for number in (1, 2, 5, 3, 6, 7, 8, 9):  # right after a feedback, so that the next speaks of all
            peer.send_rtp(_packet(number))
        while _arrived(peer).keys() != set(range(10)):
            peer.read()
        assert _arrived(peer) == {number: number != 4 for number in range(10)}
        assert {one.media_ssrc for one in _received(peer, TransportFeedback)} == {VIDEO}
        before = len(_blocks(peer))
        while len(_blocks(peer)) == before:
            peer.read()
        block = _blocks(peer)[-1]
        assert (block.ssrc, block.packets_lost, block.highest_sequence & 0xFFFF) == (VIDEO, 1, 9)


def test_feedback_can_be_left_out_and_reports_remain() -> None:
    with running_engine(feedback=False) as engine, peer_of(engine) as peer:
        engine.set_receive_extensions(0, IDS)
        peer.send_rtp(_packet(0))
        for _ in range(2):
            peer.read()
        assert not _received(peer, TransportFeedback)
        assert engine.counts()[0]["feedbacks"] == 0


def test_sender_reports_count_what_was_sent() -> None:
    with running_engine() as engine, peer_of(engine) as peer:
        engine.add_outgoing(0, FAST, 0.0)
        while not peer.rtcp:
            peer.read()
        (report,) = _received(peer, SenderReport)
        assert report.ssrc == VIDEO
        assert report.packet_count == len(peer.rtp)
        assert report.octet_count == len(peer.rtp) * FAST.payload_bytes


def test_what_is_not_media_goes_to_python() -> None:
    with running_engine() as engine, peer_of(engine) as peer:
        stun, dtls = bytes([0, 1]) + bytes(30), bytes([22]) + bytes(40)
        for datagram in (stun, b"\xff junk", dtls):
            peer.ours.sendto(datagram, peer.theirs.getsockname())
        taken: list[tuple[int, bytes, tuple[str, int]]] = []

        def both() -> bool:
            taken.extend(engine.take_control())
            return len(taken) == 2

        until(both)
        assert taken == [(0, one, peer.ours.getsockname()) for one in (stun, dtls)]


def test_forged_packets_are_counted_apart() -> None:
    with running_engine() as engine, peer_of(engine) as peer:
        peer.ours.sendto(_packet(0) + bytes(16), peer.theirs.getsockname())
        peer.send_rtp(_packet(1))
        until(lambda: engine.counts()[0]["received"] == 2)
        sums = engine.counts()[0]
        assert (sums["undecryptable"], sums["unmarked"]) == (1, 1)  # the second is genuine, but none of ours


def test_connections_come_and_go_while_media_flows() -> None:
    with running_engine() as engine, through_relay(engine, lambda _, datagram: [datagram]), bound_socket() as silent:
        engine.add_outgoing(0, FAST, 0.0)
        for number in range(2, 1000):
            engine.attach(number, silent.fileno(), ("127.0.0.1", 9), open_sessions(keys()[0], 1024))
            engine.add_outgoing(number, audio(number, 111, packets_per_s=0.001), 1.0)
            engine.add_incoming(number, IncomingStream(number, "audio"))
            engine.detach(number)
        received = engine.counts()[0]["received"]
        until(lambda: engine.counts()[0]["received"] > received)
        with pytest.raises(KeyError):
            engine.detach(2)


Packet = TypeVar("Packet")


def _received(peer: Peer, kind: type[Packet]) -> list[Packet]:
    packets = (packet for compound in peer.rtcp for packet in rtcp.parse(compound).packets)
    return [packet for packet in packets if isinstance(packet, kind)]


def _arrived(peer: Peer) -> dict[int, bool]:
    feedback = _received(peer, TransportFeedback)
    return {number: at_us is not None for one in feedback for number, at_us in one.packets}


def _blocks(peer: Peer) -> list[ReportBlock]:
    return [block for report in _received(peer, ReceiverReport) for block in report.blocks]


def _packet(number: int) -> bytes:
    return rtp.build(
        payload_type=96,
        sequence_number=number,
        timestamp=0,
        ssrc=VIDEO,
        payload=bytes(50),
        marker=False,
        extension=pack([(IDS.transport_cc, number.to_bytes(2, "big"))]),
    )


def _descriptor(packet: bytes) -> vp8.Vp8Descriptor:
    header = rtp.parse(packet)
    descriptor = vp8.parse(packet[header.payload_offset : header.payload_end])
    assert descriptor is not None
    return descriptor
