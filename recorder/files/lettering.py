"""Names as pixels: with DejaVu or Noto where Debian has installed them, else with the one font that Pillow brings,
which has Latin letters without accents."""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
)
_MOST_LETTERS = 200

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def text_mask(text: str, height_px: int, most_px: int) -> NDArray[np.uint8]:
    """How much of each pixel the text covers (0 … 255). What does not fit is cut, with an ellipsis."""
    font, complete = _font(height_px)
    text = "".join(letter for letter in text if letter.isprintable())[:_MOST_LETTERS]
    if not complete:
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    shown = _shortened(text, font, most_px - 2)
    width = max(1, min(most_px, int(font.getlength(shown)) + 2))
    image = Image.new("L", (width, int(height_px * 1.3) + 2))
    ImageDraw.Draw(image).text((1, 0), shown, font=font, fill=255)
    return np.asarray(image)


def _shortened(text: str, font: Font, most_px: int) -> str:
    shown = text
    while shown and font.getlength(shown) > most_px:
        text = text[:-1]
        shown = text.rstrip() + "..." if text else ""
    return shown


@functools.cache
def _font(height_px: int) -> tuple[Font, bool]:
    """And whether it has more than plain Latin letters."""
    for path in _FONTS:
        if Path(path).is_file():
            return ImageFont.truetype(path, height_px), True
    return ImageFont.load_default(height_px), False
