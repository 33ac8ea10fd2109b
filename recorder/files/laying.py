"""Encoded sound decoded and laid on the session's time line, whichever tracks it comes of."""

from __future__ import annotations

from fractions import Fraction

import av

from recorder.files.decoding import SoundDecoder
from recorder.media import opus
from recorder.media.frames import GapReason
from recorder.media.layers import TimedFrame
from recorder.media.sound import RATE, Samples, SoundLine

_OPUS_DELAY_S = opus.LOOK_AHEAD_SAMPLES / RATE


class LaidSound:
    """One continuous line of sound."""

    def __init__(self) -> None:
        self.line = SoundLine()
        self.failed = 0  # packets that could not be decoded
        self._decoders: dict[str, SoundDecoder] = {}
        self._next: dict[str, int] = {}  # the RTP time that follows unbroken, by track

    def place(self, track: str, timed: TimedFrame) -> list[Samples]:
        """What is to be appended."""
        frame = timed.frame
        decoder = self._decoders.setdefault(track, SoundDecoder())
        failed = decoder.failed
        samples = decoder.decode(frame.bitstream)
        self.failed += decoder.failed - failed
        unbroken = self._next.get(track) == frame.timestamp and frame.gap is not GapReason.BEGIN
        self._next[track] = frame.timestamp + (opus.duration_samples(frame.bitstream) or 0)
        if not len(samples):
            return []
        at_s = timed.at_s - _OPUS_DELAY_S
        return self.line.place(at_s, samples, unbroken=unbroken, lost=frame.gap is GapReason.LOSS)


def sound_frame(samples: Samples, position: int) -> av.AudioFrame:
    """For an encoder; `position`: how many samples were before."""
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate = RATE
    frame.pts = position
    frame.time_base = Fraction(1, RATE)
    return frame
