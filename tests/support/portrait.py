"""Somebody before a camera, as a film for Chromium's fake camera: the head sways, and the sensor hisses.

What matters is how an encoder spends bits on it. Of drawn pictures that hardly move it spends nearly all on the key
frame, which is then fifty times as large as what follows, and fills the queue of any path. Whoever is filmed moves, and
a sensor is never still, so that every picture takes its share and the layers have the rates that they are given.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FRAMES = 30  # then it begins anew, where it began
HISS = 1.5  # of 256, standard deviation: a webcam indoors
SWAY = 0.05  # of the width

Plane = NDArray[np.uint8]


def film(path: Path, width: int, height: int, frames_per_s: int) -> None:
    """Write it as Y4M."""
    random = np.random.default_rng(1)
    room, face = _texture(random, height, width, 60.0), _texture(random, height, width, 40.0)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{frames_per_s}:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(FRAMES):
            turn = 2 * np.pi * number / FRAMES
            luma = _frame(room, face, turn)
            luma += random.normal(0.0, HISS, luma.shape).astype(np.float32)
            file.write(b"FRAME\n" + luma.clip(16, 235).astype(np.uint8).tobytes())
            for tint in (112, 144):
                file.write(bytes((tint,)) * (width // 2 * (height // 2)))


def _frame(room: NDArray[np.float32], face: NDArray[np.float32], turn: float) -> NDArray[np.float32]:
    height, width = room.shape
    sway, nod = int(SWAY * width * np.sin(turn)), int(0.5 * SWAY * height * np.sin(2 * turn))
    rows, columns = np.ogrid[:height, :width]
    head = ((columns - width / 2 - sway) / (0.17 * width)) ** 2 + ((rows - 0.42 * height - nod) / (0.32 * height)) ** 2
    body = ((columns - width / 2 - sway / 2) / (0.36 * width)) ** 2 + ((rows - 1.1 * height) / (0.42 * height)) ** 2
    moved = np.roll(face, (nod, sway), axis=(0, 1))
    return np.where(head < 1, 60 + moved, np.where(body < 1, moved - 10, room)).astype(np.float32)


def _texture(random: np.random.Generator, height: int, width: int, contrast: float) -> NDArray[np.float32]:
    """Soft spots of many sizes, as walls, cloth and skin have."""
    texture = np.full((height, width), 110.0, np.float32)
    for cell in (8, 16, 32, 64):
        spots = random.normal(0.0, 1.0, (height // cell + 2, width // cell + 2))
        texture += contrast * cell / 120 * _smooth(spots, height, width, cell)
    return texture


def _smooth(spots: NDArray[np.float64], height: int, width: int, cell: int) -> NDArray[np.float32]:
    """Between the spots linearly, in both directions."""
    rows, columns = np.arange(height) / cell, np.arange(width) / cell
    top, left = rows.astype(int), columns.astype(int)
    down, right = (rows - top)[:, None], (columns - left)[None, :]
    upper = spots[top][:, left] * (1 - right) + spots[top][:, left + 1] * right
    lower = spots[top + 1][:, left] * (1 - right) + spots[top + 1][:, left + 1] * right
    return np.asarray(upper * (1 - down) + lower * down, np.float32)
