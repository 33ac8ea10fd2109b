"""A number that survives the encoder: black and white cells along the bottom of a picture.

Two rows of sixteen cells hold 32 bits: who sends (8), the frame number (16), and a checksum (8) by which a picture
that is damaged, or shows something else, is told from one that can be believed. Read at any size of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROWS = 2
COLUMNS = 16
HEIGHT_SHARE = 0.25  # of the picture
FRAME_NUMBERS = 1 << 16  # they wrap

_BLACK, _WHITE = 16, 235  # video range
_MIDDLE = 126
_BITS = ROWS * COLUMNS


@dataclass(frozen=True, slots=True)
class Mark:
    sender: int  # 0 … 255
    frame_number: int  # modulo FRAME_NUMBERS


def draw(luma: NDArray[np.uint8], mark: Mark) -> None:
    """Into the bottom of the picture's brightness."""
    word = mark.sender << 24 | (mark.frame_number % FRAME_NUMBERS) << 8
    word |= _checksum(word >> 8)
    height, width = luma.shape
    top = height - round(height * HEIGHT_SHARE)
    rows = np.arange(height - top) * ROWS // (height - top)
    columns = np.arange(width) * COLUMNS // width
    cells = np.array([word >> (_BITS - 1 - index) & 1 for index in range(_BITS)]).reshape(ROWS, COLUMNS)
    luma[top:] = np.where(cells[np.ix_(rows, columns)], _WHITE, _BLACK)


def read(luma: NDArray[np.uint8]) -> Mark | None:
    """`None` when there is no strip that can be believed."""
    height, width = luma.shape
    strip = height * HEIGHT_SHARE
    word = 0
    for row in range(ROWS):
        # The middle half of a cell: its edges are what the encoder blurs.
        top = height - strip + strip * (row + 0.25) / ROWS
        bottom = height - strip + strip * (row + 0.75) / ROWS
        band = luma[int(top) : max(int(bottom), int(top) + 1)]
        for column in range(COLUMNS):
            left = int(width * (column + 0.25) / COLUMNS)
            right = max(int(width * (column + 0.75) / COLUMNS), left + 1)
            word = word << 1 | int(band[:, left:right].mean() > _MIDDLE)
    if _checksum(word >> 8) != word & 0xFF:
        return None
    return Mark(word >> 24, word >> 8 & 0xFFFF)


def _checksum(value: int) -> int:
    """CRC-8 (polynomial 0x07) of 24 bits, begun with ones: an evenly grey picture must not pass."""
    remainder = 0xFF
    for shift in (16, 8, 0):
        remainder ^= value >> shift & 0xFF
        for _ in range(8):
            remainder = (remainder << 1 ^ 0x07 if remainder & 0x80 else remainder << 1) & 0xFF
    return remainder
