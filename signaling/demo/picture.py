"""A moving picture that needs no camera: the sender's name, a clock, the frame number, a ball that runs around,
and the same number as a strip for machines (strip.py). Drawn once at full size; smaller layers are averaged from it."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from signaling.demo import font, strip

WIDTH = 320
HEIGHT = 176  # both halve twice to even numbers, which chroma needs

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]  # Y, U, V; the latter at half size

_COLOURS = ((90, 160), (160, 110), (110, 110), (150, 150), (100, 90), (128, 170), (180, 128), (90, 128))
_TEXT = 235
_BALL = 210
_BALL_RADIUS = 14


class Picture:
    """Frames of one sender; `sender` (0 … 255) is what the strip says."""

    def __init__(self, name: str, sender: int) -> None:
        self._name = name[:18]
        self._sender = sender
        horizontal = np.linspace(50, 110, WIDTH)
        vertical = np.linspace(0, 40, HEIGHT)
        self._background = (horizontal[np.newaxis, :] + vertical[:, np.newaxis]).astype(np.uint8)
        u, v = _COLOURS[sender % len(_COLOURS)]
        self._u = np.full((HEIGHT // 2, WIDTH // 2), u, np.uint8)
        self._v = np.full((HEIGHT // 2, WIDTH // 2), v, np.uint8)

    def planes(self, frame_number: int, unix_s: float) -> Planes:
        """The frame with this number; `unix_s` is the time its clock shows (UTC)."""
        luma = self._background.copy()
        self._ball(luma, frame_number)
        _write(luma, font.render(self._name, 4), 10, 10)
        clock = time.strftime("%H:%M:%S", time.gmtime(unix_s)) + f".{int(unix_s * 10) % 10}"
        _write(luma, font.render(clock, 4), 42, 10)
        _write(luma, font.render(f"{frame_number:06}", 5), 74, 10)
        strip.draw(luma, strip.Mark(self._sender, frame_number))
        return luma, self._u, self._v

    def _ball(self, luma: NDArray[np.uint8], frame_number: int) -> None:
        """On a path that turns round at the edges, four pixels a frame."""
        x = _BALL_RADIUS + _bounce(4 * frame_number, WIDTH - 2 * _BALL_RADIUS)
        y = _BALL_RADIUS + _bounce(3 * frame_number, round(HEIGHT * (1 - strip.HEIGHT_SHARE)) - 2 * _BALL_RADIUS)
        rows = np.arange(y - _BALL_RADIUS, y + _BALL_RADIUS)[:, np.newaxis] - y
        columns = np.arange(x - _BALL_RADIUS, x + _BALL_RADIUS)[np.newaxis, :] - x
        box = luma[y - _BALL_RADIUS : y + _BALL_RADIUS, x - _BALL_RADIUS : x + _BALL_RADIUS]
        box[rows**2 + columns**2 < _BALL_RADIUS**2] = _BALL


def halved(planes: Planes) -> Planes:
    """The picture at half the width and height, each pixel the mean of four."""
    y, u, v = (_halved(plane) for plane in planes)
    return y, u, v


def _halved(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = plane.shape[0] // 2, plane.shape[1] // 2
    squares = plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    means: NDArray[np.uint8] = squares.mean(axis=(1, 3)).astype(np.uint8)
    return means


def _write(luma: NDArray[np.uint8], text: NDArray[np.bool_], top: int, left: int) -> None:
    width = min(text.shape[1], luma.shape[1] - left)
    luma[top : top + text.shape[0], left : left + width][text[:, :width]] = _TEXT


def _bounce(distance: int, room: int) -> int:
    position = distance % (2 * room)
    return position if position < room else 2 * room - position
