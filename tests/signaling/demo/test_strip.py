"""The strip of cells: read back at every size, and not believed when it is something else."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.demo import strip
from signaling.demo.picture import HEIGHT, WIDTH, Picture, halved
from signaling.demo.strip import Mark


@given(st.integers(0, 255), st.integers(0, strip.FRAME_NUMBERS - 1))
def test_reads_what_was_drawn(sender: int, number: int) -> None:
    luma = np.full((HEIGHT, WIDTH), 128, np.uint8)
    strip.draw(luma, Mark(sender, number))
    assert strip.read(luma) == Mark(sender, number)


def test_frame_numbers_wrap() -> None:
    luma = np.zeros((HEIGHT, WIDTH), np.uint8)
    strip.draw(luma, Mark(1, strip.FRAME_NUMBERS + 5))
    assert strip.read(luma) == Mark(1, 5)


@pytest.mark.parametrize("level", [0, 16, 128, 235, 255])
def test_a_plain_picture_has_no_mark(level: int) -> None:
    assert strip.read(np.full((HEIGHT, WIDTH), level, np.uint8)) is None


def test_a_damaged_strip_is_not_believed() -> None:
    """Any single wrong cell is noticed."""
    cell_width, cell_height = WIDTH // strip.COLUMNS, round(HEIGHT * strip.HEIGHT_SHARE) // strip.ROWS
    for index in range(strip.ROWS * strip.COLUMNS):
        luma = np.zeros((HEIGHT, WIDTH), np.uint8)
        strip.draw(luma, Mark(0xA5, 0x1234))
        row, column = divmod(index, strip.COLUMNS)
        top = HEIGHT - round(HEIGHT * strip.HEIGHT_SHARE) + row * cell_height
        cell = luma[top : top + cell_height, column * cell_width : (column + 1) * cell_width]
        cell[:] = 255 - cell
        assert strip.read(luma) is None


def test_survives_halving_and_noise(seed: int) -> None:
    random = Random(seed)
    planes = Picture("Ada", 9).planes(4711, 0.0)
    for _ in range(3):
        noise = np.frombuffer(random.randbytes(planes[0].size), np.int8).reshape(planes[0].shape) // 3
        noisy = np.clip(planes[0].astype(np.int16) + noise, 0, 255).astype(np.uint8)
        assert strip.read(noisy) == Mark(9, 4711)
        planes = halved(planes)
