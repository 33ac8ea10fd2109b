"""Which layer a Slot carries, when it changes, and that the subscriber sees one stream without a seam."""

from __future__ import annotations

import itertools

from sfu.plane.interface import KeyFrameReceived, Switched
from sfu.wire import vp8
from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import (
    AUDIO,
    H264,
    H264_RTX,
    SIMULCAST,
    VIDEO,
    Received,
    VideoSource,
    audio_slot,
    media_packet,
    opus_packet,
)


def simulcast() -> tuple[VideoSource, VideoSource]:
    low = VideoSource(ssrc=40, rid="q", next_number=65530, next_timestamp=1 << 31, next_picture_id=32766, tl0=254)
    high = VideoSource(ssrc=41, rid="f", next_number=3, next_timestamp=77, next_picture_id=5, tl0=100)
    return low, high


def numbers(packets: list[Received]) -> list[int]:
    return [packet.number for packet in packets]


def pictures(packets: list[Received]) -> list[tuple[int | None, int | None]]:
    described = [vp8.parse(packet.payload) for packet in packets]
    return [(each.picture_id, each.tl0_picture_index) for each in described if each is not None]


def test_video_starts_at_a_key_frame(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, _ = simulcast()
    assert scene.send(*low.frame(3)) == []
    assert scene.dropped("awaiting_key_frame") == 3
    assert numbers(scene.send(*low.frame(2, key=True), *low.frame())) == [100, 101, 102]


def test_without_a_layer_nothing_is_sent(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=None)
    low, _ = simulcast()
    assert scene.send(*low.frame(key=True)) == []
    assert scene.dropped("paused") == 1
    transmission = scene.plane.transmission(100)
    assert (transmission.track, transmission.layer, transmission.timestamp_at_s) == (TRACK, None, None)


def test_switches_at_a_key_frame_only_and_the_old_layer_goes_on_until_then(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = simulcast()
    got = scene.send(*low.frame(2, key=True), *high.frame(3, key=True))
    assert numbers(got) == [100, 101]
    assert scene.dropped("other_layer") == 3
    scene.plane.set_layer(100, 2)
    got += scene.send(*low.frame(), *high.frame(2), *low.frame())
    assert scene.dropped("awaiting_key_frame") == 2
    got += scene.send(*low.frame(key=True), *high.frame(2, key=True), *low.frame(), *high.frame())
    assert scene.dropped("other_layer") == 4
    assert numbers(got) == list(range(100, 108))
    assert pictures(got) == [(0, 0), (0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (4, 4), (5, 5)]
    switched = scene.events(Switched)
    assert [(event.layer, event.timestamp) for event in switched] == [(0, 5000), (2, got[5].timestamp)]


def test_up_and_down_and_up_keeps_every_number_running(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = simulcast()
    got = scene.send(*low.frame(key=True))
    for wanted in (2, 0, 2, 2, 0):
        scene.plane.set_layer(100, wanted)
        got += scene.send(*low.frame(2, key=True), *high.frame(3, key=True), after_s=0.033)
        got += scene.send(*low.frame(2), *high.frame(3), after_s=0.033)
    assert numbers(got) == list(range(100, 100 + len(got)))
    ids = [picture_id for picture_id, _ in pictures(got)]
    assert all(b in (a, a + 1) for a, b in itertools.pairwise(ids) if a is not None)
    timestamps = [packet.timestamp for packet in got]
    assert timestamps == sorted(timestamps)


def test_a_wish_taken_back_leaves_the_current_layer_alone(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = simulcast()
    got = scene.send(*low.frame(key=True))
    scene.plane.set_layer(100, 2)
    scene.plane.set_layer(100, 0)
    got += scene.send(*high.frame(key=True), *low.frame())
    assert numbers(got) == [100, 101]
    assert len(scene.events(Switched)) == 1


def test_pausing_stops_at_once_and_resuming_waits_for_a_key_frame(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, _ = simulcast()
    got = scene.send(*low.frame(key=True))
    scene.plane.set_layer(100, None)
    got += scene.send(*low.frame(), *low.frame(key=True), after_s=1.0)
    assert scene.dropped("paused") == 2
    scene.plane.set_layer(100, 0)
    got += scene.send(*low.frame(), *low.frame(key=True), after_s=1.0)
    assert numbers(got) == [100, 101]
    assert pictures(got) == [(0, 0), (1, 1)]
    assert got[1].timestamp - got[0].timestamp == 2 * 90000


def test_another_track_continues_the_same_stream(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    first = VideoSource(ssrc=40)
    got = scene.send(*first.frame(2, key=True), *first.frame(2))
    scene.connect(2)
    scene.plane.add_track(12, 2, SIMULCAST)
    scene.plane.set_route(100, 12)
    second = VideoSource(ssrc=40, rid="h", next_number=9, next_timestamp=5, next_picture_id=77, tl0=7)
    assert scene.send(*second.frame(key=True), transport=2) == []
    assert scene.dropped("paused") == 1
    scene.plane.set_layer(100, 1)
    got += scene.send(*second.frame(2, key=True), transport=2, after_s=0.1)
    assert scene.send(*first.frame(key=True)) == []
    assert numbers(got) == [100, 101, 102, 103, 104, 105]
    assert pictures(got) == [(0, 0), (0, 0), (1, 1), (1, 1), (2, 2), (2, 2)]
    assert {packet.header.ssrc for packet in got} == {7000}


def test_a_frame_cut_off_by_the_switch_leaves_no_gap(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = simulcast()
    scene.send(*low.frame(key=True))
    scene.plane.set_layer(100, 2)
    first, second, third = low.frame(3)
    got = scene.send(first, second, *high.frame(key=True), third)
    assert numbers(got) == [101, 102, 103]
    assert scene.dropped("other_layer") == 1


def test_a_loss_just_before_the_switch_leaves_no_gap_either(make_plane: MakePlane) -> None:
    """Nobody would ever send that number: the old layer's late packets go nowhere."""
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = simulcast()
    scene.send(*low.frame(key=True))
    scene.plane.set_layer(100, 2)
    lost = low.frame()
    got = scene.send(low.padding(), *high.frame(key=True), *lost)
    assert numbers(got) == [101]


def test_packets_from_before_the_switch_are_not_sent_after_it(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = simulcast()
    scene.send(*low.frame(key=True))
    scene.plane.set_layer(100, 2)
    late = high.frame(2)
    got = scene.send(*high.frame(key=True), *late, *high.frame())
    assert numbers(got) == [101, 102]
    assert scene.dropped("before_switch") == 2


def test_a_key_frame_whose_beginning_comes_late_is_sent_whole(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = simulcast()
    scene.send(*low.frame(key=True))
    scene.plane.set_layer(100, 2)
    first, *others = high.frame(4, key=True)
    after = high.frame(2)
    assert scene.send(others[0], others[2], *after) == []
    got = scene.send(high.repair(3, 1, 51))
    assert numbers(got) == [101, 102, 104, 105, 106]
    assert pictures(got) == [(1, 1), (1, 1), (1, 1), (2, 2), (2, 2)]
    assert [packet.header.marker for packet in got] == [False, False, True, False, True]
    (late,) = scene.send(others[1])
    assert late.number == 103
    assert scene.send(first) == []
    assert scene.dropped("duplicate") == 1


def test_h264_waits_for_lost_parameter_sets_and_starts_when_they_come_back(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    parameters, slice_, end = b"\x67\x42\xe0\x1f", b"\x7c\x85" + bytes(20), b"\x7c\x45" + bytes(20)
    before = media_packet(H264, 1, 3000, 33, b"\x41" + bytes(9), mid="0", marker=True)
    rest = (media_packet(H264, 3, 6000, 33, slice_), media_packet(H264, 4, 6000, 33, end, marker=True))
    assert scene.send(before, *rest) == []
    assert scene.events(KeyFrameReceived) == []
    got = scene.send(media_packet(H264_RTX, 1, 6000, 34, b"\0\2" + parameters, mid="0"))
    assert [packet.payload for packet in got] == [parameters, slice_, end]
    assert numbers(got) == [100, 101, 102]
    assert len(scene.events(KeyFrameReceived)) == 1


def test_of_two_key_frames_on_the_way_the_first_to_arrive_counts(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=2)
    _, high = simulcast()
    earlier, between, later = high.frame(key=True), high.frame(), high.frame(key=True)
    got = scene.send(*later, *earlier, *between, *high.frame())
    assert numbers(got) == [100, 101]
    assert scene.dropped("before_switch") == 2


def test_key_frames_are_told_once_each(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    low, high = simulcast()
    scene.send(*low.frame(3, key=True), *high.frame(3, key=True), *low.frame(), *low.frame(key=True))
    assert scene.events(KeyFrameReceived) == [
        KeyFrameReceived(TRACK, 0),
        KeyFrameReceived(TRACK, 2),
        KeyFrameReceived(TRACK, 0),
    ]


def test_audio_pauses_and_resumes_at_once(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, AUDIO)
    scene.subscribe(spec=audio_slot())
    got = scene.send(opus_packet(1, 0))
    scene.plane.set_layer(100, None)
    assert scene.send(opus_packet(2, 960), after_s=0.02) == []
    scene.plane.set_layer(100, 0)
    got += scene.send(opus_packet(3, 1920), after_s=0.02)
    assert numbers(got) == [200, 201]
    assert got[1].timestamp - got[0].timestamp == 1920


def test_late_audio_takes_its_place_and_a_duplicate_does_not(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, AUDIO)
    scene.subscribe(spec=audio_slot())
    got = scene.send(opus_packet(10, 0), opus_packet(12, 1920), opus_packet(11, 960), opus_packet(9, 0))
    assert numbers(got) == [200, 202, 201]
    assert scene.dropped("before_switch") == 1


def test_what_carries_nothing_leaves_no_gap(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    source = VideoSource(ssrc=4)
    got = scene.send(*source.frame(key=True), source.padding(), source.padding(), *source.frame())
    assert numbers(got) == [100, 101]
    assert scene.dropped("padding") == 2


def test_a_place_kept_for_what_turns_out_to_carry_nothing_is_filled(make_plane: MakePlane) -> None:
    """Else the subscriber would ask for that number ten times."""
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True))
    empty = source.padding()
    assert numbers(scene.send(*source.frame())) == [102]
    (filling,) = scene.send(empty)
    assert (filling.number, filling.payload, filling.header.marker) == (101, b"", False)
    assert scene.plane.counters.forwarded == 2


def test_a_slot_may_watch_its_own_transport(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.plane.add_slot(5, PUBLISHER, audio_slot())
    scene.plane.add_track(12, PUBLISHER, AUDIO)
    scene.plane.set_route(5, 12)
    scene.plane.set_layer(5, 0)
    (datagram,) = scene.plane.on_datagrams([scene.publisher.protect(opus_packet(1, 1))], 1.0)
    assert scene.publisher.open(datagram).header.ssrc == 8000
