"""Pictures of a camera that is not held upright: numbered, turned as its sensor sees them, and how to tell if they are
shown upright again."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from sfu.core.types import Codec
from sfu.wire.extensions import UPRIGHT, Orientation
from signaling.demo import strip
from tests.recorder import clap

UNTIL_S = 6.0
WIDTH, HEIGHT = 160, 96  # as sent, however the camera is held
# In the middle of what a key frame begins (every two seconds), and at one; and the camera at the front.
HELD = (
    (0.6, Orientation(1)),
    (1.4, Orientation(3)),
    (2.0, Orientation(2)),
    (3.0, Orientation(1, mirrored=True)),
    (4.0, Orientation(1)),
    (5.2, UPRIGHT),
)


def held_at(at_s: float) -> Orientation:
    reached = [orientation for from_s, orientation in HELD if from_s <= at_s + 1e-6]
    return reached[-1] if reached else UPRIGHT


def sent(upright: NDArray[np.uint8], orientation: Orientation) -> NDArray[np.uint8]:
    """What has to be turned and mirrored so to be this."""
    turned = np.rot90(upright, orientation.turns)  # counter-clockwise
    return np.fliplr(turned) if orientation.mirrored else turned


@functools.cache
def pictures(codec: Codec, width: int = WIDTH, height: int = HEIGHT) -> tuple[tuple[bytes, bool], ...]:
    """Encoded at clap.FPS, for UNTIL_S, as `HELD` says: upright ones have a strip with their number at the bottom, and
    are red at the left, blue at the right."""
    context = av.CodecContext.create(clap.ENCODERS[codec], "w")
    assert isinstance(context, VideoCodecContext)
    context.bit_rate, context.options = 400_000, clap.OPTIONS[codec]
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, clap.FPS), Fraction(clap.FPS)
    context.gop_size, context.max_b_frames, context.thread_count = 1 << 20, 0, 1
    encoded: list[tuple[bytes, bool]] = []
    for number in range(round(UNTIL_S * clap.FPS)):
        frame = av.VideoFrame.from_ndarray(drawn(number, width, height), format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, clap.FPS)
        frame.pict_type = PictureType.I if number % clap.KEY_FRAME_EVERY == 0 else PictureType.NONE
        encoded += [(bytes(packet), packet.is_keyframe) for packet in context.encode(frame)]
    encoded += [(bytes(packet), packet.is_keyframe) for packet in context.encode(None)]
    assert len(encoded) == round(UNTIL_S * clap.FPS)
    return tuple(encoded)


def drawn(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """yuv420p, as it is sent."""
    held = held_at(number / clap.FPS)
    rows, columns = (width, height) if held.turns % 2 else (height, width)
    luma = np.full((rows, columns), 90, np.uint8)
    strip.draw(luma, strip.Mark(1, number))
    blue, red = (np.full((rows // 2, columns // 2), 128, np.uint8) for _ in range(2))
    red[:, : columns // 4], blue[:, columns // 4 :] = 200, 200
    planes = [sent(plane, held).reshape(-1) for plane in (luma, blue, red)]
    return np.concatenate(planes).reshape(height * 3 // 2, width)


def upright_numbers(frames: Iterable[av.VideoFrame]) -> dict[int, tuple[int, int]]:
    """The numbers of the pictures that are upright, and not mirrored; and the size of what is not black around."""
    found = {}
    for frame in frames:
        rgb = np.asarray(frame.to_ndarray(format="rgb24"), np.int16)
        lit = rgb.max(axis=2) > 60  # the strip has black cells, but nothing is black all the way
        rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
        if not len(rows):
            continue
        shown = rgb[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if (number := upright_number(shown)) is not None:
            found[number] = (shown.shape[1], shown.shape[0])
    return found


def upright_number(rgb: NDArray[np.int16]) -> int | None:
    """`rgb`: (height, width, 3), of nothing but the picture."""
    mark = strip.read(rgb.mean(axis=2).astype(np.uint8))
    above = rgb[: len(rgb) // 2]
    left, right = above[:, : rgb.shape[1] // 3].mean(axis=(0, 1)), above[:, -(rgb.shape[1] // 3) :].mean(axis=(0, 1))
    is_so = left[0] > left[2] + 20 and right[2] > right[0] + 20
    return mark.frame_number if mark is not None and is_so else None


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as opened:
        return list(opened.decode(video=0))
