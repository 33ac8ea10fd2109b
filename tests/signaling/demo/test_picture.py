"""Generated pictures: sizes, movement, and text that is really there."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from signaling.demo import font
from signaling.demo.picture import HEIGHT, WIDTH, Picture, halved


def test_planes_have_the_sizes_of_yuv420() -> None:
    y, u, v = Picture("Ada", 1).planes(0, 0.0)
    assert y.shape == (HEIGHT, WIDTH)
    assert u.shape == v.shape == (HEIGHT // 2, WIDTH // 2)
    half = halved((y, u, v))
    assert [plane.shape for plane in half] == [(88, 160), (44, 80), (44, 80)]


def test_every_frame_differs_and_so_does_every_sender() -> None:
    ada, bob = Picture("Ada", 1), Picture("Bob", 2)
    frames = [ada.planes(number, 0.0)[0] for number in range(200)]
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(frames))
    assert not np.array_equal(frames[0], bob.planes(0, 0.0)[0])
    assert not np.array_equal(ada.planes(0, 0.0)[1], bob.planes(0, 0.0)[1])


def test_the_clock_is_drawn() -> None:
    ada = Picture("Ada", 1)
    assert not np.array_equal(ada.planes(0, 0.0)[0], ada.planes(0, 1.0)[0])


@pytest.mark.parametrize("name", ["", "a name that is much longer than the picture is wide", "Zoë 你好"])
def test_any_name_can_be_drawn(name: str) -> None:
    assert Picture(name, 255).planes(123_456_789, 2e9)[0].shape == (HEIGHT, WIDTH)


def test_letters_are_dots() -> None:
    rendered = font.render("L.", 1)
    assert ["".join("#" if dot else " " for dot in row) for row in rendered] == [
        "#       ",
        "#       ",
        "#       ",
        "#       ",
        "###  #  ",
    ]
    assert font.render("L", 3).shape == (15, 12)
