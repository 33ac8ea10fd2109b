"""A bitmap font of three by five dots, enough to write names, clocks and numbers into a generated picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLUMNS = 3
ROWS = 5

# Each letter top to bottom, three bits per row.
_LETTERS = {
    "A": "25755",
    "B": "65656",
    "C": "34443",
    "D": "65556",
    "E": "74647",
    "F": "74644",
    "G": "34553",
    "H": "55755",
    "I": "72227",
    "J": "11152",
    "K": "55655",
    "L": "44447",
    "M": "57755",
    "N": "65555",
    "O": "25552",
    "P": "65644",
    "Q": "25563",
    "R": "65655",
    "S": "34216",
    "T": "72222",
    "U": "55557",
    "V": "55552",
    "W": "55775",
    "X": "55255",
    "Y": "55222",
    "Z": "71247",
    "0": "75557",
    "1": "26227",
    "2": "61247",
    "3": "61216",
    "4": "55711",
    "5": "74616",
    "6": "34757",
    "7": "71244",
    "8": "75757",
    "9": "75716",
    " ": "00000",
    ":": "02020",
    ".": "00002",
    "-": "00700",
}
_UNKNOWN = "77777"


def render(text: str, dot: int) -> NDArray[np.bool_]:
    """The text in one line, as a mask; each dot is a square of `dot` pixels, letters one dot apart."""
    mask = np.zeros((ROWS, len(text) * (COLUMNS + 1)), dtype=np.bool_)
    for index, letter in enumerate(text.upper()):
        left = index * (COLUMNS + 1)
        for row, bits in enumerate(_LETTERS.get(letter, _UNKNOWN)):
            for column in range(COLUMNS):
                mask[row, left + column] = int(bits) >> (COLUMNS - 1 - column) & 1
    return np.repeat(np.repeat(mask, dot, axis=0), dot, axis=1)
