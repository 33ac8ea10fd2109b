"""What a client shows, and so what it is to receive first and how large: values in, wishes in order of priority out.

Knows no bit rates. A client says which tiles there are, how large and which of them on stage; Tracks without a tile are
not shown. For one that never says anything, everything is shown in a grid on a usual screen.

    screens on stage, cameras on stage, other screens, selected, then the grid: who spoke last first

Sound has no place in a layout; `loudest.py` decides who is heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import ceil, sqrt

# A window that a client without a layout is taken to have.
USUAL_WIDTH = 1920
USUAL_HEIGHT = 1080


class Rank(IntEnum):
    """Whoever has a lower one is improved first."""

    STAGE_SCREEN = 0
    STAGE = 1
    SCREEN = 2
    SELECTED = 3
    GRID = 4


@dataclass(frozen=True, slots=True)
class Tile:
    """Size in pixels of the device. `frame_rate`: the most that is of use."""

    width: int
    height: int
    frame_rate: float | None = None
    on_stage: bool = False
    selected: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Layout:
    """`tiles` by Track, in the order in which they are shown; `None`: the client leaves that to us. One that shows
    nothing, in a hidden tab say, has no tiles. `last_n`: at most so many pictures."""

    tiles: Mapping[str, Tile] | None = None
    last_n: int | None = None
    max_bps: int | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A video Track that could be shown, by one Subscription."""

    subscription: int
    track: str
    participant: str
    is_screen: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """`pixels`: what its tile can show; `None`: whatever there is; 0: it is not shown. `beyond_last_n`: it would be, if
    fewer others were."""

    subscription: int
    rank: Rank
    pixels: int | None
    frame_rate: float | None = None
    beyond_last_n: bool = False


def wishes(layout: Layout, pictures: Sequence[Picture], recent_speakers: Iterable[str] = ()) -> tuple[Wish, ...]:
    """One for each of `pictures`, by priority. `recent_speakers`: participants, the last to speak first."""
    spoke = {participant: index for index, participant in enumerate(recent_speakers)}
    shown = _shown(layout, pictures)
    position = {track: index for index, track in enumerate(shown)}

    def priority(picture: Picture) -> tuple[bool, Rank, int, int]:
        tile = shown.get(picture.track)
        return (
            tile is None,
            _rank(picture, tile),
            spoke.get(picture.participant, len(spoke)),
            position.get(picture.track, 0),
        )

    ordered = sorted(pictures, key=priority)
    return tuple(
        _wish(picture, shown.get(picture.track), beyond=layout.last_n is not None and place >= layout.last_n)
        for place, picture in enumerate(ordered)
    )


def _shown(layout: Layout, pictures: Sequence[Picture]) -> Mapping[str, Tile]:
    if layout.tiles is not None:
        return layout.tiles
    count = len(pictures) if layout.last_n is None else min(len(pictures), layout.last_n)
    columns = max(1, ceil(sqrt(count)))
    usual = Tile(USUAL_WIDTH // columns, USUAL_HEIGHT // columns)
    stage = Tile(USUAL_WIDTH, USUAL_HEIGHT, on_stage=True)
    return {picture.track: stage if picture.is_screen else usual for picture in pictures}


def _rank(picture: Picture, tile: Tile | None) -> Rank:
    if tile is not None and tile.on_stage:
        return Rank.STAGE_SCREEN if picture.is_screen else Rank.STAGE
    if picture.is_screen:
        return Rank.SCREEN
    return Rank.SELECTED if tile is not None and tile.selected else Rank.GRID


def _wish(picture: Picture, tile: Tile | None, *, beyond: bool) -> Wish:
    rank = _rank(picture, tile)
    if tile is None:
        return Wish(picture.subscription, rank, 0)
    if beyond:
        return Wish(picture.subscription, rank, 0, beyond_last_n=True)
    return Wish(picture.subscription, rank, tile.pixels, tile.frame_rate)
