"""VP8 temporal layers: left out without a trace, and let in again only where nothing is missing."""

from __future__ import annotations

from sfu.wire import vp8
from tests.support.planes import MakePlane, Scene
from tests.support.rtp import VIDEO, Received, VideoSource

L1T3 = (0, 2, 1, 2)


def watching(make_plane: MakePlane, max_temporal_id: int | None) -> Scene:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    scene.plane.set_layer(100, 0, max_temporal_id)
    return scene


def pattern(source: VideoSource, sync: bool = False) -> list[bytes]:
    """One round of L1T3, each frame of two packets; `sync`: the upper layers depend on the base only."""
    made = []
    for temporal_id in L1T3:
        made += source.frame(2, temporal_id=temporal_id, sync=sync and temporal_id > 0)
    return made


def described(packets: list[Received]) -> list[tuple[int | None, int | None, int | None]]:
    parsed = [vp8.parse(packet.payload) for packet in packets if packet.payload]
    return [(each.temporal_id, each.picture_id, each.tl0_picture_index) for each in parsed if each is not None]


def test_left_out_layers_leave_no_gap_in_any_number(make_plane: MakePlane) -> None:
    scene = watching(make_plane, 1)
    source = VideoSource(ssrc=4)
    got = scene.send(*source.frame(2, key=True), *pattern(source), *pattern(source))
    assert [packet.number for packet in got] == list(range(100, 110))
    assert described(got)[::2] == [(0, 0, 0), (0, 1, 1), (1, 2, 1), (0, 3, 2), (1, 4, 2)]
    assert scene.dropped("temporal_layer") == 8
    gaps = [b.timestamp - a.timestamp for a, b in zip(got[::2], got[2::2], strict=False)]
    assert gaps == [3000, 6000, 6000, 6000]


def test_all_layers_pass_by_default(make_plane: MakePlane) -> None:
    scene = watching(make_plane, None)
    source = VideoSource(ssrc=4)
    assert len(scene.send(*source.frame(key=True), *pattern(source))) == 9


def test_lowering_works_at_once_but_does_not_cut_off_a_frame(make_plane: MakePlane) -> None:
    scene = watching(make_plane, None)
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True))
    first, second = source.frame(2, temporal_id=2)
    assert len(scene.send(first)) == 1
    scene.plane.set_layer(100, 0, 0)
    assert len(scene.send(second, *source.frame(temporal_id=1))) == 1
    (got,) = scene.send(*source.frame())
    assert (got.number, described([got])) == (103, [(0, 2, 1)])


def test_raising_waits_for_sync_frames_layer_by_layer(make_plane: MakePlane) -> None:
    scene = watching(make_plane, 0)
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True))
    scene.plane.set_layer(100, 0, 2)
    assert [each[0] for each in described(scene.send(*pattern(source)))][::2] == [0]
    assert [each[0] for each in described(scene.send(*pattern(source, sync=True)))][::2] == [0, 1, 2]
    assert [each[0] for each in described(scene.send(*pattern(source)))][::2] == [0, 2, 1, 2]


def test_a_sync_frame_of_the_top_layer_does_not_let_in_what_hangs_on_the_middle_one(make_plane: MakePlane) -> None:
    scene = watching(make_plane, 0)
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True))
    scene.plane.set_layer(100, 0, 2)
    assert scene.send(*source.frame(temporal_id=2, sync=True), *source.frame(temporal_id=1)) == []
    assert len(scene.send(*source.frame(temporal_id=1, sync=True), *source.frame(temporal_id=2))) == 1


def test_a_key_frame_lets_all_layers_in(make_plane: MakePlane) -> None:
    scene = watching(make_plane, 0)
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True))
    scene.plane.set_layer(100, 0, 1)
    got = scene.send(*source.frame(key=True), *pattern(source))
    assert [each[0] for each in described(got)] == [0, 0, 0, 1, 1]


def test_a_sync_frame_that_lacks_its_beginning_does_not_count(make_plane: MakePlane) -> None:
    scene = watching(make_plane, 0)
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True))
    scene.plane.set_layer(100, 0, 1)
    first, second = source.frame(2, temporal_id=1, sync=True)
    assert scene.send(second) == []
    (filling,) = scene.send(first)
    assert filling.payload == b""


def test_late_packets_of_a_frame_left_out_fill_their_place(make_plane: MakePlane) -> None:
    scene = watching(make_plane, 0)
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True))
    late, in_time = source.frame(2, temporal_id=2)
    got = scene.send(in_time, *source.frame())
    assert [packet.number for packet in got] == [102]
    (filling,) = scene.send(late)
    assert (filling.number, filling.payload) == (101, b"")
    assert [each[1] for each in described(got)] == [1]


def test_late_packets_of_a_frame_sent_find_their_number_and_picture(make_plane: MakePlane) -> None:
    scene = watching(make_plane, 1)
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True))
    round_ = pattern(source)
    late = round_.pop(5)  # the second packet of the frame in layer 1
    scene.send(*round_)
    scene.send(*pattern(source))
    (got,) = scene.send(late)
    assert got.number == 104
    assert described([got]) == [(1, 2, 1)]


def test_a_frame_that_was_lost_whole_keeps_its_picture_id(make_plane: MakePlane) -> None:
    scene = watching(make_plane, 1)
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True))
    lost = source.frame(2, temporal_id=1)
    after = scene.send(*source.frame(temporal_id=2), *source.frame())
    assert described(after) == [(0, 2, 1)]
    got = scene.send(*lost)
    assert [packet.number for packet in got] == [101, 102]
    assert described(got) == [(1, 1, 0), (1, 1, 0)]


def test_picture_ids_that_start_anew_without_a_new_ssrc_go_on_rising(make_plane: MakePlane) -> None:
    scene = watching(make_plane, None)
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True), *source.frame())
    source.next_picture_id, source.tl0 = 3, 0
    got = scene.send(*source.frame(key=True), *source.frame())
    assert described(got) == [(0, 2, 2), (0, 3, 3)]
