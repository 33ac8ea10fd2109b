"""Where who is shown: layouts as data, and the rectangles that follow from them. Pure.

A layout has regions; a region says whom it shows and where, in parts of the picture. Several in one region share it as
a grid. `regions_with_screen` is for while somebody shares a screen; without it the screen is one more in `all`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec


class Shows(StrEnum):
    ALL = "all"  # everybody present
    SPEAKER = "speaker"  # who speaks, or spoke last
    OTHERS = "others"  # everybody but the one who speaks
    SCREEN = "screen"


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parts of the picture, from 0 to 1. `most`: how many are shown; further ones are left out."""

    shows: Shows
    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0
    most: int = 49


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`gap`: pixels between tiles; `label`: height of names in pixels, 0 for none; colours are Y, U, V."""

    regions: tuple[Region, ...]
    regions_with_screen: tuple[Region, ...] = ()
    width: int = 1280
    height: int = 720
    frames_per_s: int = 25
    gap: int = 8
    label: int = 22
    background: tuple[int, int, int] = (24, 128, 128)
    speaker_border: int = 4
    speaker_colour: tuple[int, int, int] = (150, 60, 60)


BUILT_IN: Final = {
    "grid": Layout(
        (Region(Shows.ALL),),
        (Region(Shows.SCREEN, 0.0, 0.0, 0.78, 1.0, 4), Region(Shows.ALL, 0.78, 0.0, 0.22, 1.0, 6)),
    ),
    "speaker": Layout(
        (Region(Shows.SPEAKER, 0.0, 0.0, 0.78, 1.0, 1), Region(Shows.OTHERS, 0.78, 0.0, 0.22, 1.0, 6)),
        (Region(Shows.SCREEN, 0.0, 0.0, 0.78, 1.0, 4), Region(Shows.ALL, 0.78, 0.0, 0.22, 1.0, 6)),
    ),
}
_LARGEST_SIDE = 7680
_SHAPE = 16 / 9  # of a camera: what a grid is made to fit


class Rectangle(NamedTuple):
    """Even pixels."""

    left: int
    top: int
    width: int
    height: int


def parse(content: bytes) -> Layout:
    """A layout in JSON. Raises ValueError, with words for who wrote it."""
    try:
        layout = msgspec.json.decode(content, type=Layout)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"the layout cannot be read: {error}") from error
    check(layout)
    return layout


def check(layout: Layout) -> None:
    """Raises ValueError, with words for who wrote it."""
    if not layout.regions:
        raise ValueError("the layout has no regions")
    if not (16 <= layout.width <= _LARGEST_SIDE and 16 <= layout.height <= _LARGEST_SIDE):
        raise ValueError(f"the layout's picture is {layout.width} x {layout.height}: 16 to {_LARGEST_SIDE} it may be")
    if layout.width % 2 or layout.height % 2:
        raise ValueError("the layout's picture must have an even width and height")
    if not 1 <= layout.frames_per_s <= 60 or not 0 <= layout.gap <= 200 or not 0 <= layout.label <= 200:
        raise ValueError("frames_per_s is 1 to 60, gap and label 0 to 200")
    for region in (*layout.regions, *layout.regions_with_screen):
        sides = (region.left, region.top, region.left + region.width, region.top + region.height)
        if not all(-1e-9 <= side <= 1 + 1e-9 for side in sides) or min(region.width, region.height) <= 0:
            raise ValueError(f"the region for {region.shows.value} lies outside the picture")
        if region.most < 1:
            raise ValueError(f"the region for {region.shows.value} shows nobody")


def tiles(layout: Layout, region: Region, count: int) -> list[Rectangle]:
    """As many rectangles as are shown, row by row; the last row is centred."""
    count = min(count, region.most)
    if count == 0:
        return []
    gap = layout.gap
    left, top = region.left * layout.width, region.top * layout.height
    width, height = region.width * layout.width, region.height * layout.height
    columns = best_columns(count, width, height)
    rows = -(-count // columns)
    tile_width, tile_height = width / columns, height / rows
    placed = []
    for index in range(count):
        row, column = divmod(index, columns)
        in_row = min(columns, count - row * columns)
        indent = (columns - in_row) * tile_width / 2
        x, y = left + indent + column * tile_width + gap / 2, top + row * tile_height + gap / 2
        placed.append(Rectangle(_even(x), _even(y), _even(tile_width - gap), _even(tile_height - gap)))
    return [one for one in placed if one.width >= 16 and one.height >= 16]


def best_columns(count: int, width: float, height: float) -> int:
    """With which pictures of a camera's shape are largest; of equals, side by side rather than stacked."""

    def picture_width(columns: int) -> float:
        rows = -(-count // columns)
        return min(width / columns, height / rows * _SHAPE)

    return max(range(1, count + 1), key=lambda columns: (round(picture_width(columns), 3), columns))


def order(identities: Sequence[str], speaker: str | None, shows: Shows) -> list[str]:
    """Whom a region shows, of those present. Screens are chosen elsewhere."""
    if shows is Shows.SPEAKER:
        return [speaker] if speaker in identities and speaker is not None else list(identities[:1])
    if shows is Shows.OTHERS:
        first = order(identities, speaker, Shows.SPEAKER)
        return [one for one in identities if one not in first]
    return list(identities)


def _even(value: float) -> int:
    return math.floor(value / 2 + 1e-6) * 2
