"""What is wanted of whom, in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.layout import Layout, Picture, Tile, wishes

ADA, BOB, EVE = (Picture(number, name, name) for number, name in enumerate(("ada", "bob", "eve")))
SCREEN = Picture(3, "eve's screen", "eve", is_screen=True)
EVERYBODY = (ADA, BOB, EVE, SCREEN)
SMALL, LARGE = Tile(320, 180), Tile(1280, 720)


def row(layout: Layout, pictures: tuple[Picture, ...] = EVERYBODY, spoke: tuple[str, ...] = ()) -> str:
    return ", ".join(
        f"{EVERYBODY[wish.subscription].track} {'beyond' if wish.beyond_last_n else wish.pixels}"
        for wish in wishes(layout, pictures, spoke)
    )


CASES: dict[str, tuple[Layout, tuple[str, ...], str]] = {
    "as shown": (
        Layout({"bob": SMALL, "ada": SMALL, "eve": SMALL}),
        (),
        "bob 57600, ada 57600, eve 57600, eve's screen 0",
    ),
    "who spoke last first": (
        Layout({"bob": SMALL, "ada": SMALL, "eve": SMALL}),
        ("eve", "ada"),
        "eve 57600, ada 57600, bob 57600, eve's screen 0",
    ),
    "screens before faces": (
        Layout({"ada": SMALL, "eve's screen": SMALL}),
        (),
        "eve's screen 57600, ada 57600, bob 0, eve 0",
    ),
    "the stage before a screen": (
        Layout({"eve's screen": SMALL, "ada": Tile(1280, 720, on_stage=True)}),
        (),
        "ada 921600, eve's screen 57600",
    ),
    "a screen on stage before all": (
        Layout({"ada": Tile(640, 360, on_stage=True), "eve's screen": Tile(1280, 720, on_stage=True)}),
        (),
        "eve's screen 921600, ada 230400",
    ),
    "selected before the rest": (
        Layout({"ada": SMALL, "bob": Tile(320, 180, selected=True)}),
        ("ada",),
        "bob 57600, ada 57600",
    ),
    "the last n": (
        Layout({"ada": SMALL, "bob": SMALL, "eve": SMALL}, last_n=2),
        ("eve",),
        "eve 57600, ada 57600, bob beyond",
    ),
    "a hidden tab": (Layout({}), (), "eve's screen 0, ada 0, bob 0, eve 0"),
    "a tile of nobody who is here": (Layout({"max": LARGE}), (), "eve's screen 0, ada 0, bob 0, eve 0"),
    "one that never says": (Layout(), (), "eve's screen 2073600, ada 518400, bob 518400, eve 518400"),
    "one that never says but bounds it": (
        Layout(last_n=1),
        ("bob",),
        "eve's screen 2073600, bob beyond, ada beyond, eve beyond",
    ),
}


@pytest.mark.parametrize(("layout", "spoke", "expected"), CASES.values(), ids=CASES.keys())
def test_wishes(layout: Layout, spoke: tuple[str, ...], expected: str) -> None:
    assert row(layout, spoke=spoke).startswith(expected)


def test_without_a_layout_pictures_share_a_usual_window() -> None:
    for count, width, height in ((1, 1920, 1080), (2, 960, 540), (4, 960, 540), (9, 640, 360), (25, 384, 216)):
        pictures = tuple(Picture(index, str(index), str(index)) for index in range(count))
        assert {wish.pixels for wish in wishes(Layout(), pictures)} == {width * height}


def test_frames_beyond_what_a_tile_shows_are_not_wished() -> None:
    assert wishes(Layout({"ada": Tile(320, 180, 15.0)}), (ADA,))[0].frame_rate == 15.0


tracks = st.sampled_from([picture.track for picture in EVERYBODY])
tiles = st.builds(Tile, st.integers(1, 4000), st.integers(1, 4000), on_stage=st.booleans(), selected=st.booleans())


@given(st.one_of(st.none(), st.dictionaries(tracks, tiles)), st.one_of(st.none(), st.integers(0, 5)))
def test_every_picture_is_wished_once_and_no_more_than_n_are_seen(
    shown: dict[str, Tile] | None, last_n: int | None
) -> None:
    wished = wishes(Layout(shown, last_n), EVERYBODY)
    assert sorted(wish.subscription for wish in wished) == [0, 1, 2, 3]
    seen = [wish for wish in wished if wish.pixels != 0]
    assert last_n is None or len(seen) <= last_n
    assert [wish.rank for wish in seen] == sorted(wish.rank for wish in seen)
