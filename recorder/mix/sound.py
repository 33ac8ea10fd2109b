"""Adds up the sound of all, and keeps it below full scale without clipping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from recorder.media.sound import CHANNELS, Samples
from recorder.mix.sources import Sound

_CEILING = 0.98
_STEP = 480  # 10 ms: the gain is chosen anew
_RELEASE = 0.05  # of the way back per step: some 200 ms until it is back


class SoundOfOne(Protocol):
    """Asked for stretches one behind the other."""

    def take(self, begin: int, count: int) -> Sound:
        """Samples `begin` to `begin + count` of the session; silence where there are none."""


class SoundMix:
    """Ask for one stretch after the other, from sample `position` of the session on. `sources` may change meanwhile."""

    def __init__(self, sources: Sequence[SoundOfOne], position: int = 0) -> None:
        self._sources = sources
        self._limiter = Limiter()
        self.position = position

    def take(self, count: int) -> Samples:
        mixed = np.zeros((count, CHANNELS), np.float32)
        for source in self._sources:
            mixed += source.take(self.position, count)
        self.position += count
        return self._limiter.limit(mixed)


class Limiter:
    """Turns down at once, from the beginning of the 10 ms that would be too loud, and up again slowly."""

    def __init__(self) -> None:
        self._gain = 1.0

    def limit(self, sound: Sound) -> Samples:
        out = np.empty_like(sound)
        for begin in range(0, len(sound), _STEP):
            piece = sound[begin : begin + _STEP]
            peak = float(np.abs(piece).max(initial=0.0))
            wanted = min(1.0, _CEILING / peak) if peak > 0 else 1.0
            target = min(wanted, self._gain + (1.0 - self._gain) * _RELEASE)
            ramp = np.linspace(min(self._gain, wanted), target, len(piece), dtype=np.float32)
            out[begin : begin + _STEP] = piece * ramp[:, np.newaxis]
            self._gain = target
        scaled: Samples = np.rint(np.clip(out, -1.0, 1.0) * 32767).astype(np.int16)
        return scaled
