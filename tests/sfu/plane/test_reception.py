"""What Python reads of a publisher's layers: receiver report counts, gaps, and what is still missing."""

from __future__ import annotations

import pytest

from sfu.plane.interface import GapSeen, PlaneConfig
from tests.support.planes import TRACK, MakePlane, Scene
from tests.support.rtp import AUDIO, VIDEO, VP8, VideoSource, media_packet, opus_packet, vp8_payload


def video(number: int, timestamp: int, size: int = 94) -> bytes:
    return media_packet(VP8, number, timestamp, 4, vp8_payload(1, 1, size=size), mid="0")


def test_counts_packets_bytes_and_unwrapped_numbers(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    for number in (65534, 65535, 65533, 1, 0):
        scene.send(video(number, 1))
    (layer,) = scene.plane.reception(TRACK)
    assert (layer.layer, layer.ssrc, layer.rtx_ssrc) == (0, 4, None)
    assert (layer.packets, layer.bytes) == (5, 500)
    assert (layer.first_sequence_number, layer.highest_sequence_number) == (65533, 65537)
    assert layer.last_at_s == scene.now


def test_jitter_is_that_of_rfc_3550_over_frames(make_plane: MakePlane) -> None:
    """Frames of 1/30 s, of which every other one is 10 ms late: the transit time changes by 900 ticks each time."""
    scene = Scene(make_plane, VIDEO)
    expected = 0.0
    for number in range(20):
        late = 0.01 if number % 2 else 0.0
        scene.now = 1000 + number / 30 + late
        scene.send(video(2 * number, 3000 * number), after_s=0.0)
        scene.send(video(2 * number + 1, 3000 * number), after_s=0.004)
        if number:
            expected += (900 - expected) / 16
    assert scene.plane.reception(TRACK)[0].jitter == pytest.approx(expected, abs=0.01)


def test_a_gap_is_told_once_and_what_arrives_late_is_no_longer_missing(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.send(video(65534, 1), video(3, 1), video(4, 1))
    assert scene.events(GapSeen) == [GapSeen(TRACK, 0, 65535, 65538)]
    assert scene.plane.missing(TRACK, 0, range(65533, 65545)) == [65533, 65535, 65536, 65537, 65538]
    scene.send(video(0, 1))
    assert scene.plane.missing(TRACK, 0, [65535, 65536, 65537, 65538]) == [65535, 65537, 65538]
    assert len(scene.events(GapSeen)) == 1


def test_a_longer_jump_than_the_history_is_a_restart_not_a_loss(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO, config=PlaneConfig(history_packets=16))
    scene.send(video(1, 1), video(18, 1))
    assert scene.events(GapSeen) == [GapSeen(TRACK, 0, 2, 17)]
    scene.send(video(36, 1))
    assert len(scene.events(GapSeen)) == 1
    assert scene.plane.missing(TRACK, 0, [17, 20, 21]) == [21]


def test_a_restart_does_not_tear_the_subscribers_numbers_apart(make_plane: MakePlane) -> None:
    """A jump of half the number space would make its SRTP lose count, for the next Track in this Slot too."""
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True))
    expected = 100
    for _ in range(5):
        source.next_number += 30_000
        (got,) = scene.send(*source.frame())
        expected += 1 + PlaneConfig().history_packets
        assert got.number == expected


def test_padding_on_the_media_ssrc_is_not_missing(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    source = VideoSource(ssrc=4)
    scene.send(*source.frame(key=True), source.padding(), *source.frame())
    assert scene.events(GapSeen) == []
    assert scene.plane.missing(TRACK, 0, [1001]) == []
    assert scene.plane.reception(TRACK)[0].packets == 3


def test_audio_has_no_gaps_and_misses_nothing(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, AUDIO)
    scene.send(opus_packet(1, 0), opus_packet(9, 960 * 8))
    assert scene.events(GapSeen) == []
    assert scene.plane.missing(TRACK, 0, [2, 3]) == []
    (layer,) = scene.plane.reception(TRACK)
    assert (layer.packets, layer.highest_sequence_number - layer.first_sequence_number) == (2, 8)


def test_frames_are_counted_by_their_timestamps_and_long_gaps_between_them_are_freezes(make_plane: MakePlane) -> None:
    """Thirty a second; then half a second with nothing; then ten a second, to which one becomes used."""
    scene = Scene(make_plane, VIDEO)
    number = 0

    def frames(count: int, gap_s: float) -> tuple[int, int, object]:
        nonlocal number
        for _ in range(count):
            scene.send(video(2 * number, 3000 * number), after_s=gap_s)
            scene.send(video(2 * number + 1, 3000 * number), after_s=0.0)  # its second packet is no other frame
            number += 1
        (layer,) = scene.plane.reception(TRACK)
        return layer.frames, layer.freezes, layer.frozen_s

    assert frames(60, 1 / 30) == (60, 0, 0.0)
    assert frames(1, 0.5) == (61, 1, pytest.approx(0.5))
    assert frames(30, 0.1) == (91, 1, pytest.approx(0.5))
    assert frames(1, 0.2) == (92, 1, pytest.approx(0.5))  # of ten a second, this is not one
    assert frames(1, 0.4) == (93, 2, pytest.approx(0.9))


def test_after_a_long_pause_freezes_are_noticed_as_before(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    for number, gap_s in enumerate([1 / 30] * 10 + [60.0] + [1 / 30] * 10 + [0.5]):
        scene.send(video(number, 3000 * number), after_s=gap_s)
    (layer,) = scene.plane.reception(TRACK)
    assert layer.freezes == 2 and layer.frozen_s == pytest.approx(60.5)
