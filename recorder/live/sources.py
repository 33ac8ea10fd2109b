"""What a composite shows and sounds like at a time, of frames that keep coming. Decoded when asked for, not before."""

from __future__ import annotations

from collections import deque

import numpy as np
from av.video.frame import VideoFrame

from recorder.files.decoding import VIDEO_CLOCK, PictureDecoder
from recorder.files.laying import LaidSound
from recorder.marks import TrackMarks
from recorder.media.layers import TimedFrame
from recorder.media.sound import CHANNELS, RATE, Samples
from recorder.mix.sources import Sound

# Frames are laid a little further than asked: the next may begin just behind, and what lies between is no silence.
_AHEAD_S = 0.025


class LivePictures:
    """One track. Ask for growing times. What a key frame makes needless is not decoded."""

    def __init__(self, marks: TrackMarks, most_bytes: int) -> None:
        self.marks = marks
        self._most_bytes = most_bytes
        self._held: deque[TimedFrame] = deque()
        self._held_bytes = 0
        self._decoder = PictureDecoder()
        self._shown: tuple[float, VideoFrame] | None = None

    def add(self, timed: TimedFrame) -> None:
        self._held.append(timed)
        self._held_bytes += len(timed.frame.bitstream)
        if self._held_bytes > self._most_bytes:
            self._decode_until(timed.at_s)

    def at(self, session_s: float) -> tuple[float, VideoFrame] | None:
        """(when it came, the picture) that shows at this time."""
        self._decode_until(session_s)
        return None if self.marks.mutes.contains(session_s) else self._shown

    def skip(self, session_s: float) -> None:
        """There was no time for what came before: the next key frame is waited for."""
        while self._held and self._held[0].at_s <= session_s:
            self._take()
        self._decoder = PictureDecoder()

    def _decode_until(self, session_s: float) -> None:
        due, key = 0, 0  # frames, and of them those before the last key frame
        for timed in self._held:
            if timed.at_s > session_s:
                break
            if timed.frame.key_frame:
                key = due
            due += 1
        for _ in range(key):
            self._take()
        for _ in range(due - key):
            timed = self._take()
            for picture in self._decoder.decode(timed.frame, round(timed.at_s * VIDEO_CLOCK.denominator)):
                self._shown = timed.at_s, picture

    def _take(self) -> TimedFrame:
        timed = self._held.popleft()
        self._held_bytes -= len(timed.frame.bitstream)
        return timed


class LiveSound:
    """One track. Ask for stretches one behind the other; after a leap it goes on there."""

    def __init__(self, track: str) -> None:
        self._track = track
        self._held: deque[TimedFrame] = deque()
        self._laid = LaidSound()
        self._rest: list[Samples] = []
        self._position = 0  # of the first sample of the rest

    def add(self, timed: TimedFrame) -> None:
        self._held.append(timed)

    def take(self, begin: int, count: int) -> Sound:
        """Samples `begin` to `begin + count` of the session; silence where nothing has come."""
        if begin != self._position:
            self._leap(begin)
        until_s = (begin + count) / RATE + _AHEAD_S
        while self._held and self._held[0].at_s < until_s:
            self._rest += self._laid.place(self._track, self._held.popleft())
        self._rest += self._laid.line.fill(begin + count)
        self._position = begin + count
        return self._taken(count)

    def _leap(self, begin: int) -> None:
        self._laid = LaidSound()
        self._laid.line.position = begin
        self._rest = []
        while self._held and self._held[0].at_s < begin / RATE:
            self._held.popleft()

    def _taken(self, count: int) -> Sound:
        taken, missing = [np.empty((0, CHANNELS), np.int16)], count
        while missing > 0:
            piece = self._rest.pop(0)
            taken.append(piece[:missing])
            if len(piece) > missing:
                self._rest.insert(0, piece[missing:])
            missing -= len(taken[-1])
        return np.concatenate(taken).astype(np.float32) / np.float32(32768)
