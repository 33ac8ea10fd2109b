"""What is told to people of one Transport, Track or Slot."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from sfu.plane.interface import Path
from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import SIMULCAST, VideoSource


def described(text: dict[str, object]) -> dict[str, Any]:
    """As it comes out of JSON."""
    return cast(dict[str, Any], json.loads(json.dumps(text)))


@pytest.fixture
def scene(make_plane: MakePlane) -> Scene:
    """Two layers arrive, one is sent; a packet is missing, and one layer too many comes."""
    scene = Scene(make_plane, SIMULCAST)
    scene.subscribe(layer=1)
    low, high = VideoSource(ssrc=40, rid="q"), VideoSource(ssrc=41, rid="h")
    scene.send(*low.frame(3, key=True))
    first, _, third = high.frame(3, key=True)
    scene.send(first, third, after_s=0.5)
    scene.send(high.repair(1000, 1, rtx_ssrc=51))
    scene.plane.set_clock(TRACK, 1, 50_000, 1000.25)
    scene.plane.add_sink(70, "@x")
    scene.plane.set_tap(70, TRACK, [2, 0])
    return scene


def test_a_transport(scene: Scene) -> None:
    scene.plane.bind(PUBLISHER, Path(0, "2001:db8:1:2::77", 9))
    text = described(scene.plane.describe_transport(PUBLISHER))
    assert text["paths"] == [
        {"local": 0, "host": "10.0.0.x", "port": 5001},
        {"local": 0, "host": "2001:db8:1::x", "port": 9},
    ]
    assert text["selected"] == text["paths"][0]
    assert text["has_keys"] is True
    assert text["receive_extensions"] == {
        "mid": 1, "rid": 2, "repaired_rid": 3, "transport_cc": 5, "audio_level": 6, "video_orientation": 7,
        "playout_delay": 8, "dependency_descriptor": 9,
    }  # fmt: skip
    assert text["send_extensions"]["abs_send_time"] == 3
    assert text["sources"] == [
        {"ssrc": 40, "rtx": False, "track": TRACK, "layer": 0},
        {"ssrc": 41, "rtx": False, "track": TRACK, "layer": 1},
        {"ssrc": 51, "rtx": True, "track": TRACK, "layer": 1},
    ]
    assert (text["tracks"], text["slots"], text["heard_ssrcs"]) == ([TRACK], [], 3)
    assert described(scene.plane.describe_transport(100))["next_transport_number"] == 2


def test_a_transport_that_nobody_has_connected(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.plane.add_transport(5)
    text = described(scene.plane.describe_transport(5))
    assert (text["selected"], text["has_keys"], text["send_extensions"]) == (None, False, {})


def test_a_track_and_its_layers(scene: Scene) -> None:
    text = described(scene.plane.describe_track(TRACK))
    assert (text["transport"], text["mid"], text["kind"], text["rids"]) == (PUBLISHER, "0", "video", ["q", "h", "f"])
    assert text["formats"][1] == {"payload_type": 97, "codec": "VP8", "repairs": 96}
    assert (text["slots"], text["taps"]) == ([100], [{"sink": 70, "layers": [0, 2]}])
    low, high, silent = text["layers"]
    assert (low["ssrc"], low["packets"], low["clock"]) == (40, 3, None)
    assert (high["rtx_ssrc"], high["highest_sequence_number"]) == (51, 1002)
    assert high["history"] == {"newest": 1002, "held": 2}
    assert high["clock"] == {"timestamp": 50_000, "at_s": 1000.25}
    assert high["dropped"] == {"duplicate": 1}
    assert (silent["ssrc"], silent["highest_sequence_number"], silent["dropped"]) == (None, None, {})
    assert silent["history"] == {"newest": None, "held": 0}


def test_a_slot_and_why_it_left_packets_out(scene: Scene) -> None:
    text = described(scene.plane.describe_slot(100))
    assert (text["track"], text["wanted_layer"], text["layer"]) == (TRACK, 1, 1)
    assert text["switched_at_s"] == 1000.501
    assert text["sequence_numbers"] == {"first": 1000, "newest": 1002, "last_sent": 102, "next_rtx": 100}
    assert text["timestamps"]["pair"]["at_s"] == 1000.25
    assert text["history"] == {"newest": 102, "held": 2}
    assert text["packets"] == 2
    assert text["dropped"] == {"other_layer": 3}
    scene.plane.set_route(100, None)
    text = described(scene.plane.describe_slot(100))
    assert (text["track"], text["wanted_layer"], text["layer"], text["history"]["held"]) == (None, None, None, 0)


def test_drops_are_counted_for_each_slot_by_itself(scene: Scene) -> None:
    scene.subscribe(101, layer=None)
    scene.send(*VideoSource(ssrc=40, rid="q", next_number=2000).frame(2))
    assert described(scene.plane.describe_slot(101))["dropped"] == {"paused": 2}
    assert described(scene.plane.describe_slot(100))["dropped"] == {"other_layer": 5}


def test_unknown_ones_are_mistakes_of_ours(scene: Scene) -> None:
    for describe in (scene.plane.describe_transport, scene.plane.describe_track, scene.plane.describe_slot):
        with pytest.raises(KeyError):
            describe(999)
