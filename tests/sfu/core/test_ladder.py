"""What a Track can be forwarded as."""

from __future__ import annotations

import pytest

from sfu.core.flow import LayerFlow, LayerPart
from sfu.core.ladder import CAMERA_PIXELS, Rung, assumed_pixels, ladder

KBPS = 1000


def layer(index: int, kbps: int, *, usable: bool = True, parts: tuple[LayerPart, ...] = ()) -> LayerFlow:
    return LayerFlow(index, flows=usable, usable=usable, bitrate_bps=kbps * KBPS, parts=parts)


def temporal(index: int, *kbps: int) -> LayerFlow:
    parts = tuple(LayerPart(0, temporal_id, rate * KBPS) for temporal_id, rate in enumerate(kbps))
    return layer(index, sum(kbps), parts=parts)


QHF = (layer(0, 150), layer(1, 500), layer(2, 2000))
TEMPORAL = (temporal(0, 60, 40, 50), temporal(1, 200, 140, 160), temporal(2, 800, 560, 640))
SVC = layer(0, 1500, parts=tuple(LayerPart(s, t, (s + 1) * 100 * KBPS) for s in range(3) for t in range(2)))


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


def test_a_rung_is_the_same_at_another_price() -> None:
    assert Rung(1, 100, 5, 15.0, 1).is_as(Rung(1, 200, 5, 15.0, 1))
    assert not Rung(1, 100, 5).is_as(Rung(1, 100, 5, 15.0, 1))
    assert not Rung(1, 100, 5).is_as(None)
