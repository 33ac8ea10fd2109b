"""The outgoing RTP clock: one line per SSRC, whatever it carries."""

from __future__ import annotations

import itertools

import pytest

from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import AUDIO, SIMULCAST, VideoSource, audio_slot, opus_packet

RATE = 90_000
WRAP = 1 << 32


def advance(later: int, earlier: int) -> int:
    return (later - earlier + WRAP // 2) % WRAP - WRAP // 2


def line_at(pair: tuple[int, float] | None, at_s: float) -> float:
    """Where the reported line is at a server time, relative to the Slot's first timestamp."""
    assert pair is not None
    return advance(pair[0], 5000) + (at_s - pair[1]) * RATE


def layers(scene: Scene, clocks: bool = True) -> tuple[VideoSource, VideoSource]:
    """Two layers of one camera; their RTP bases have nothing to do with each other. Captured from time 1000 on."""
    low = VideoSource(ssrc=40, rid="q", next_timestamp=(1 << 32) - 4000)
    high = VideoSource(ssrc=41, rid="f", next_timestamp=123_456_789)
    if clocks:
        scene.plane.set_clock(TRACK, 0, low.next_timestamp % WRAP, 1000.0)
        scene.plane.set_clock(TRACK, 2, high.next_timestamp % WRAP, 1000.0)
    return low, high


def test_a_switch_keeps_the_spacing_of_capture_times_exactly(make_plane: MakePlane) -> None:
    """Frames 1/30 s apart; what the network does to their arrival is not seen."""
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = layers(scene)
    delays = (0.030, 0.033, 0.090, 0.031, 0.055, 0.120, 0.030, 0.035)
    timestamps = []
    for number, delay in enumerate(delays):
        if number == 4:
            scene.plane.set_layer(100, 2)
        if number == 6:
            scene.plane.set_layer(100, 0)
        key = number in (0, 4, 6)
        scene.now = 1000.0 + number / 30 + delay
        timestamps += [got.timestamp for got in scene.send(*low.frame(key=key), *high.frame(key=key), after_s=0.0)]
    # Both layers show the same pictures. At the switch up, picture 4 of the low layer has just left; the same picture
    # of the high one follows a millisecond on, which the next switch takes back.
    steps = [advance(b, a) for a, b in itertools.pairwise(timestamps)]
    assert steps == [3000, 3000, 3000, 3000, 90, 3000, 3000 - 90, 3000]


def test_the_reported_line_does_not_jump_at_a_switch(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = layers(scene)
    scene.now = 1000.03
    scene.send(*low.frame(key=True), after_s=0.0)
    high.frame()
    before = scene.plane.transmission(100).timestamp_at_s
    scene.plane.set_layer(100, 2)
    scene.now = 1000.11
    scene.send(*high.frame(key=True), after_s=0.0)
    after = scene.plane.transmission(100).timestamp_at_s
    assert line_at(after, 1001.0) == pytest.approx(line_at(before, 1001.0), abs=1)


def test_until_the_first_sender_report_arrival_times_are_the_line(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = layers(scene, clocks=False)
    scene.now = 1000.03
    scene.send(*low.frame(key=True), after_s=0.0)
    assert scene.plane.transmission(100).timestamp_at_s == (5000, 1000.03)
    high.frame()
    scene.plane.set_layer(100, 2)
    scene.now = 1000.08
    (got,) = scene.send(*high.frame(key=True), after_s=0.0)
    assert advance(got.timestamp, 5000) == round(0.05 * RATE)
    assert scene.plane.transmission(100).timestamp_at_s == (got.timestamp, 1000.08)


def test_the_next_switch_corrects_what_arrival_times_got_wrong(make_plane: MakePlane) -> None:
    """The first frame was 100 ms late; reports for both layers come before the switch."""
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = layers(scene, clocks=False)
    first_low, first_high = low.next_timestamp, high.next_timestamp
    scene.now = 1000.1
    scene.send(*low.frame(key=True), *high.frame(key=True), after_s=0.0)
    scene.plane.set_clock(TRACK, 0, first_low % WRAP, 1000.0)
    scene.plane.set_clock(TRACK, 2, first_high % WRAP, 1000.0)
    assert scene.plane.transmission(100).timestamp_at_s == (5000, 1000.0)
    for _ in range(2):
        low.frame()
        high.frame()
    scene.plane.set_layer(100, 2)
    scene.now = 1000.13
    (got,) = scene.send(*high.frame(key=True), after_s=0.0)
    assert advance(got.timestamp, 5000) == 3 * 3000


def test_a_drifting_publisher_is_followed_and_nothing_is_saved_up_for_the_switch(make_plane: MakePlane) -> None:
    """Its clock runs 100 ppm fast for an hour: 360 ms against ours."""
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = layers(scene)
    base_low, base_high = low.next_timestamp, high.next_timestamp
    scene.send(*low.frame(key=True), after_s=0.03)
    hour = round(3600 * RATE * 1.0001)
    low.next_timestamp, high.next_timestamp = base_low + hour, base_high + hour
    scene.plane.set_clock(TRACK, 0, low.next_timestamp % WRAP, 4600.0)
    scene.plane.set_clock(TRACK, 2, high.next_timestamp % WRAP, 4600.0)
    scene.now = 4600.03
    (last,) = scene.send(*low.frame(), after_s=0.0)
    high.frame()
    scene.plane.set_layer(100, 2)
    (switched,) = scene.send(*high.frame(key=True), after_s=0.033)
    assert advance(switched.timestamp, last.timestamp) == 3000


def test_timestamps_move_on_at_least_a_millisecond_and_audio_a_packet(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, high = layers(scene)
    (first,) = scene.send(*low.frame(key=True))
    scene.plane.set_layer(100, 2)
    (second,) = scene.send(*high.frame(key=True))
    assert advance(second.timestamp, first.timestamp) == RATE // 1000

    scene = Scene(make_plane, AUDIO)
    scene.subscribe(spec=audio_slot())
    scene.connect(2)
    scene.plane.add_track(12, 2, AUDIO)
    (first,) = scene.send(opus_packet(1, 0))
    scene.plane.set_route(100, 12)
    scene.plane.set_layer(100, 0)
    (second,) = scene.send(opus_packet(1, 999_999), transport=2)
    assert advance(second.timestamp, first.timestamp) == 960


@pytest.mark.parametrize("error_s", [-1e6, -60.0, 60.0, 1e6])
def test_a_publisher_that_lies_about_time_does_not_move_the_next_ones_timestamps(
    make_plane: MakePlane, error_s: float
) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, _ = layers(scene)
    honest = VideoSource(ssrc=9, rid="q", next_timestamp=42)
    scene.connect(2)
    scene.plane.add_track(12, 2, SIMULCAST)
    (first,) = scene.send(*low.frame(key=True))
    scene.plane.set_clock(TRACK, 0, low.next_timestamp % WRAP, 1000.0 + error_s)
    scene.plane.set_route(100, 12)
    scene.plane.set_layer(100, 0)
    scene.plane.set_clock(12, 0, 42, scene.now + 0.4)
    (second,) = scene.send(*honest.frame(key=True), transport=2, after_s=0.5)
    assert advance(second.timestamp, first.timestamp) == pytest.approx(0.5 * RATE, abs=0.2 * RATE)


def test_within_a_stretch_the_publishers_timestamps_are_only_shifted(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    low, _ = layers(scene)
    scene.send(*low.frame(key=True))
    low.next_timestamp += 12_345
    scene.plane.set_clock(TRACK, 0, 7, 900.0)
    (got,) = scene.send(*low.frame(), after_s=5.0)
    assert advance(got.timestamp, 5000) == 3000 + 12_345


def test_nothing_is_reported_before_the_first_packet_and_the_line_outlives_its_track(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe(layer=0)
    assert scene.plane.transmission(100).timestamp_at_s is None
    low, _ = layers(scene)
    scene.send(*low.frame(key=True))
    before = scene.plane.transmission(100).timestamp_at_s
    scene.plane.remove_transport(PUBLISHER)
    assert scene.plane.transmission(100).timestamp_at_s == before
