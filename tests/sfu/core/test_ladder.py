"""What a Track can be forwarded as."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sfu.core.flow import LayerFlow, LayerPart
from sfu.core.ladder import CAMERA_PIXELS, Rung, assumed_pixels, ladder, surged

KBPS = 1000


HALVES = {1: (1.0,), 2: (0.5, 1.0), 3: (0.25, 0.5, 1.0)}  # by number of temporal layers


def layer(
    index: int, kbps: int, *, usable: bool = True, parts: tuple[LayerPart, ...] = (), frame_rate: float | None = None
) -> LayerFlow:
    shares = HALVES[1 + max((part.temporal_id for part in parts), default=0)]
    return LayerFlow(index, usable, usable, kbps * KBPS, parts, frame_rate, shares)


def temporal(index: int, *kbps: int, frame_rate: float | None = None) -> LayerFlow:
    parts = tuple(LayerPart(0, temporal_id, rate * KBPS) for temporal_id, rate in enumerate(kbps))
    return layer(index, sum(kbps), parts=parts, frame_rate=frame_rate)


QHF = (layer(0, 150), layer(1, 500), layer(2, 2000))
UNKNOWN = (temporal(0, 60, 40, 50), temporal(1, 200, 140, 160), temporal(2, 800, 560, 640))
TEMPORAL = tuple(replace(one, frame_rate=30.0) for one in UNKNOWN)
SLOW = tuple(replace(one, frame_rate=15.0) for one in TEMPORAL)
SLIDES = tuple(replace(one, frame_rate=5.0) for one in TEMPORAL)
SVC_PARTS = tuple(LayerPart(s, t, (s + 1) * 100 * KBPS) for s in range(3) for t in range(2))
SVC = layer(0, 1500, parts=SVC_PARTS, frame_rate=30.0)


def named(rung: Rung) -> str:
    spatial = "" if rung.spatial_id is None else f"s{rung.spatial_id}"
    ids = spatial + ("" if rung.temporal_id is None else f"t{rung.temporal_id}")
    return f"{'qhf'[rung.layer]}{ids} {rung.bitrate_bps // KBPS}"


CASES = {
    "simulcast": (QHF, False, "q 150, h 500, f 2000"),
    "nothing": ((), False, ""),
    "a layer that has stopped": ((layer(0, 150, usable=False), QHF[1]), False, "h 500"),
    "temporal layers, smooth before large": (
        TEMPORAL,
        False,
        "qt0 60, qt1 100, q 150, ht1 340, h 500, ft1 1360, f 2000",
    ),
    "the lowest that is sent may be slow": (TEMPORAL[1:], False, "ht0 200, ht1 340, h 500, ft1 1360, f 2000"),
    "of a slow camera, half is too few": (SLOW, False, "qt0 60, qt1 100, q 150, h 500, f 2000"),
    "nor is half taken on trust": (UNKNOWN, False, "qt0 60, qt1 100, q 150, h 500, f 2000"),
    "of a slower one, all are": (SLIDES, False, "qt0 60, qt1 100, q 150, h 500, f 2000"),
    "frames that a screen did not have are none that it will not": (
        tuple(replace(one, frame_rate=1.0) for one in TEMPORAL[1:]),
        True,
        "ht0 200, ft0 800, ft1 1360, f 2000",
    ),
    "a screen is sharp before it moves": (TEMPORAL[1:], True, "ht0 200, ft0 800, ft1 1360, f 2000"),
    "spatial layers": ((SVC,), False, "qs0t0 100, qs0 200, qs1t0 300, qs1 600, qt0 600, q 1200"),
    "a layer that costs more than a better one": ((layer(0, 150), layer(1, 500), layer(2, 400)), False, "q 150, f 400"),
    "or hardly more": ((layer(0, 150), layer(1, 430), layer(2, 400)), False, "q 150, h 430, f 400"),
}


@pytest.mark.parametrize(("layers", "is_screen", "expected"), CASES.values(), ids=CASES.keys())
def test_rungs_ascend(layers: tuple[LayerFlow, ...], is_screen: bool, expected: str) -> None:
    assert ", ".join(map(named, ladder(layers, 3, CAMERA_PIXELS, is_screen=is_screen))) == expected


def test_each_layer_is_half_as_wide_and_high_as_the_next() -> None:
    assert [rung.pixels for rung in ladder(QHF, 3, 1280 * 720)] == [320 * 180, 640 * 360, 1280 * 720]
    assert [rung.pixels for rung in ladder(QHF[:1], 1, 1280 * 720)] == [1280 * 720]
    spatial = ladder((SVC,), 1, 1280 * 720)
    assert sorted({rung.pixels for rung in spatial}) == [320 * 180, 640 * 360, 1280 * 720]


def test_more_layers_mean_a_larger_picture() -> None:
    assert [assumed_pixels(count, is_screen=False) for count in (1, 2, 3, 4)] == [640 * 360] * 2 + [1280 * 720] * 2
    assert assumed_pixels(1, is_screen=True) == 1920 * 1080


def test_each_temporal_layer_has_half_the_frames_of_the_next() -> None:
    assert [rung.frame_rate for rung in ladder(TEMPORAL[:1], 3, CAMERA_PIXELS)] == [7.5, 15.0, 30.0]
    assert [rung.frame_rate for rung in ladder(SLOW[:1], 3, CAMERA_PIXELS)] == [3.75, 7.5, 15.0]
    slides = ladder(SLIDES[:1], 3, CAMERA_PIXELS, is_screen=True)
    assert [rung.frame_rate for rung in slides] == [7.5, 15.0, 30.0], "not how often it happened to change"


def test_two_temporal_layers_that_are_no_neighbours_are_two_rungs() -> None:
    parts = (LayerPart(0, 0, 100), LayerPart(0, 2, 100))
    two = LayerFlow(0, True, True, 200, parts, 30.0, (0.5, 0.5, 1.0))
    assert [(rung.temporal_id, rung.frame_rate) for rung in ladder((two,), 1, CAMERA_PIXELS)] == [
        (0, 15.0),
        (None, 30.0),
    ]


def test_a_rung_is_the_same_at_another_price() -> None:
    assert Rung(1, 100, 5, 15.0, 1).is_as(Rung(1, 200, 5, 15.0, 1))
    assert not Rung(1, 100, 5).is_as(Rung(1, 100, 5, 15.0, 1))
    assert not Rung(1, 100, 5).is_as(None)


def test_a_surge_is_paid_for_by_all_rungs_of_its_layer_and_no_other() -> None:
    rungs = (Rung(0, 100, 1), Rung(1, 200, 4, temporal_id=0), Rung(1, 400, 4))
    assert [rung.bitrate_bps for rung in surged(rungs, {1: 2.5})] == [100, 500, 1000]
    assert surged(rungs, {}) == rungs
