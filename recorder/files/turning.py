"""Turns decoded pictures upright, as their sender wants them shown."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from sfu.wire.extensions import UPRIGHT, Orientation

_FORMAT = "yuv420p"


def turned(frame: VideoFrame, orientation: Orientation) -> VideoFrame:
    """Another frame of the same time, in yuv420p; itself when nothing is to be done. Sizes may be odd."""
    if orientation == UPRIGHT:
        return frame
    source = frame if frame.format.name == _FORMAT else frame.reformat(format=_FORMAT)
    size = (source.height, source.width) if orientation.turns % 2 else (source.width, source.height)
    made = VideoFrame(size[0], size[1], _FORMAT)
    for before, after in zip(source.planes, made.planes, strict=True):
        samples = _samples(before)
        if orientation.mirrored:
            samples = np.fliplr(samples)
        _samples(after)[:] = np.rot90(samples, -orientation.turns)
    made.colorspace, made.color_range = source.colorspace, source.color_range
    made.pts = frame.pts
    made.time_base = frame.time_base
    return made


def _samples(plane: VideoPlane) -> NDArray[np.uint8]:
    """Rows and columns, without what lines are filled up with. Writing writes to the plane."""
    lines: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return lines[: plane.height, : plane.width]
