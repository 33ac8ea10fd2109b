"""What a written file shows and sounds like: flashes, beeps, numbered frames, at the times that the file gives them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container.input import InputContainer
from numpy.typing import NDArray

from signaling.demo import strip

LOUD = 0.2  # of full scale: a beep
QUIET_S = 0.5  # between two of them


@dataclass(slots=True)
class Seen:
    """`numbers`: (time, frame number) of each picture whose strip can be read. Times are the file's own."""

    flashes: list[float] = field(default_factory=list)
    beeps: list[float] = field(default_factory=list)
    numbers: list[tuple[float, int]] = field(default_factory=list)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    video_end_s: float = 0.0
    audio_end_s: float = 0.0
    largest_audio_hole_s: float = 0.0


def watch(path: Path) -> Seen:
    """Decodes a whole file. What cannot be decoded is not there."""
    seen = Seen()
    with av.open(str(path)) as opened:
        if opened.streams.video:
            _watch_pictures(_decoded(opened, opened.streams.video[0]), seen)
    with av.open(str(path)) as opened:
        if opened.streams.audio:
            _listen(_decoded(opened, opened.streams.audio[0]), seen)
    return seen


def beep_near(path: Path, at_s: float) -> float:
    """When a beep begins, within half a second of `at_s`; infinity when there is none. Reads no more than that."""
    with av.open(str(path)) as opened:
        stream = opened.streams.audio[0]
        opened.seek(int((at_s - 1.0) / float(stream.time_base or 1)), stream=stream)
        for frame in _decoded(opened, stream):
            loud = np.flatnonzero(np.abs(_mono(frame)) > LOUD)
            if len(loud) and frame.time >= at_s - 0.5:
                return float(frame.time + float(loud[0]) / frame.sample_rate)
            if frame.time > at_s + 0.5:
                break
    return float("inf")


def _decoded(opened: InputContainer, stream: Any) -> Iterable[Any]:
    for packet in opened.demux(stream):
        with contextlib.suppress(av.error.InvalidDataError):
            yield from packet.decode()


def _watch_pictures(frames: Iterable[av.VideoFrame], seen: Seen) -> None:
    bright = False
    for frame in frames:
        assert frame.time is not None
        luma: NDArray[np.uint8] = np.asarray(frame.to_ndarray(format="gray"), np.uint8)
        was, bright = bright, bool(_middle(luma).mean() > 150)
        if bright and not was:
            seen.flashes.append(frame.time)
        mark = strip.read(luma)
        if mark is not None:
            seen.numbers.append((frame.time, mark.frame_number))
        seen.sizes.add((frame.width, frame.height))
        seen.video_end_s = frame.time


def _middle(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Above the strip, and within the bars beside an upright picture."""
    height, width = luma.shape
    return luma[height // 8 : height // 2, width * 2 // 5 : width * 3 // 5]


def _mono(frame: av.AudioFrame) -> NDArray[np.float32]:
    samples = frame.to_ndarray()
    channels = samples if frame.format.is_planar else samples.reshape(-1, len(frame.layout.channels)).T
    mono = channels.mean(axis=0)
    if np.issubdtype(samples.dtype, np.integer):
        mono = mono / (1 << (8 * samples.dtype.itemsize - 1))
    return np.asarray(mono, np.float32)


def _listen(frames: Iterable[av.AudioFrame], seen: Seen) -> None:
    """Each sample at the time that its frame has in the file: what a player goes by, whatever was left out before."""
    last_loud_s = float("-inf")
    for frame in frames:
        assert frame.time is not None
        rate = frame.sample_rate
        if seen.audio_end_s:
            seen.largest_audio_hole_s = max(seen.largest_audio_hole_s, abs(frame.time - seen.audio_end_s))
        seen.audio_end_s = frame.time + frame.samples / rate
        loud = np.flatnonzero(np.abs(_mono(frame)) > LOUD)
        if len(loud):  # a frame is shorter than what lies between two beeps
            begins_s = frame.time + float(loud[0]) / rate
            if begins_s - last_loud_s > QUIET_S:
                seen.beeps.append(begins_s)
            last_loud_s = frame.time + float(loud[-1]) / rate


def worst(found: list[float], expected: list[float]) -> float:
    """The largest difference, when each expected moment was found; else infinity."""
    if len(found) != len(expected):
        return float("inf")
    return max((abs(one - other) for one, other in zip(found, expected, strict=True)), default=0.0)
