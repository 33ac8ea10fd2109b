"""Which temporal and spatial layers of a source one subscriber gets.

A picture is decided once, when its first packet arrives, so that late packets meet the same answer: how high its
spatial layers go, or none of them when its temporal layer is left out.

                 down                       up
    temporal     with the next picture      at a picture after which (or with which) nothing is missing that is
                                            referred to: a switching point; a key frame lets all in
    spatial      with the next picture      at a key frame, or layer by layer where a layer refers to no earlier picture

All spatial layers below the limit go along, also where only key pictures need them (K-SVC): a publisher may drop its
highest layer at any time, and who has the next one goes on without a key frame.
"""

from __future__ import annotations

from sfu.core.types import DropReason
from sfu.plane.fallback.layering import HIGHEST_TEMPORAL_LAYER
from sfu.plane.fallback.packets import Layering

ALL_TEMPORAL_LAYERS = HIGHEST_TEMPORAL_LAYER
ALL_SPATIAL_LAYERS = 7
# Pictures of which late packets still meet the same answer: 4 s at 60 fps.
_PICTURES = 256
_LEFT_OUT = -1


class LayerFilter:
    __slots__ = ("_decided", "_newest", "_spatial", "_spatial_limit", "_temporal", "_temporal_limit")

    def __init__(self) -> None:
        self._temporal_limit = self._temporal = ALL_TEMPORAL_LAYERS
        self._spatial_limit = self._spatial = ALL_SPATIAL_LAYERS  # let through now; never above the limit
        self._decided: list[tuple[int, int] | None] = [None] * _PICTURES  # (picture, highest spatial layer)
        self._newest: int | None = None

    def limit(self, max_temporal_id: int, max_spatial_id: int) -> None:
        self._temporal_limit = max_temporal_id
        self._temporal = min(self._temporal, max_temporal_id)
        self._spatial_limit = max_spatial_id
        self._spatial = min(self._spatial, max_spatial_id)

    def describe(self) -> dict[str, object]:
        return {
            "temporal_limit": self._temporal_limit,
            "spatial_limit": self._spatial_limit,
            "temporal": self._temporal,
            "spatial": self._spatial,
        }

    def begin(self) -> None:
        """A switch: a key frame of another source is next."""
        self._temporal, self._spatial = self._temporal_limit, self._spatial_limit
        self._forget()

    def judge(self, layering: Layering, in_order: bool) -> tuple[DropReason | None, bool]:
        """Why the packet is left out, if so; and whether its frame is the last that is sent of its picture."""
        highest = self._highest(layering, in_order)
        if layering.spatial_id > highest:
            return DropReason.TEMPORAL_LAYER if highest == _LEFT_OUT else DropReason.SPATIAL_LAYER, False
        return None, layering.spatial_id == highest

    def _highest(self, layering: Layering, in_order: bool) -> int:
        """The highest spatial layer of its picture that is sent; _LEFT_OUT: none."""
        picture = layering.picture
        if picture is None:
            self._raise_at(layering)
            return self._decide(layering)
        if in_order and self._newest is not None and picture < self._newest:
            self._forget()  # the source has started its numbers anew
        if self._newest is not None and picture <= self._newest - _PICTURES:
            return self._decide(layering)
        index = picture % _PICTURES
        decided = self._decided[index]
        if decided is None or decided[0] != picture:
            if self._newest is None or picture > self._newest:
                self._newest = picture
                self._raise_at(layering)
            decided = self._decided[index] = picture, self._decide(layering)
        highest = decided[1]
        if self._joins_above(layering, highest):
            self._spatial = highest = layering.spatial_id
            self._decided[index] = picture, highest
        return highest

    def _decide(self, layering: Layering) -> int:
        return self._spatial if layering.temporal_id <= self._temporal else _LEFT_OUT

    def _joins_above(self, layering: Layering, highest: int) -> bool:
        """The layer above those that are sent may begin with a frame that needs nothing but them."""
        return (
            layering.begins
            and not layering.inter_picture
            and highest == self._spatial
            and layering.spatial_id == highest + 1 <= self._spatial_limit
        )

    def _raise_at(self, layering: Layering) -> None:
        """At the first packet of a picture. Higher spatial layers follow the lowest one's temporal pattern."""
        if layering.key:
            self._temporal, self._spatial = self._temporal_limit, self._spatial_limit
        elif layering.begins and layering.spatial_id == 0:
            if layering.joins and layering.temporal_id == self._temporal + 1:
                # One layer at a time: what follows may depend on the layer between, of which nothing was sent.
                self._temporal = min(self._temporal_limit, layering.temporal_id)
            if layering.temporal_id <= self._temporal < layering.switches_to:
                self._temporal = min(self._temporal_limit, layering.switches_to)

    def _forget(self) -> None:
        self._decided = [None] * _PICTURES
        self._newest = None
