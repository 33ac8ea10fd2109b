"""Layouts and scenes: tables, and that tiles never overlap or leave the picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.manifest import Journal, Manifest, Participant, Span, Speakers, Track
from recorder.mix import layouts
from recorder.mix.layouts import BUILT_IN, Layout, Rectangle, Region, Shows, best_columns, tiles
from recorder.mix.scenes import scenes, steady_speakers

ALL = Region(Shows.ALL)
COLUMNS = {1: 1, 2: 2, 3: 2, 4: 2, 5: 3, 6: 3, 7: 3, 9: 3, 10: 4, 16: 4, 25: 5}


@pytest.mark.parametrize("count", COLUMNS)
def test_a_grid_has_as_many_columns_as_make_pictures_largest(count: int) -> None:
    assert best_columns(count, 1280, 720) == COLUMNS[count]


@given(
    st.integers(0, 60),
    st.integers(8, 960).map(lambda half: 2 * half),
    st.integers(8, 540).map(lambda half: 2 * half),
    st.sampled_from([ALL, Region(Shows.ALL, 0.25, 0.1, 0.5, 0.9), Region(Shows.OTHERS, 0.8, 0, 0.2, 1, 6)]),
)
def test_tiles_lie_within_the_picture_and_apart_in_even_pixels(
    count: int, width: int, height: int, region: Region
) -> None:
    layout = Layout((region,), width=width, height=height)
    placed = tiles(layout, region, count)
    assert len(placed) <= min(count, region.most)
    for index, one in enumerate(placed):
        assert all(value % 2 == 0 for value in one)
        assert one.left >= 0 and one.top >= 0
        assert one.left + one.width <= width and one.top + one.height <= height
        for other in placed[:index]:
            apart = one.left >= other.left + other.width or other.left >= one.left + one.width
            assert apart or one.top >= other.top + other.height or other.top >= one.top + one.height


def test_the_last_row_is_centred() -> None:
    layout = Layout((ALL,), width=1280, height=720, gap=0)
    assert tiles(layout, ALL, 3)[2] == Rectangle(320, 360, 640, 360)


BAD_LAYOUTS = {
    b"": "cannot be read",
    b"[" * 100_000: "cannot be read",
    b'{"regions": []}': "no regions",
    b'{"regions": [{"shows": "cats"}]}': "cannot be read",
    b'{"regions": [{"shows": "all", "left": 0.5}]}': "outside",
    b'{"regions": [{"shows": "all", "width": 0}]}': "outside",
    b'{"regions": [{"shows": "all"}], "width": 100000}': "100000 x 720",
    b'{"regions": [{"shows": "all"}], "width": 641}': "even",
    b'{"regions": [{"shows": "all"}], "frames_per_s": 0}': "frames_per_s",
    b'{"regions": [{"shows": "all"}], "colour": 1}': "cannot be read",
}


@pytest.mark.parametrize("content", BAD_LAYOUTS, ids=range(len(BAD_LAYOUTS)))
def test_a_layout_that_cannot_be_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(ValueError, match=BAD_LAYOUTS[content]):
        layouts.parse(content)


def test_a_layout_of_ones_own_is_read() -> None:
    read = layouts.parse(b'{"regions": [{"shows": "speaker", "most": 1}], "width": 640, "height": 360, "label": 0}')
    assert read == Layout((Region(Shows.SPEAKER, most=1),), width=640, height=360, label=0)


SPEAKERS = [
    ([], []),
    ([(1, "a")], [(1, "a")]),
    ([(1, "a"), (4, ""), (6, "b")], [(1, "a"), (6, "b")]),  # silence keeps the last
    ([(1, "a"), (1.5, "b"), (1.8, "a")], [(1, "a")]),  # a cough
    ([(1, "a"), (2, "b"), (9, "a")], [(1, "a"), (3, "b"), (9, "a")]),  # too early, but it stays
    ([(1, "a"), (2, "b"), (2.5, "c")], [(1, "a"), (3, "c")]),
    ([(1, "a"), (2, "b")], [(1, "a"), (3, "b")]),
]


@pytest.mark.parametrize(("changes", "expected"), SPEAKERS, ids=range(len(SPEAKERS)))
def test_who_is_shown_as_speaker_stays_for_two_seconds(
    changes: list[tuple[float, str]], expected: list[tuple[float, str]]
) -> None:
    assert steady_speakers([(at_s, (who,) if who else ()) for at_s, who in changes]) == expected


def of(participants: dict[str, list[tuple[float, float]]], screens: dict[str, tuple[float, float]]) -> Manifest:
    people = [Participant(one, one, None, [], [Span(*span) for span in spans]) for one, spans in participants.items()]
    tracks = [
        Track(who, who, "video", "screen", [], span[0], None, [Span(*span)], [], [], [], [], 0, 0, 0, 0, 0, 0, [], 0)
        for who, span in screens.items()
    ]
    speakers = [Speakers(2.0, ["bob"]), Speakers(6.0, ["ada"])]
    journal = Journal([], 0, [], [], 0)
    return Manifest(1, "r", "r", "", 0.0, 20.0, True, "", "decode", people, tracks, [], speakers, [], [], journal)


def test_scenes_follow_joins_speakers_and_screens() -> None:
    manifest = of({"ada": [(0, 20)], "bob": [(1, 20)], "cid": [(4, 8)]}, {"bob": (10, 15)})
    found = scenes(manifest, BUILT_IN["speaker"])
    told = [
        (scene.from_s, [f"{tile.identity}{'#' * tile.screen}{'!' * tile.speaks}" for tile in scene.tiles])
        for scene in found
    ]
    assert told == [
        (0.0, ["ada"]),
        (1.0, ["ada", "bob"]),
        (2.0, ["bob!", "ada"]),
        (4.0, ["bob!", "ada", "cid"]),
        (6.0, ["ada!", "bob", "cid"]),
        (8.0, ["ada!", "bob"]),
        (10.0, ["bob#", "ada!", "bob"]),
        (15.0, ["ada!", "bob"]),
    ]
    assert scenes(of({}, {}), BUILT_IN["grid"]) == [(0.0, ())]
