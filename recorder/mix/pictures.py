"""Draws the scenes of a mix: scales each tile's picture when it changed, pastes it, names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from recorder.files.canvas import Planes, blank, draw_mask, fitted_size, paste, scaled
from recorder.files.lettering import text_mask
from recorder.mix.layouts import Layout, Rectangle
from recorder.mix.scenes import Scene, Tile

_TILE_LUMA = 44
_TEXT_LUMA = 225
_BAND_SHARE = 0.55  # of brightness that is left behind a name
_STALE_S = 5.0  # of a copied file: nobody repeated its last picture, and none has come since


class Pictures(Protocol):
    """Asked for growing times."""

    def at(self, session_s: float) -> tuple[float, VideoFrame] | None:
        """(when it came, the picture) that shows at this time."""


@dataclass(slots=True)
class _Shown:
    """What a tile's place shows now, so that it is drawn anew only when that changes."""

    tile: Tile
    at_s: float | None = None
    drawn: bool = False


@dataclass(slots=True)
class Painter:
    """`sources` and `names` by identity; screens under (identity, True). All may grow meanwhile."""

    layout: Layout
    scenes: Sequence[Scene]
    sources: Mapping[tuple[str, bool], Sequence[Pictures]]
    names: Mapping[str, str]
    _next: int = 0
    _shown: list[_Shown] = field(default_factory=list)
    _canvas: Planes = field(init=False)
    _masks: dict[tuple[str, int, int], NDArray[np.uint8]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._clear()

    def frame(self, at_s: float) -> VideoFrame:
        """The picture at this time of the session. Ask for growing times."""
        while self._next < len(self.scenes) and self.scenes[self._next].from_s <= at_s:
            self._clear()
            self._shown = [_Shown(tile) for tile in self.scenes[self._next].tiles]
            self._next += 1
        for shown in self._shown:
            self._refresh(shown, at_s)
        return av.VideoFrame.from_ndarray(self._canvas, format="yuv420p")

    def _clear(self) -> None:
        layout = self.layout
        self._canvas = blank((layout.width, layout.height), layout.background[0])
        _tint(self._canvas, Rectangle(0, 0, layout.width, layout.height), layout.background)

    def _refresh(self, shown: _Shown, at_s: float) -> None:
        found = self._picture(shown.tile, at_s)
        came_s = None if found is None else found[0]
        if shown.drawn and came_s == shown.at_s:
            return
        shown.drawn, shown.at_s = True, came_s
        self._draw(shown.tile, None if found is None else found[1])

    def _picture(self, tile: Tile, at_s: float) -> tuple[float, VideoFrame] | None:
        newest: tuple[float, VideoFrame] | None = None
        for source in self.sources.get((tile.identity, tile.screen), ()):
            found = source.at(at_s)
            if found is not None and at_s - found[0] < _STALE_S and (newest is None or found[0] > newest[0]):
                newest = found
        return newest

    def _draw(self, tile: Tile, picture: VideoFrame | None) -> None:
        layout, (left, top, width, height) = self.layout, tile.rectangle
        if tile.speaks and layout.speaker_border:
            _tint(self._canvas, tile.rectangle, layout.speaker_colour)
        border = layout.speaker_border // 2 * 2
        inner = Rectangle(left + border, top + border, width - 2 * border, height - 2 * border)
        _tint(self._canvas, inner, (_TILE_LUMA, 128, 128))
        name = self.names.get(tile.identity, tile.identity)
        if picture is None:
            mask = self._mask(name, max(12, inner.height // 8), inner.width)
            place = (inner.left + (inner.width - mask.shape[1]) // 2, inner.top + (inner.height - mask.shape[0]) // 2)
            draw_mask(self._canvas, mask, place, _TEXT_LUMA)
            return
        size = fitted_size((picture.width, picture.height), (inner.width, inner.height))
        size = (min(size[0], inner.width), min(size[1], inner.height))
        at = (inner.left + (inner.width - size[0]) // 4 * 2, inner.top + (inner.height - size[1]) // 4 * 2)
        paste(self._canvas, scaled(picture, size), at)
        if layout.label:
            self._label(f"{name} (screen)" if tile.screen else name, inner)

    def _label(self, name: str, inner: Rectangle) -> None:
        mask = self._mask(name, self.layout.label, inner.width - 12)
        top = inner.top + inner.height - mask.shape[0] - 6
        band = self._canvas[top : top + mask.shape[0], inner.left + 4 : inner.left + 12 + mask.shape[1]]
        band[:] = (16 + (band.astype(np.float32) - 16) * (1 - _BAND_SHARE)).astype(np.uint8)
        draw_mask(self._canvas, mask, (inner.left + 8, top), _TEXT_LUMA)

    def _mask(self, text: str, height_px: int, most_px: int) -> NDArray[np.uint8]:
        key = (text, height_px, most_px)
        if key not in self._masks:
            self._masks[key] = text_mask(text, height_px, max(8, most_px))
        return self._masks[key]


def _tint(canvas: Planes, rectangle: Rectangle, colour: tuple[int, int, int]) -> None:
    left, top, width, height = rectangle
    full_height, full_width = canvas.shape[0] * 2 // 3, canvas.shape[1]
    canvas[top : top + height, left : left + width] = colour[0]
    chroma = canvas[full_height:].reshape(2, full_height // 2, full_width // 2)
    for plane in range(2):
        chroma[plane, top // 2 : (top + height) // 2, left // 2 : (left + width) // 2] = colour[1 + plane]
