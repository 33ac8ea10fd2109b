"""Fits pictures of any size and shape into one of a fixed size, and draws the slate that stands for no picture."""

from __future__ import annotations

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from recorder.files.lettering import text_mask

_BLACK = (16, 128, 128)  # Y, U, V, video range
_SLATE_LUMA = 34
_TEXT_LUMA = 180

Planes = NDArray[np.uint8]  # yuv420p in one array: height x 1.5 rows


def blank(size: tuple[int, int], luma: int = _BLACK[0]) -> Planes:
    width, height = size
    planes = np.full((height * 3 // 2, width), _BLACK[1], np.uint8)
    planes[:height] = luma
    return planes


def fitted_size(picture: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """The largest of the same shape, in even numbers, at least 2 by 2."""
    scale = min(room[0] / picture[0], room[1] / picture[1])
    return max(2, round(picture[0] * scale / 2) * 2), max(2, round(picture[1] * scale / 2) * 2)


def scaled(frame: VideoFrame, size: tuple[int, int]) -> Planes:
    reformatted = frame.reformat(size[0], size[1], "yuv420p", interpolation=Interpolation.BILINEAR)
    planes: Planes = np.asarray(reformatted.to_ndarray(), np.uint8)
    return planes


def fitted(frame: VideoFrame, size: tuple[int, int]) -> VideoFrame:
    """The frame on a black canvas; itself when nothing is to be done. `size` is even."""
    inner = fitted_size((frame.width, frame.height), size)
    if inner == size:
        if (frame.width, frame.height) == size and frame.format.name == "yuv420p":
            return frame
        return frame.reformat(size[0], size[1], "yuv420p", interpolation=Interpolation.BILINEAR)
    canvas = blank(size)
    paste(canvas, scaled(frame, inner), ((size[0] - inner[0]) // 4 * 2, (size[1] - inner[1]) // 4 * 2))
    return av.VideoFrame.from_ndarray(canvas, format="yuv420p")


def paste(canvas: Planes, picture: Planes, at: tuple[int, int]) -> None:
    """`at`: left and top, even. Both in one piece of yuv420p."""
    left, top = at
    rows, width = picture.shape
    height = rows * 2 // 3
    full_rows, full_width = canvas.shape
    full_height = full_rows * 2 // 3
    canvas[top : top + height, left : left + width] = picture[:height]
    for plane in range(2):
        source = picture[height:].reshape(2, height // 2, width // 2)[plane]
        target = canvas[full_height:].reshape(2, full_height // 2, full_width // 2)[plane]
        target[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2] = source


def slate(size: tuple[int, int], name: str) -> VideoFrame:
    canvas = blank(size, _SLATE_LUMA)
    mask = text_mask(name, max(10, size[1] // 12), size[0] * 9 // 10)
    top, left = (size[1] - mask.shape[0]) // 2, (size[0] - mask.shape[1]) // 2
    draw_mask(canvas, mask, (left, top), _TEXT_LUMA)
    return av.VideoFrame.from_ndarray(canvas, format="yuv420p")


def draw_mask(canvas: Planes, mask: NDArray[np.uint8], at: tuple[int, int], luma: int) -> None:
    """Mixes brightness in; colour stays."""
    left, top = at
    height = canvas.shape[0] * 2 // 3
    area = canvas[max(top, 0) : min(top + mask.shape[0], height), max(left, 0) : left + mask.shape[1]]
    cover = mask[: area.shape[0], : area.shape[1]].astype(np.uint16)
    area[:] = (area * (255 - cover) + luma * cover) // 255
