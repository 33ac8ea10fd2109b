"""Both recoveries: RTX from publishers, and our answers to subscribers' NACKs (RFC 4588)."""

from __future__ import annotations

import pytest

from sfu.plane.interface import PlaneConfig
from sfu.wire import extensions, rtx, vp8
from tests.support.planes import TRACK, MakePlane, Scene
from tests.support.rtp import (
    AUDIO,
    PUBLISHER_IDS,
    VIDEO,
    VP8_RTX,
    VideoSource,
    audio_slot,
    media_packet,
    opus_packet,
    video_slot,
)


def watched(make_plane: MakePlane, config: PlaneConfig | None = None, *, rtx: bool = True) -> tuple[Scene, VideoSource]:
    scene = Scene(make_plane, VIDEO, config=config)
    scene.subscribe(spec=video_slot(rtx=rtx))
    return scene, VideoSource(ssrc=4)


def test_a_nack_is_answered_under_the_rtx_ssrc_with_a_fresh_header(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane)
    first, second = scene.send(*source.frame(2, key=True))
    scene.now += 0.25
    (again,) = scene.retransmit(101)
    assert (again.header.ssrc, again.header.payload_type, again.number) == (7001, 121, 100)
    assert rtx.unwrap(again.payload) == (101, second.payload)
    assert (again.timestamp, again.header.marker) == (second.timestamp, True)
    assert again.element("mid") == b"v0"
    assert again.element("transport_cc") == b"\0\2"
    assert again.element("abs_send_time") == extensions.abs_send_time(scene.now)
    (other,) = scene.retransmit(100)
    assert (other.number, rtx.unwrap(other.payload)) == (101, (100, first.payload))
    assert scene.plane.counters.retransmitted == 2
    transmission = scene.plane.transmission(100)
    assert (transmission.packets, transmission.retransmitted) == (2, 2)


def test_how_a_picture_is_to_be_shown_is_said_again_in_both_recoveries(make_plane: MakePlane) -> None:
    """Publishers say it in the last packet of a key frame, and that may be the one that is lost: towards us, or to him
    who watches."""
    scene, source = watched(make_plane)
    first, _ = source.frame(2, key=True)
    scene.send(first)
    scene.send(*source.frame())
    said = ((PUBLISHER_IDS.video_orientation, b"\x03"),)
    (sent,) = scene.send(source.repair(1001, 50, rtx_ssrc=9, more=said))
    assert sent.element("video_orientation") == b"\x03"
    scene.now += 0.25
    (again,) = scene.retransmit(sent.number)
    assert again.element("video_orientation") == b"\x03"


def test_the_answer_is_byte_for_byte_what_was_sent_rewritten_picture_included(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane)
    scene.plane.set_layer(100, 0, 0)
    scene.send(*source.frame(key=True), *source.frame(temporal_id=1))
    (sent,) = scene.send(*source.frame())
    (again,) = scene.retransmit(sent.number)
    assert rtx.unwrap(again.payload)[1] == sent.payload
    described = vp8.parse(sent.payload)
    assert described is not None and described.picture_id == 1


def test_what_was_sent_before_a_pause_is_not_repeated(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane)
    scene.send(*source.frame(2, key=True))
    scene.plane.set_layer(100, None)
    assert scene.retransmit(100, 101) == []
    assert scene.dropped("not_in_history") == 2
    scene.plane.set_layer(100, 0)
    (sent,) = scene.send(*source.frame(key=True))
    assert len(scene.retransmit(101, sent.number)) == 1


def test_what_came_before_a_switch_down_is_not_repeated(make_plane: MakePlane) -> None:
    """The receiver goes on from the new layer's key frame, and asks for what it misses until that has come."""
    scene = Scene(make_plane)
    scene.subscribe(layer=2)
    low, high = VideoSource(ssrc=40, rid="q"), VideoSource(ssrc=41, rid="f")
    before = scene.send(*high.frame(3, key=True))
    scene.plane.set_layer(100, 0)
    assert len(scene.retransmit(before[0].number)) == 1, "there was no switch yet"
    after = scene.send(*low.frame(2, key=True))
    assert scene.retransmit(before[1].number, before[2].number) == []
    assert scene.dropped("rtx_late") == 2
    assert len(scene.retransmit(after[0].number, after[1].number)) == 2
    scene.plane.set_layer(100, 2)
    scene.send(*high.frame(key=True))
    scene.now += 1
    assert len(scene.retransmit(after[0].number)) == 1, "up there is room for it"


def test_what_waits_when_a_switch_comes_is_not_repeated(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, config=PlaneConfig(recovery_bps=10_000, recovery_burst_s=0.025))
    scene.subscribe(layer=2)
    low, high = VideoSource(ssrc=40, rid="q"), VideoSource(ssrc=41, rid="f")
    before = scene.send(*high.frame(30, key=True))
    scene.plane.set_layer(100, 0)
    assert scene.plane.retransmit(100, [packet.number for packet in before], scene.now) == 30
    left = len(scene.plane.take_output())
    assert left < 30
    scene.send(*low.frame(key=True))
    scene.run_until(scene.now + 0.4)
    assert scene.plane.counters.retransmitted == left
    assert scene.dropped("rtx_late") == 30 - left


