"""What a Track can be forwarded as: rungs from the smallest picture to the best, each with its price.

A rung is a simulcast layer, perhaps without its upper spatial and temporal layers (VP9 and AV1 SVC; temporal layers of
VP8, too). Prices are measured (`flow.py`). Sizes are not: they would have to be read from payloads that may be
encrypted, so each layer counts as half as wide and high as the next. Frames are counted, but a screen's: they come as
it changes, and how many did just now says nothing of how many will.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sfu.core.flow import LayerFlow

# What the best layer is taken for when its publisher does not say. Chromium sends a third layer only of pictures from
# 960 x 540 on, so cameras that do are most likely 720p; others are what a browser captures when nobody asks for more.
CAMERA_PIXELS = 1280 * 720
SMALL_CAMERA_PIXELS = 640 * 360
SCREEN_PIXELS = 1920 * 1080
FRAME_RATE = 30.0  # of a screen
UNKNOWN_FRAME_RATE = 25.0  # of a camera whose frames have not been counted yet: half of them may be too few

# Below this, motion is a slide show: a larger picture with fewer frames is no better than the smaller one with all.
SMOOTH_FRAME_RATE = 14.0
# A smaller picture that costs so much more than a larger one is not worth having: its encoder idles at a minimum.
DEARER = 1.2


@dataclass(frozen=True, slots=True)
class Rung:
    """`temporal_id`, `spatial_id`: the highest to be forwarded; `None`: all there are."""

    layer: int
    bitrate_bps: int
    pixels: int
    frame_rate: float = FRAME_RATE
    temporal_id: int | None = None
    spatial_id: int | None = None

    @property
    def limits(self) -> tuple[int, int | None, int | None]:
        """As `Plane.set_layer` takes them."""
        return self.layer, self.temporal_id, self.spatial_id

    def is_as(self, other: Rung | None) -> bool:
        """The same, whatever it costs now."""
        return other is not None and self.limits == other.limits

    def is_wider_than(self, other: Rung) -> bool:
        """By spatial layers."""
        return other.spatial_id is not None and (self.spatial_id is None or self.spatial_id > other.spatial_id)


def stripped(rung: Rung) -> Rung:
    """Of sound in RED, for who does not take that: browsers send each block twice, once late. Where there are more, it
    costs less still."""
    return replace(rung, bitrate_bps=rung.bitrate_bps // 2)


def surged(rungs: tuple[Rung, ...], surges: Mapping[int, float]) -> tuple[Rung, ...]:
    """At what they cost just now, where that is more. `surges`: times the price, by layer."""
    return tuple(
        replace(rung, bitrate_bps=int(rung.bitrate_bps * surges[rung.layer])) if rung.layer in surges else rung
        for rung in rungs
    )


def assumed_pixels(layer_count: int, *, is_screen: bool) -> int:
    """Of the best layer."""
    if is_screen:
        return SCREEN_PIXELS
    return CAMERA_PIXELS if layer_count > 2 else SMALL_CAMERA_PIXELS


def ladder(
    layers: Iterable[LayerFlow], layer_count: int, best_pixels: int, *, is_screen: bool = False
) -> tuple[Rung, ...]:
    """The rungs of what flows, ascending in quality. `best_pixels`: of the best layer of all `layer_count`."""
    rungs: list[Rung] = []
    for layer in layers:
        if layer.usable:
            frame_rate = FRAME_RATE if is_screen else layer.frame_rate or UNKNOWN_FRAME_RATE
            rungs += _rungs_of(layer, best_pixels >> 2 * max(0, layer_count - 1 - layer.layer), frame_rate)
    if not rungs:
        return ()
    smallest, largest = rungs[0].pixels, rungs[-1].pixels
    slowest = {rung.layer: rung.frame_rate for rung in reversed(rungs)}
    worthwhile: list[Rung] = []
    for rung in reversed(rungs):
        # A face is to move before it is sharp, a screen to be legible before it moves.
        if is_screen:
            is_sensible = rung.pixels == largest or rung.frame_rate == slowest[rung.layer]
        else:
            is_whole = rung.temporal_id is None  # a slow camera's is not to be had faster
            is_sensible = is_whole or rung.pixels == smallest or rung.frame_rate >= SMOOTH_FRAME_RATE
        if is_sensible and (not worthwhile or rung.bitrate_bps <= DEARER * worthwhile[-1].bitrate_bps):
            worthwhile.append(rung)
    return tuple(reversed(worthwhile))


def _rungs_of(layer: LayerFlow, pixels: int, frame_rate: float) -> list[Rung]:
    if not layer.parts:
        return [Rung(layer.layer, layer.bitrate_bps, pixels, frame_rate)]
    best_spatial = max(part.spatial_id for part in layer.parts)
    temporal_ids = sorted({part.temporal_id for part in layer.parts})
    best_temporal = temporal_ids[-1]
    return [
        Rung(
            layer=layer.layer,
            bitrate_bps=_price_bps(layer, spatial, temporal),
            pixels=pixels >> 2 * (best_spatial - spatial),
            frame_rate=frame_rate * (1.0 if temporal == best_temporal else layer.frame_shares[temporal]),
            temporal_id=None if temporal == best_temporal else temporal,
            spatial_id=None if spatial == best_spatial else spatial,
        )
        for spatial in range(best_spatial + 1)
        for temporal in temporal_ids
    ]


def _price_bps(layer: LayerFlow, spatial: int, temporal: int) -> int:
    return sum(part.bitrate_bps for part in layer.parts if part.spatial_id <= spatial and part.temporal_id <= temporal)
