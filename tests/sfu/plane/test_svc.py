"""Spatial and temporal layers in one stream, of VP9, AV1 and whatever has a dependency descriptor."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sfu.plane.interface import KeyFrameReceived, TrackSpec
from sfu.wire import dependency_descriptor, vp9
from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import (
    ANY_VIDEO,
    AV1,
    AV1_RTX,
    H264,
    PUBLISHER_IDS,
    VP8,
    VP9,
    VP9_RTX,
    Received,
    media_packet,
    video_slot,
)
from tests.support.svc import LayeredSource, Mark, mark_of

SIMULCAST = TrackSpec("0", "video", ANY_VIDEO.formats, rids=("q", "h"))
FORMS = pytest.mark.parametrize("form", [VP9, AV1], ids=["VP9", "AV1"])


def watching(make_plane: MakePlane, max_temporal_id: int | None = None, max_spatial_id: int | None = None) -> Scene:
    scene = Scene(make_plane, ANY_VIDEO)
    scene.subscribe()
    scene.plane.set_layer(100, 0, max_temporal_id, max_spatial_id)
    return scene


def layered(form: object = AV1, spatial_layers: int = 3) -> LayeredSource:
    assert form in (VP9, AV1)
    return LayeredSource(VP9 if form is VP9 else AV1, spatial_layers, described=form is AV1)


def layers(got: Sequence[Received]) -> list[tuple[int, int]]:
    """(spatial, temporal) of what arrived."""
    return [mark_of(packet.payload)[1:] for packet in got]


def markers(got: Sequence[Received]) -> list[Mark]:
    return [mark_of(packet.payload) for packet in got if packet.header.marker]


def descriptor_of(packet: Received) -> bytes:
    value = packet.element("dependency_descriptor")
    assert value is not None
    return value


def frame_numbers(got: Sequence[Received]) -> list[int]:
    return [int.from_bytes(descriptor_of(packet)[1:3], "big") for packet in got]


def picture_ids(got: Sequence[Received]) -> list[tuple[int | None, int | None]]:
    parsed = [vp9.parse(packet.payload) for packet in got]
    return [(one.picture_id, one.tl0_picture_index) for one in parsed if one is not None]


@FORMS
def test_all_layers_pass_by_default(make_plane: MakePlane, form: object) -> None:
    scene, source = watching(make_plane), layered(form)
    got = scene.send(*source.picture(2, key=True), *source.picture())
    assert layers(got) == [(0, 0), (0, 0), (1, 0), (1, 0), (2, 0), (2, 0), (0, 2), (1, 2), (2, 2)]
    assert markers(got) == [(0, 2, 0), (1, 2, 2)]


@FORMS
def test_the_marker_moves_to_the_last_spatial_layer_that_is_sent(make_plane: MakePlane, form: object) -> None:
    scene, source = watching(make_plane, max_spatial_id=1), layered(form)
    got = scene.send(*source.picture(2, key=True), *source.picture())
    assert layers(got) == [(0, 0), (0, 0), (1, 0), (1, 0), (0, 2), (1, 2)]
    assert markers(got) == [(0, 1, 0), (1, 1, 2)]
    assert [packet.number for packet in got] == list(range(100, 106))
    assert scene.dropped("spatial_layer") == 3


@FORMS
def test_spatial_layers_go_down_with_the_next_picture(make_plane: MakePlane, form: object) -> None:
    scene, source = watching(make_plane), layered(form)
    scene.send(*source.picture(key=True))
    first, *rest = source.picture()
    assert layers(scene.send(first)) == [(0, 2)]
    scene.plane.set_layer(100, 0, None, 0)
    got = scene.send(*rest, *source.picture())
    assert layers(got) == [(1, 2), (2, 2), (0, 1)], "a picture that has begun is sent whole"
    assert markers(got) == [(1, 2, 2), (2, 0, 1)]


@FORMS
def test_spatial_layers_go_up_at_a_key_frame(make_plane: MakePlane, form: object) -> None:
    scene, source = watching(make_plane, max_spatial_id=0), layered(form)
    scene.send(*source.picture(key=True))
    scene.plane.set_layer(100, 0, None, 1)
    assert layers(scene.send(*source.picture(), *source.picture())) == [(0, 2), (0, 1)]
    got = scene.send(*source.picture(key=True), *source.picture())
    assert layers(got) == [(0, 0), (1, 0), (0, 2), (1, 2)]


@FORMS
def test_spatial_layers_go_up_one_by_one_where_they_refer_to_no_earlier_picture(
    make_plane: MakePlane, form: object
) -> None:
    scene, source = watching(make_plane, max_spatial_id=0), layered(form)
    scene.send(*source.picture(key=True))
    scene.plane.set_layer(100, 0)
    assert layers(scene.send(*source.picture(joins=(2,)))) == [(0, 2)], "the layer between is missing"
    assert layers(scene.send(*source.picture(joins=(1,)))) == [(0, 1), (1, 1)]
    got = scene.send(*source.picture(), *source.picture(joins=(2,)), *source.picture())
    assert layers(got) == [(0, 2), (1, 2), (0, 0), (1, 0), (2, 0), (0, 2), (1, 2), (2, 2)]


@FORMS
def test_temporal_layers_go_up_after_a_picture_of_the_base(make_plane: MakePlane, form: object) -> None:
    scene, source = watching(make_plane, max_temporal_id=0), layered(form, 2)
    scene.send(*source.picture(key=True))
    scene.plane.set_layer(100, 0)
    assert scene.send(*source.picture()) == []
    for _ in range(2):
        source.picture()
    got = scene.send(*source.picture(), *source.picture(), *source.picture())
    assert layers(got) == [(0, 0), (1, 0), (0, 2), (1, 2), (0, 1), (1, 1)]


def test_in_vp9_the_middle_layer_may_begin_with_its_own_switching_point(make_plane: MakePlane) -> None:
    scene, source = watching(make_plane, max_temporal_id=0), layered(VP9, 1)
    scene.send(*source.picture(key=True))
    scene.plane.set_layer(100, 0)
    assert layers(scene.send(*source.picture(), *source.picture(), *source.picture())) == [(0, 1), (0, 2)]


@pytest.mark.parametrize("form", [VP8, H264], ids=["VP8", "H264"])
def test_the_descriptor_tells_temporal_layers_of_any_codec(make_plane: MakePlane, form: object) -> None:
    scene = watching(make_plane, max_temporal_id=1)
    source = LayeredSource(VP8 if form is VP8 else H264, 1)
    got = scene.send(*source.picture(2, key=True), *source.picture(), *source.picture(), *source.picture())
    assert layers(got) == [(0, 0), (0, 0), (0, 1)]
    assert [packet.number for packet in got] == [100, 101, 102]
    assert all(packet.element("dependency_descriptor") is None for packet in got), "only AV1 needs it"


def test_the_descriptor_is_believed_rather_than_the_payload(make_plane: MakePlane) -> None:
    """As when the payload is encrypted end to end: each packet looks like the beginning of a VP8 key frame."""
    scene, source = watching(make_plane, max_temporal_id=0), LayeredSource(VP8, 1)
    noise = b"\x10\x00\x00\x00\x9d\x01\x2a\x40\x01\xb4\x00"
    pictures = [source.picture(key=True), source.picture(), source.picture()]
    for picture in pictures:
        picture[0] = _with_payload(picture[0], noise, source)
    got = scene.send(*[packet for picture in pictures[1:] for packet in picture])
    assert got == []
    got = scene.send(*pictures[0], *_again(source, noise))
    assert len(got) == 2 and len(scene.events(KeyFrameReceived)) == 1


def _with_payload(packet: bytes, payload: bytes, source: LayeredSource) -> bytes:
    from sfu.wire import rtp

    header = rtp.parse(packet)
    value = header.extensions[PUBLISHER_IDS.dependency_descriptor]
    return media_packet(
        VP8, header.sequence_number, header.timestamp, source.ssrc, payload,
        marker=header.marker, mid="0", more=((PUBLISHER_IDS.dependency_descriptor, value),),
    )  # fmt: skip


def _again(source: LayeredSource, noise: bytes) -> list[bytes]:
    """Two pictures, of the upper and of the base layer."""
    return [_with_payload(source.picture(temporal_id=each)[0], noise, source) for each in (2, 0)]


def test_what_cannot_be_read_yet_is_no_beginning_whatever_the_payload_says(make_plane: MakePlane) -> None:
    scene = watching(make_plane)
    broken = ((PUBLISHER_IDS.dependency_descriptor, b"\xc0\x00\x01\x80"),)
    assert scene.send(media_packet(AV1, 7, 90, 4, b"\x18key", mid="0", more=broken)) == []


@pytest.mark.parametrize("form", [AV1, H264], ids=["AV1", "H264"])
def test_what_came_before_the_structure_is_read_when_that_comes(make_plane: MakePlane, form: object) -> None:
    scene, source = watching(make_plane, 1, 0), LayeredSource(AV1 if form is AV1 else H264, 2)
    first, *rest = [*source.picture(2, key=True), *source.picture(), *source.picture()]
    assert scene.send(*rest) == []
    assert layers(scene.send(first)) == [(0, 0), (0, 0), (0, 1)]


def test_what_comes_late_from_before_the_layers_changed_is_left_out(make_plane: MakePlane) -> None:
    scene, source = watching(make_plane), LayeredSource(AV1, 1)
    scene.send(*source.picture(key=True))
    late = source.picture()
    source.template_id_offset = 30
    got = scene.send(*source.picture(key=True), *late)
    assert [(packet.number, bool(packet.payload)) for packet in got] == [(102, True), (101, False)]


def test_av1_without_descriptor_starts_at_a_new_sequence(make_plane: MakePlane) -> None:
    scene = watching(make_plane)
    packets = [media_packet(AV1, 7 + at, 90, 4, payload, mid="0") for at, payload in enumerate((b"\x10d", b"\x18k"))]
    assert [packet.payload for packet in scene.send(*packets)] == [b"\x18k"]


# --- numbers ---------------------------------------------------------------------------------------------------


def test_vp9_picture_ids_keep_their_differences(make_plane: MakePlane) -> None:
    scene, source = watching(make_plane, max_temporal_id=1), LayeredSource(VP9, 2, described=False, flexible=False)
    got = scene.send(*source.picture(key=True))
    for _ in range(4):
        got += scene.send(*source.picture())
    assert picture_ids(got)[::2] == [(0, 0), (2, 0), (4, 1)]
    assert [packet.number for packet in got] == list(range(100, 106))


def test_vp9_counters_run_on_over_a_switch(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, SIMULCAST)
    scene.subscribe()
    low = LayeredSource(VP9, 1, described=False, flexible=False, rid="q")
    high = LayeredSource(
        VP9, 1, described=False, flexible=False, rid="h", ssrc=5, picture_id=9, tl0=200, next_timestamp=7
    )
    got = scene.send(*low.picture(key=True), *low.picture())
    scene.plane.set_layer(100, 1)
    got += scene.send(*low.picture(), *high.picture(key=True), *high.picture())
    assert picture_ids(got) == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1)]


def test_av1_frame_numbers_run_on_over_a_switch_and_the_structure_comes_again(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, SIMULCAST)
    scene.subscribe()
    low = LayeredSource(AV1, 2, rid="q")
    high = LayeredSource(AV1, 1, rid="h", ssrc=5, frame_number=65_530, template_id_offset=20)
    got = scene.send(*low.picture(key=True), *low.picture(temporal_id=0))
    scene.plane.set_layer(100, 1)
    got += scene.send(*high.picture(key=True), *high.picture())
    assert frame_numbers(got) == [0, 1, 2, 3, 4, 5]
    structure = None
    for packet in got:
        described = dependency_descriptor.parse(descriptor_of(packet), structure)
        assert described is not None
        structure = described.structure
    assert structure == high.structure


def test_av1_frame_numbers_keep_the_gaps_of_what_is_left_out(make_plane: MakePlane) -> None:
    scene, source = watching(make_plane, max_spatial_id=0), layered(AV1, 2)
    got = scene.send(*source.picture(key=True), *source.picture(), *source.picture())
    assert frame_numbers(got) == [0, 2, 4]
    assert [packet.number for packet in got] == [100, 101, 102]


def test_a_repeated_packet_has_the_same_fields(make_plane: MakePlane) -> None:
    scene, source = watching(make_plane, max_spatial_id=0), layered(AV1, 2)
    *_, last = scene.send(*source.picture(2, key=True), *source.picture())
    (again,) = scene.retransmit(last.number)
    assert again.header.marker and last.header.marker
    assert descriptor_of(again) == descriptor_of(last)
    assert again.payload[2:] == last.payload


@FORMS
def test_late_packets_of_a_layer_left_out_fill_their_place(make_plane: MakePlane, form: object) -> None:
    scene, source = watching(make_plane, max_spatial_id=0), layered(form, 2)
    scene.send(*source.picture(key=True))
    lower, upper = source.picture()
    scene.send(lower, *source.picture())
    number = source.next_number - 3
    (filling,) = scene.send(source.repair(number, 7, VP9_RTX if form is VP9 else AV1_RTX))
    assert (filling.payload, filling.header.marker, filling.element("dependency_descriptor")) == (b"", False, None)
    assert upper not in (lower, filling)


@FORMS
def test_a_late_packet_meets_the_answer_of_its_picture(make_plane: MakePlane, form: object) -> None:
    scene, source = watching(make_plane, max_spatial_id=0), layered(form, 2)
    scene.send(*source.picture(key=True))
    scene.send(source.picture(2)[0])  # the rest of it is on its way
    number = source.next_number - 1
    scene.plane.set_layer(100, 0)
    scene.send(*source.picture(key=True))
    (filling,) = scene.send(source.repair(number, 7, VP9_RTX if form is VP9 else AV1_RTX))
    assert filling.payload == b""


def test_a_packet_from_before_the_structure_changed_does_not_change_it_back(make_plane: MakePlane) -> None:
    scene, source = watching(make_plane), layered(AV1, 1)
    old = source.picture(key=True)
    scene.send(*source.picture(key=True))
    source.template_id_offset = 30
    scene.send(*source.picture(key=True))
    scene.send(*old)
    scene.plane.set_layer(100, 0, 0)
    assert layers(scene.send(*source.picture(), *source.picture(temporal_id=0))) == [(0, 0)]


# --- counted ---------------------------------------------------------------------------------------------------


@FORMS
def test_counts_what_arrives_by_layer(make_plane: MakePlane, form: object) -> None:
    scene, source = Scene(make_plane, ANY_VIDEO), layered(form, 2)
    scene.send(*source.picture(key=True), *source.picture(), *source.picture())
    (report,) = scene.plane.reception(TRACK)
    assert [[bool(count) for count in row] for row in report.layer_bytes] == [
        [True, True, True, False],
        [True, True, True, False],
        [False] * 4,
    ]
    assert sum(map(sum, report.layer_bytes)) == report.bytes
    assert report.temporal_frames == (1, 1, 1, 0) and report.frames == 3


@FORMS
def test_a_frame_whose_first_packets_are_lost_counts_for_its_temporal_layer(
    make_plane: MakePlane, form: object
) -> None:
    scene, source = Scene(make_plane, ANY_VIDEO), layered(form, 2)
    scene.send(*source.picture(2, key=True), *source.picture(2)[2:], *source.picture(2)[1:])
    (report,) = scene.plane.reception(TRACK)
    assert report.temporal_frames == (1, 1, 1, 0) and report.frames == 3


def test_subscribers_who_do_not_know_the_descriptor_do_without(make_plane: MakePlane) -> None:
    scene, source = watching(make_plane), layered(AV1, 1)
    scene.plane.set_extensions(100, PUBLISHER_IDS, type(PUBLISHER_IDS)(mid=9))
    (got,) = scene.send(*source.picture(key=True))
    assert got.header.extensions == {9: b"v0"}


def test_a_slot_without_the_codec_gets_nothing(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, ANY_VIDEO)
    spec = video_slot()
    payload_types = {codec: types for codec, types in spec.payload_types.items() if codec != "AV1"}
    scene.subscribe(spec=type(spec)("v0", "video", 90000, 7000, 7001, payload_types, 100, 5000))
    assert scene.send(*layered(AV1, 1).picture(key=True)) == []
    assert scene.dropped("no_payload_type") == 1
    assert PUBLISHER in scene.remotes
