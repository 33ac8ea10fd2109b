"""Which tiles are shown when: the manifest's joins, leaves, speakers and screens through a layout. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from recorder.manifest import Manifest
from recorder.mix.layouts import Layout, Rectangle, Shows, order, tiles

HOLD_S: Final = 2.0  # a speaker who is shown stays so long: who only coughs does not take the picture
_SCREENS: Final = frozenset({"screen"})


class Tile(NamedTuple):
    """`screen`: the screen of this participant, not the camera. `speaks`: to be marked as such."""

    identity: str
    screen: bool
    speaks: bool
    rectangle: Rectangle


class Scene(NamedTuple):
    """Until the next."""

    from_s: float
    tiles: tuple[Tile, ...]


def scenes(manifest: Manifest, layout: Layout) -> list[Scene]:
    """In order, the first at 0; neighbours differ."""
    speakers = steady_speakers([(one.at_s, tuple(one.participants)) for one in manifest.speakers])
    found: list[Scene] = []
    for at_s in sorted({0.0, *_changes(manifest), *(at_s for at_s, _ in speakers)}):
        if at_s >= manifest.duration_s and found:
            break
        speaker = next((who for since_s, who in reversed(speakers) if since_s <= at_s), None)
        shown = _tiles(manifest, layout, at_s, speaker)
        if not found or found[-1].tiles != shown:
            found.append(Scene(at_s, shown))
    return found


def steady_speakers(changes: Iterable[tuple[float, tuple[str, ...]]]) -> list[tuple[float, str]]:
    """(since, who): nobody for less than HOLD_S, and the last one through silence. A change that comes too early takes
    effect when the hold is over, if it still stands then."""
    steady: list[tuple[float, str]] = []
    waiting: tuple[float, str] | None = None
    for at_s, who in changes:
        if waiting is not None and at_s >= waiting[0]:
            steady.append(waiting)
        waiting = None
        if not who or (steady and steady[-1][1] == who[0]):
            continue
        free_s = steady[-1][0] + HOLD_S if steady else at_s
        if at_s >= free_s:
            steady.append((at_s, who[0]))
        else:
            waiting = (free_s, who[0])
    if waiting is not None:
        steady.append(waiting)
    return steady


def _changes(manifest: Manifest) -> set[float]:
    spans = [span for one in manifest.participants for span in one.presence]
    spans += [span for track in manifest.tracks if track.source in _SCREENS for span in track.presence]
    return {at_s for span in spans for at_s in (span.from_s, span.to_s)}


def _tiles(manifest: Manifest, layout: Layout, at_s: float, speaker: str | None) -> tuple[Tile, ...]:
    present = [
        one.identity for one in manifest.participants if any(span.from_s <= at_s < span.to_s for span in one.presence)
    ]
    sharing = [
        track.participant
        for track in manifest.tracks
        if track.source in _SCREENS and any(span.from_s <= at_s < span.to_s for span in track.presence)
    ]
    return tiles_of(layout, present, sharing, speaker)


def tiles_of(layout: Layout, present: list[str], sharing: list[str], speaker: str | None) -> tuple[Tile, ...]:
    """`present`, `sharing`: who is there, and whose screens are, in the order in which they came."""
    regions = layout.regions_with_screen if sharing and layout.regions_with_screen else layout.regions
    placed: list[Tile] = []
    for region in regions:
        if region.shows is Shows.SCREEN:
            shown = [(identity, True) for identity in sharing]
        else:
            shown = [(identity, False) for identity in order(present, speaker, region.shows)]
            if sharing and not layout.regions_with_screen and region.shows is Shows.ALL:
                shown = [(identity, True) for identity in sharing] + shown
        for (identity, screen), rectangle in zip(shown, tiles(layout, region, len(shown)), strict=False):
            placed.append(Tile(identity, screen, identity == speaker and not screen, rectangle))
    return tuple(placed)
