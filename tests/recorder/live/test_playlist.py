"""Playlists as they are written, by the table of their grammar."""

from __future__ import annotations

import pytest

from recorder.live.playlist import Part, Segment, Window, decode, encode, part_uri, render, segment_uri
from tests.recorder.live.grammar import read


def segment(number: int, parts: int = 5, *, whole: bool = True, run: int = 1, discontinuous: bool = False) -> Segment:
    made = [Part(part_uri(number, index), 0.4, index == 0) for index in range(parts)]
    uri = segment_uri(number) if whole else ""
    return Segment(number, f"init-{run}.mp4", 1e9 + 2 * number, discontinuous, uri, made)


def window(*segments: Segment, ended: bool = False, discontinuities: int = 0) -> Window:
    return Window(2, 0.4, list(segments), discontinuities, ended=ended)


WINDOWS = {
    "nothing yet": window(),
    "its first part": window(segment(0, 1, whole=False)),
    "a whole segment": window(segment(0)),
    "many": window(*(segment(number) for number in range(7, 20)), segment(20, 3, whole=False)),
    "another run": window(segment(3), segment(4, 2), segment(5, 1, whole=False, run=2, discontinuous=True)),
    "after a run that has gone": window(segment(9, run=2), segment(10, 2, whole=False, run=2), discontinuities=1),
    "ended": window(segment(3), segment(4, 2), ended=True),
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("blocking", [False, True])
def test_is_a_playlist(name: str, blocking: bool) -> None:
    one = WINDOWS[name]
    found = read(render(one, blocking=blocking))
    assert [listed.number for listed in found.segments] == [segment.number for segment in one.segments]
    assert [listed.map_uri for listed in found.segments] == [segment.map_uri for segment in one.segments]
    assert [listed.discontinuous for listed in found.segments] == [segment.discontinuous for segment in one.segments]
    assert found.number("DISCONTINUITY-SEQUENCE") == one.discontinuities
    assert found.ended == one.ended
    # What only a server can keep is promised by one alone.
    assert any("CAN-BLOCK-RELOAD" in line for line in found.lines) == blocking
    assert bool(found.hint) == (blocking and not one.ended)
    assert decode(encode(one)) == one


@pytest.mark.parametrize(
    ("name", "hint"),
    [("nothing yet", "0.0.m4s"), ("its first part", "0.1.m4s"), ("a whole segment", "1.0.m4s"), ("many", "20.3.m4s")],
)
def test_hints_at_the_part_that_comes_next(name: str, hint: str) -> None:
    assert read(render(WINDOWS[name], blocking=True)).hint == hint


@pytest.mark.parametrize(
    ("number", "part", "has"),
    [
        (19, None, True), (20, None, False), (21, None, False), (3, None, True),
        (19, 4, True), (19, 5, True), (20, 0, True), (20, 2, True), (20, 3, False), (21, 0, False), (3, 9, True),
    ],
)  # fmt: skip
def test_knows_what_has_come(number: int, part: int | None, has: bool) -> None:
    """A part beyond a segment's last is the next one's first (§6.2.5.2)."""
    assert WINDOWS["many"].has(number, part) is has


def test_waits_for_two_segments_at_most() -> None:
    assert [WINDOWS["many"].is_too_far_ahead(number) for number in (21, 22, 23)] == [False, False, True]
    assert [WINDOWS["nothing yet"].is_too_far_ahead(number) for number in (0, 1, 2)] == [False, False, True]
