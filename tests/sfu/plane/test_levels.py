"""Audio levels: one row per packet that says how loud it is, of all Tracks, in the order of arrival."""

from __future__ import annotations

from sfu.core.audio_levels import LEVEL
from sfu.plane.interface import Plane, PlaneConfig
from tests.support.planes import TRACK, MakePlane, Scene
from tests.support.rtp import AUDIO, OPUS, PUBLISHER_IDS, VIDEO, VideoSource, media_packet, opus_packet


def rows(plane: Plane) -> list[tuple[int, float, int, int]]:
    taken = plane.poll_levels()
    assert taken.dtype == LEVEL
    return [tuple(row.item()) for row in taken]


def test_level_and_voice_come_as_on_the_wire(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, AUDIO)
    scene.send(opus_packet(1, 0, level=30), opus_packet(2, 960, level=0x80), opus_packet(3, 1920, level=0xFF))
    now = scene.now
    assert rows(scene.plane) == [(TRACK, now, 30, 0), (TRACK, now, 0, 1), (TRACK, now, 127, 1)]
    assert rows(scene.plane) == []


def test_tracks_come_in_the_order_of_arrival(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, AUDIO)
    scene.connect(2)
    scene.plane.add_track(12, 2, AUDIO)
    scene.send(opus_packet(1, 0))
    scene.send(opus_packet(1, 0), transport=2)
    scene.send(opus_packet(2, 960))
    noted = rows(scene.plane)
    assert [row[0] for row in noted] == [TRACK, 12, TRACK]
    assert noted[0][1] < noted[1][1] < noted[2][1] == scene.now


def test_what_comes_too_late_or_says_nothing_is_left_out(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, AUDIO)
    silent = media_packet(OPUS, 2, 960, 400, b"\x78" + bytes(10))
    scene.send(opus_packet(1, 0), silent, opus_packet(200, 960), opus_packet(3, 0))
    scene.plane.announce_ssrc(TRACK, 0, 7, rtx=False)  # another sender: the numbers begin anew
    scene.send(opus_packet(3, 0, ssrc=7))
    assert len(rows(scene.plane)) == 3


def test_of_video_nothing_is_noted(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    source = VideoSource(ssrc=3)
    source.frame(key=True)
    loud = media_packet(VIDEO.formats[0], 1, 1, 3, b"x", mid="0", more=((PUBLISHER_IDS.audio_level, b"\x01"),))
    scene.send(loud)
    assert rows(scene.plane) == []


def test_a_track_that_nobody_asks_about_is_limited_and_only_that_one(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, AUDIO, config=PlaneConfig(levels_per_track=3))
    scene.connect(2)
    scene.plane.add_track(12, 2, AUDIO)
    for number in range(10):
        scene.send(opus_packet(number, 960 * number, level=number))
    scene.send(opus_packet(1, 0), transport=2)
    assert [(row[0], row[2]) for row in rows(scene.plane)] == [(TRACK, 0), (TRACK, 1), (TRACK, 2), (12, 30)]
    scene.send(opus_packet(10, 9600, level=10))
    assert [(row[0], row[2]) for row in rows(scene.plane)] == [(TRACK, 10)]


def test_levels_end_with_their_track_also_when_nobody_takes_them(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, AUDIO)
    scene.connect(2)
    scene.plane.add_track(12, 2, AUDIO)
    for number in range(3):
        scene.send(opus_packet(number, 0))
        scene.send(opus_packet(number, 0), transport=2)
    scene.plane.remove_track(TRACK)
    assert [row[0] for row in rows(scene.plane)] == [12, 12, 12]
    scene.plane.remove_track(12)
    assert rows(scene.plane) == []
