"""Our reports: what is sent to whom, and when nothing is. (What remotes report: test_report_blocks.py.)"""

from __future__ import annotations

import pytest

from sfu.core.reports import MAX_COMPOUND_BYTES
from sfu.plane.interface import LONGEST_CNAME_BYTES
from sfu.wire.rtcp import (
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    ntp_from_unix,
    ntp_middle32,
    parse,
)
from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import VIDEO, VP8, media_packet, video_slot, vp8_payload

NTP = ntp_from_unix(1_700_000_000.25)


def frame(number: int, ssrc: int = 3) -> bytes:
    return media_packet(VP8, number, 3000 * number, ssrc, vp8_payload(number, number, key=number == 1), mid="0")


def watched(make_plane: MakePlane) -> Scene:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    scene.plane.set_reporter(PUBLISHER, 555, "us")
    scene.plane.set_reporter(100, 556, "us")
    return scene


def reports(scene: Scene, *transports: int) -> list[tuple[RtcpPacket, ...]]:
    """What each of these remotes is sent now, all of it readable."""
    scene.plane.send_reports(transports, NTP, scene.now)
    told = []
    for datagram in scene.plane.take_output():
        remote = next(remote for remote in scene.remotes.values() if remote.path == datagram.path)
        parsed = parse(remote.open_rtcp(datagram))
        assert parsed.malformed == 0
        told.append(parsed.packets)
    return told


def test_a_subscriber_is_told_of_its_slots_line_and_a_publisher_of_its_layers(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    first = scene.send(*(frame(number) for number in (1, 2, 4)))[0]
    scene.now += 0.5
    to_publisher, to_subscriber = reports(scene, PUBLISHER, 100)
    slot = video_slot()
    timestamp = (first.header.timestamp + 45_000) & 0xFFFFFFFF
    transmission = scene.plane.transmission(100)
    assert to_subscriber == (
        SenderReport(slot.ssrc, NTP, timestamp, 3, transmission.octets),
        SourceDescription(slot.ssrc, "us"),
    )
    assert isinstance(to_publisher[0], ReceiverReport) and to_publisher[0].ssrc == 555
    (block,) = to_publisher[0].blocks
    assert (block.ssrc, block.fraction_lost, block.packets_lost, block.highest_sequence) == (3, 64, 1, 4)
    assert (block.lsr, block.dlsr) == (0, 0) and to_publisher[1] == SourceDescription(555, "us")


def test_who_has_sent_nothing_since_the_last_report_but_one_sends_no_report(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    assert reports(scene, 100) == []
    scene.send(frame(1))
    assert [len(reports(scene, 100)) for _ in range(4)] == [1, 1, 0, 0]
    scene.send(frame(2))
    assert len(reports(scene, 100)) == 1


def test_the_last_sender_report_is_named_and_a_new_ssrc_begins_anew(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    scene.send(frame(1))
    publisher = scene.remotes[PUBLISHER]
    cut = SenderReport(3, 1, 2, 3, 4, (ReportBlock(9, 0, 0, 0, 0, 0, 0),)).pack()
    cut = cut[:3] + bytes((cut[3] - 1,)) + cut[4:-4]  # its block is cut short: none of it counts
    for compound in (SenderReport(3, NTP, 2, 3, 4).pack(), cut):
        scene.plane.on_datagrams([publisher.protect_rtcp(compound)], scene.now)
    scene.now += 0.25
    ((report, _),) = reports(scene, PUBLISHER)
    assert isinstance(report, ReceiverReport)
    assert (report.blocks[0].lsr, report.blocks[0].dlsr) == (ntp_middle32(NTP), 16384)
    scene.send(frame(1, ssrc=4))  # a browser made a new sender
    ((report, _),) = reports(scene, PUBLISHER)
    assert isinstance(report, ReceiverReport)
    assert [(block.ssrc, block.lsr) for block in report.blocks] == [(4, 0)]


@pytest.mark.parametrize("slots", [1, 18, 19, 20, 60])
def test_many_slots_take_as_many_datagrams_as_they_need(make_plane: MakePlane, slots: int) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.connect(100)
    scene.plane.set_reporter(100, 556, "0123456789ab")
    for number in range(slots):
        scene.plane.add_slot(1000 + number, 100, video_slot(20_000 + 2 * number))
        scene.plane.set_route(1000 + number, TRACK)
        scene.plane.set_layer(1000 + number, 0)
    scene.send(frame(1))
    scene.plane.send_reports([100], NTP, scene.now)
    datagrams = [scene.remotes[100].open_rtcp(datagram) for datagram in scene.plane.take_output()]
    seen = [packet.ssrc for each in datagrams for packet in parse(each).packets if isinstance(packet, SenderReport)]
    assert seen == [20_000 + 2 * number for number in range(slots)]
    assert len(datagrams) == -(-slots // 21) and max(map(len, datagrams)) <= MAX_COMPOUND_BYTES


def test_without_a_path_reports_are_dropped_and_counted(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    scene.send(frame(1))
    scene.plane.bind(100, scene.remotes[PUBLISHER].path)  # the publisher has no address any more
    assert reports(scene, PUBLISHER) == [] and scene.dropped("not_connected") == 1


def test_a_name_that_is_too_long_is_refused(make_plane: MakePlane) -> None:
    plane = watched(make_plane).plane
    plane.set_reporter(100, 1, "x" * LONGEST_CNAME_BYTES)
    with pytest.raises(ValueError, match="CNAME"):
        plane.set_reporter(100, 1, "x" * LONGEST_CNAME_BYTES + "x")
