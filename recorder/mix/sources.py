"""The files of a recording, read forwards: the picture that shows at a time, the sound of a stretch of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container.input import InputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from recorder.files.turning import turned
from recorder.manifest import Turn
from recorder.media.sound import CHANNELS, RATE
from sfu.wire.extensions import UPRIGHT, Orientation

Sound = NDArray[np.float32]  # (count, channels), 1.0 is full scale
_FUTURE_S = 1e9
_SAME_S = 0.002  # containers have milliseconds, and each file begins at one


class PictureSource:
    """One file. Ask for growing times."""

    def __init__(self, path: Path, start_s: float, turns: Sequence[Turn] = ()) -> None:
        """`turns`: how its pictures are to be shown. What the container says of that is not asked."""
        self._opened = _open(path)
        self._start_s = start_s
        self._turns = deque(turns)
        self._orientation = UPRIGHT
        self._shown: VideoFrame | None = None
        self._shown_s = -_FUTURE_S
        self._next: VideoFrame | None = None
        self._next_s = _FUTURE_S
        self._frames = self._decoded()
        self._advance()

    def at(self, session_s: float) -> tuple[float, VideoFrame] | None:
        """(when it came, the picture) that shows at this time."""
        while self._next is not None and self._next_s <= session_s:
            self._shown, self._shown_s = turned(self._next, self._orientation_at(self._next_s)), self._next_s
            self._advance()
        return None if self._shown is None else (self._shown_s, self._shown)

    def _orientation_at(self, session_s: float) -> Orientation:
        while self._turns and self._turns[0].at_s <= session_s + _SAME_S:
            turn = self._turns.popleft()
            self._orientation = Orientation(turn.degrees // 90 % 4, turn.mirrored)
        return self._orientation

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def _advance(self) -> None:
        self._next = next(self._frames, None)
        self._next_s = _FUTURE_S
        if self._next is not None and self._next.time is not None:
            self._next_s = self._start_s + self._next.time

    def _decoded(self) -> Iterator[VideoFrame]:
        """As far as the file goes: one that was cut short has shown what it had."""
        if self._opened is None or not self._opened.streams.video:
            return
        stream = self._opened.streams.video[0]
        stream.codec_context.thread_count = 1
        try:
            yield from self._opened.decode(stream)
        except (av.FFmpegError, ValueError):
            return


class SoundSource:
    """One file as stereo at 48 kHz, from `start_s` of the session on. Ask for stretches one behind the other."""

    def __init__(self, path: Path, start_s: float) -> None:
        self._opened = _open(path)
        self._position = round(start_s * RATE)
        self._rest: Sound = np.empty((0, CHANNELS), np.float32)
        self._pieces = self._decoded(self._position)

    def take(self, begin: int, count: int) -> Sound:
        """Samples `begin` to `begin + count` of the session; silence where there are none."""
        taken = np.zeros((count, CHANNELS), np.float32)
        while self._position < begin + count:
            if not len(self._rest):
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._position, self._rest = piece
                continue
            from_index = max(0, begin - self._position)
            usable = self._rest[from_index : begin + count - self._position]
            at = self._position + from_index - begin
            taken[at : at + len(usable)] = usable
            used = min(len(self._rest), begin + count - self._position)
            self._position += used
            self._rest = self._rest[used:]
        return taken

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def _decoded(self, start: int) -> Iterator[tuple[int, Sound]]:
        if self._opened is None or not self._opened.streams.audio:
            return
        resampler = AudioResampler(format="s16", layout="stereo", rate=RATE)
        position: int | None = None
        try:
            for frame in self._opened.decode(audio=0):
                position, piece = _placed(frame, resampler, start, position)
                if len(piece):
                    yield position - len(piece), piece
        except (av.FFmpegError, ValueError):
            return


def _placed(frame: AudioFrame, resampler: AudioResampler, start: int, position: int | None) -> tuple[int, Sound]:
    """(the sample after it, its samples). Time stamps are believed where they leap; else sound is unbroken."""
    claimed = start if frame.time is None else start + round(frame.time * RATE)
    if position is None or abs(claimed - position) > RATE // 100:
        position = claimed
    pieces = [np.asarray(one.to_ndarray()).reshape(-1, CHANNELS) for one in resampler.resample(frame)]
    samples: Sound = np.empty((0, CHANNELS), np.float32)
    if pieces:
        samples = np.concatenate(pieces).astype(np.float32) / np.float32(32768)
    return position + len(samples), samples


def _open(path: Path) -> InputContainer | None:
    """`None` for a file that has nothing that can be read, as after a kill in its first second."""
    try:
        opened = av.open(str(path))
    except (av.FFmpegError, ValueError):
        return None
    assert isinstance(opened, InputContainer)
    return opened
