"""Which layer an SSRC belongs to: learned once, kept, and hard to talk out of."""

from __future__ import annotations

from sfu.plane.interface import PlaneConfig, SsrcLearned
from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import (
    AUDIO,
    OPUS,
    SIMULCAST,
    VIDEO,
    VP8,
    VP8_RTX,
    VideoSource,
    audio_slot,
    media_packet,
    opus_packet,
    vp8_payload,
)

KEY = vp8_payload(1, 1, key=True)


def test_a_layer_is_known_by_mid_and_rid_and_its_rtx_by_repaired_rid(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    for number, rid in enumerate(("f", "q", "h")):
        scene.send(media_packet(VP8_RTX, 1, 1, 50 + number, b"", mid="0", repaired_rid=rid, padding=100))
        scene.send(media_packet(VP8, 1, 1, 40 + number, KEY, mid="0", rid=rid))
    assert scene.events(SsrcLearned) == [
        SsrcLearned(TRACK, 2, 50, rtx=True),
        SsrcLearned(TRACK, 2, 40, rtx=False),
        SsrcLearned(TRACK, 0, 51, rtx=True),
        SsrcLearned(TRACK, 0, 41, rtx=False),
        SsrcLearned(TRACK, 1, 52, rtx=True),
        SsrcLearned(TRACK, 1, 42, rtx=False),
    ]
    layers = scene.plane.reception(TRACK)
    assert [(layer.layer, layer.ssrc, layer.rtx_ssrc) for layer in layers] == [(0, 41, 51), (1, 42, 52), (2, 40, 50)]


def test_without_rids_the_mid_and_the_payload_type_are_enough(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.send(media_packet(VP8_RTX, 1, 1, 50, b"", mid="0", padding=10), media_packet(VP8, 1, 1, 40, KEY, mid="0"))
    assert [(event.ssrc, event.rtx) for event in scene.events(SsrcLearned)] == [(50, True), (40, False)]


def test_what_was_learned_outlives_the_extensions(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=1)
    scene.send(media_packet(VP8, 1, 1, 40, KEY, mid="0", rid="h"))
    assert len(scene.send(media_packet(VP8, 2, 2, 40, vp8_payload(2, 2)))) == 1


def test_an_unknown_ssrc_is_counted_until_its_extensions_come(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    bare = media_packet(VP8, 1, 1, 40, KEY)
    rid_only = media_packet(VP8, 2, 1, 40, KEY, rid="q")
    unknown_mid = media_packet(VP8, 3, 1, 40, KEY, mid="9", rid="q")
    unknown_rid = media_packet(VP8, 4, 1, 40, KEY, mid="0", rid="x")
    scene.send(bare, rid_only, unknown_mid, unknown_rid)
    assert scene.dropped("unknown_ssrc") == 4
    scene.send(media_packet(OPUS, 5, 1, 40, KEY, mid="0", rid="q"))
    assert scene.dropped("unknown_payload_type") == 1
    scene.send(media_packet(VP8, 6, 1, 40, KEY, mid="0", rid="q"))
    assert scene.events(SsrcLearned) == [SsrcLearned(TRACK, 0, 40, rtx=False)]


def test_a_known_ssrc_cannot_move_to_another_track(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.plane.add_track(12, PUBLISHER, AUDIO)
    scene.send(media_packet(VP8, 1, 1, 40, KEY, mid="0"), media_packet(OPUS, 2, 2, 40, b"sound", mid="1"))
    assert [event.track for event in scene.events(SsrcLearned)] == [TRACK]
    assert scene.plane.reception(12) == []
    assert scene.dropped("unknown_payload_type") == 1


def test_an_announced_ssrc_needs_no_extension(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    scene.plane.announce_ssrc(TRACK, 0, 40, rtx=False)
    scene.plane.announce_ssrc(TRACK, 0, 41, rtx=True)
    scene.plane.announce_ssrc(TRACK, 0, 41, rtx=True)
    assert len(scene.events(SsrcLearned)) == 2
    assert len(scene.send(media_packet(VP8, 1, 1, 40, KEY))) == 1


def test_an_announced_ssrc_that_is_taken_stays_where_it_is(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.plane.add_track(12, PUBLISHER, AUDIO)
    scene.plane.announce_ssrc(TRACK, 0, 40, rtx=False)
    scene.plane.announce_ssrc(12, 0, 40, rtx=False)
    assert [event.track for event in scene.events(SsrcLearned)] == [TRACK]


def test_ssrcs_of_one_transport_are_limited_and_removing_the_track_frees_them(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO, config=PlaneConfig(ssrcs_per_transport=4))
    for ssrc in range(6):
        scene.send(media_packet(VP8, 1, 1, 40 + ssrc, KEY, mid="0"))
    assert len(scene.events(SsrcLearned)) == 4
    assert scene.dropped("ssrc_limit") == 2
    scene.plane.remove_track(TRACK)
    scene.plane.add_track(12, PUBLISHER, VIDEO)
    scene.send(media_packet(VP8, 1, 1, 60, KEY, mid="0"))
    assert scene.events(SsrcLearned)[-1].track == 12


def test_ssrcs_that_nobody_knows_count_too(make_plane: MakePlane) -> None:
    """libsrtp keeps state for each SSRC it has decrypted."""
    scene = Scene(make_plane, VIDEO, config=PlaneConfig(ssrcs_per_transport=4))
    for ssrc in range(6):
        scene.send(media_packet(VP8, 1, 1, 40 + ssrc, KEY))
    assert (scene.dropped("unknown_ssrc"), scene.dropped("ssrc_limit")) == (4, 2)


def test_a_new_ssrc_takes_a_layer_over_with_numbers_of_its_own(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    old = VideoSource(ssrc=40, rid="q", next_number=60000)
    scene.send(*old.frame(key=True), *old.frame())
    new = VideoSource(ssrc=41, rid="q", next_number=7, next_timestamp=9, next_picture_id=9000)
    assert scene.send(*new.frame()) == []
    assert scene.dropped("awaiting_key_frame") == 1
    got = scene.send(*new.frame(key=True), *new.frame())
    assert [packet.number for packet in got] == [102, 103]
    assert [(r.ssrc, r.packets, r.first_sequence_number) for r in scene.plane.reception(TRACK)] == [(41, 3, 7)]


def test_late_packets_of_the_old_ssrc_do_not_take_the_layer_back(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    old, new = VideoSource(ssrc=40, rid="q"), VideoSource(ssrc=41, rid="q")
    scene.send(*old.frame(key=True))
    late = old.frame()
    assert len(scene.send(*new.frame(key=True), *late, *new.frame())) == 2
    assert scene.dropped("unknown_ssrc") == 1


def test_audio_goes_on_at_once_under_a_new_ssrc(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, AUDIO)
    scene.subscribe(spec=audio_slot())
    scene.send(opus_packet(1, 0, ssrc=400), after_s=0.02)
    (got,) = scene.send(opus_packet(900, 77_777, ssrc=401), after_s=0.02)
    assert (got.number, got.timestamp) == (201, 9000 + 960)


def test_an_rtx_probe_before_the_first_packet_of_a_new_sender_stays_its_rtx(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.send(media_packet(VP8_RTX, 1, 1, 50, b"", mid="0", repaired_rid="q", padding=10))
    scene.send(media_packet(VP8, 1, 1, 40, KEY, mid="0", rid="q"))
    scene.send(media_packet(VP8_RTX, 1, 1, 51, b"", mid="0", repaired_rid="q", padding=10))
    scene.send(media_packet(VP8, 1, 1, 41, KEY, mid="0", rid="q"))
    (layer,) = scene.plane.reception(TRACK)
    assert (layer.ssrc, layer.rtx_ssrc) == (41, 51)


def test_the_rtx_of_the_old_sender_goes_with_it(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, SIMULCAST)
    old, new = VideoSource(ssrc=40, rid="q"), VideoSource(ssrc=41, rid="q", next_number=30)
    scene.send(*old.frame(key=True))
    scene.send(old.repair(1000, 1, 50))
    scene.send(*old.frame())
    scene.send(*new.frame(key=True))
    scene.send(old.repair(1001, 2, 50))
    (layer,) = scene.plane.reception(TRACK)
    assert (layer.ssrc, layer.rtx_ssrc) == (41, None)
    assert scene.dropped("unknown_ssrc") == 1