def test_a_packet_is_not_repeated_before_the_answer_can_have_arrived(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane)
    scene.send(*source.frame(key=True))
    assert len(scene.retransmit(100, 100)) == 1
    scene.now += 0.09
    assert scene.retransmit(100) == []
    assert scene.dropped("rtx_repeated") == 2
    scene.now += 0.02
    assert len(scene.retransmit(100)) == 1


@pytest.mark.parametrize("number", [99, 101, 0, 40_000, 65_535])
def test_what_was_never_sent_is_not_retransmitted(make_plane: MakePlane, number: int) -> None:
    scene, source = watched(make_plane)
    scene.send(*source.frame(key=True))
    assert scene.retransmit(number) == []
    assert scene.dropped("not_in_history") == 1


def test_what_has_left_the_history_is_not_retransmitted(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane, PlaneConfig(history_packets=8, sent_packets=16))
    scene.send(*source.frame(key=True))
    for _ in range(20):
        scene.send(*source.frame())
    assert [packet.number for packet in scene.retransmit(103, 108, 112, 113, 120)] == [100, 101]
    assert scene.dropped("not_in_history") == 3


def test_numbers_are_found_across_the_wrap(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe(spec=video_slot(first_sequence_number=32767))
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True))
    for _ in range(32770):
        scene.plane.on_datagrams([scene.publisher.protect(*source.frame())], scene.now)
    got = scene.retransmit(65535, 0, 1)
    assert [rtx.unwrap(packet.payload)[0] for packet in got] == [65535, 0, 1]


def test_without_rtx_there_is_no_answer(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane, rtx=False)
    scene.send(*source.frame(key=True))
    assert scene.retransmit(100) == []
    assert scene.dropped("no_payload_type") == 1


def test_audio_is_not_retransmitted(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, AUDIO)
    scene.subscribe(spec=audio_slot())
    scene.send(opus_packet(1, 1))
    assert scene.retransmit(200) == []


def test_what_a_slot_carried_before_is_not_retransmitted(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane)
    scene.send(*source.frame(key=True))
    scene.plane.set_route(100, None)
    assert scene.retransmit(100) == []
    assert scene.dropped("not_in_history") == 1


def test_a_publishers_repair_takes_the_path_of_a_late_packet(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane)
    scene.send(*source.frame(key=True))
    lost = source.frame()
    after = scene.send(*source.frame())
    (got,) = scene.send(source.repair(1001, 1, 50))
    assert [packet.number for packet in after] == [102]
    assert (got.number, got.header.ssrc, got.header.payload_type) == (101, 7000, 120)
    assert got.timestamp == 5000 + 3000
    described = vp8.parse(got.payload)
    assert described is not None and described.picture_id == 1
    (layer,) = scene.plane.reception(TRACK)
    assert (scene.plane.counters.recovered, layer.packets, layer.restored) == (1, 2, 1)
    assert scene.send(*lost) == []
    assert scene.dropped("duplicate") == 1
    (again,) = scene.retransmit(101)
    assert rtx.unwrap(again.payload) == (101, got.payload)


def test_a_repair_of_what_was_not_lost_is_a_duplicate(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane)
    scene.send(*source.frame(key=True))
    assert scene.send(source.repair(1000, 1, 50)) == []
    assert (scene.dropped("duplicate"), scene.plane.counters.recovered) == (1, 0)


def test_a_repair_that_comes_too_late_is_dropped(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane, PlaneConfig(history_packets=8))
    scene.send(*source.frame(key=True))
    source.frame()
    for _ in range(8):
        scene.send(*source.frame())
    assert scene.send(source.repair(1001, 1, 50)) == []
    assert scene.dropped("too_old") == 1


def test_a_repair_may_be_the_newest(make_plane: MakePlane) -> None:
    """As a probe, browsers repeat packets that are still on the way."""
    scene, source = watched(make_plane)
    scene.send(*source.frame(key=True))
    original = source.frame()
    (got,) = scene.send(source.repair(1001, 1, 50))
    assert got.number == 101
    assert scene.send(*original) == []
    assert [packet.number for packet in scene.send(*source.frame())] == [102]


def test_probes_without_content_are_counted_and_end_there(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane)
    scene.send(*source.frame(key=True))
    probe = media_packet(VP8_RTX, 1, 1, 50, b"", mid="0", padding=200, transport_number=5)
    assert scene.send(probe) == []
    assert scene.dropped("padding") == 1
    assert [number for number, _ in scene.arrivals()] == [5]


def test_repairs_do_not_touch_the_reports_about_the_media(make_plane: MakePlane) -> None:
    scene, source = watched(make_plane)
    scene.send(*source.frame(key=True))
    lost = source.frame()
    scene.send(*source.frame(), after_s=1 / 30)
    (before,) = scene.plane.reception(TRACK)
    scene.send(source.repair(1001, 1, 50), after_s=3.0)
    (after,) = scene.plane.reception(TRACK)
    assert after == type(before)(
        **{name: getattr(before, name) for name in before.__slots__ if name not in ("rtx_ssrc", "restored")},
        rtx_ssrc=50,
        restored=1,
    )
    scene.send(*lost)
    assert scene.plane.reception(TRACK)[0].packets == 3
