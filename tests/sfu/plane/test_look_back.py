"""Who begins to be heard begins a moment ago: what is kept of sound, and when it may be sent."""

from __future__ import annotations

import itertools

from sfu.plane.interface import Switched
from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import AUDIO, SIMULCAST, Received, VideoSource, audio_slot, opus_packet

SPACING_S = 0.02
SAMPLES = 960


class Voice:
    """A packet every 20 ms."""

    def __init__(self, scene: Scene, *, ssrc: int = 400, base: int = 0) -> None:
        self.number = base
        self._scene = scene
        self._ssrc = ssrc
        self._timestamp = base * 7

    def speak(self, packets: int) -> list[Received]:
        got = []
        for _ in range(packets):
            self.number += 1
            self._timestamp += SAMPLES
            got += self._scene.send(opus_packet(self.number, self._timestamp, ssrc=self._ssrc), after_s=SPACING_S)
        return got


def heard(make_plane: MakePlane, *, layer: int | None = None) -> Scene:
    scene = Scene(make_plane, AUDIO)
    scene.subscribe(layer=layer, spec=audio_slot())
    return scene


def look_back(scene: Scene, by_s: float = 0.1) -> list[Received]:
    scene.plane.set_layer(100, 0, look_back=(scene.now - by_s, scene.now))
    return scene.remotes[100].open_all(scene.plane.take_output())


def steps(got: list[Received]) -> list[tuple[int, int]]:
    """By how much number and timestamp go on."""
    return [(b.number - a.number, b.timestamp - a.timestamp) for a, b in itertools.pairwise(got)]


def test_what_has_just_been_said_is_sent_at_once_and_the_rest_follows_on(make_plane: MakePlane) -> None:
    scene = heard(make_plane)
    voice = Voice(scene)
    assert voice.speak(20) == []
    got = look_back(scene)
    assert len(got) == 6, "100 ms, both ends included"
    (switched,) = scene.events(Switched)
    assert switched.timestamp == got[0].timestamp
    got += voice.speak(3)
    assert steps(got) == [(1, SAMPLES)] * 8, "nothing is missing, nothing shifted"


def test_no_more_is_kept_than_a_moment(make_plane: MakePlane) -> None:
    scene = heard(make_plane)
    Voice(scene).speak(20)
    assert len(look_back(scene, by_s=10.0)) == 8


def test_timestamps_are_those_of_when_it_was_said(make_plane: MakePlane) -> None:
    """After a pause of a second, in which the plane sent nothing, the line is where it would be."""
    scene = heard(make_plane, layer=0)
    voice = Voice(scene)
    before = voice.speak(5)
    scene.plane.set_layer(100, None)
    assert voice.speak(50) == []
    got = look_back(scene)
    paused = voice.number - 5 - len(got)
    assert steps([before[-1], got[0]]) == [(1, (paused + 1) * SAMPLES)]


def test_not_where_something_was_sent_meanwhile(make_plane: MakePlane) -> None:
    """What another has just said must not be overlapped, nor what he said be said again."""
    scene = heard(make_plane, layer=0)
    scene.plane.add_track(12, PUBLISHER, AUDIO.__class__("9", "audio", AUDIO.formats))
    scene.plane.announce_ssrc(12, 0, 401, rtx=False)
    first, second = Voice(scene), Voice(scene, ssrc=401, base=5000)
    for _ in range(10):
        first.speak(1)
        second.speak(1)
    scene.plane.set_route(100, 12)
    assert look_back(scene) == []
    assert len(second.speak(2)) == 2, "it begins with the next packet"
    scene.plane.set_layer(100, None)
    assert second.speak(2) == []
    assert look_back(scene, by_s=0.06) == [], "too soon"
    scene.plane.set_layer(100, None)
    second.speak(10)
    assert len(look_back(scene)) == 6


def test_what_is_sent_already_goes_on_as_it_is(make_plane: MakePlane) -> None:
    scene = heard(make_plane, layer=0)
    voice = Voice(scene)
    voice.speak(5)
    scene.now += 1.0
    assert look_back(scene, by_s=10.0) == []
    assert len(voice.speak(1)) == 1


def test_pictures_begin_with_a_key_frame_whatever_was_asked(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, SIMULCAST)
    scene.subscribe(layer=None)
    scene.send(*VideoSource(ssrc=40, rid="q").frame(key=True))
    assert look_back(scene) == []
    assert scene.plane.transmission(100).layer is None and TRACK


def test_silence_is_nothing_to_look_back_to(make_plane: MakePlane) -> None:
    """A voice that paused (DTX), or was muted, costs nothing: neither then nor when it is let in."""
    scene = heard(make_plane)
    Voice(scene).speak(20)
    scene.now += 5.0
    assert look_back(scene) == []
    assert scene.plane.counters.forwarded == 0
