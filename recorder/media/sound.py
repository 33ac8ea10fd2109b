"""Lays decoded sound on the session's time line, sample by sample, so that a file is as long as the session was.

Where nothing was sent (mute, DTX, a late join) there is silence; a short loss is bridged. A publisher whose clock runs
fast or slow is followed by stretching a frame by a few samples at a time, at most 0.5 %, which nobody hears; while its
clock agrees with ours, samples stay what the decoder gave.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]  # (count, channels)

RATE = 48_000
CHANNELS = 2
_STRETCH_FROM = 96  # samples, 2 ms: begin to stretch
_STRETCH_TO = 12  # and end
_STRETCH_SHARE = 200  # of a frame: 0.5 %
_LEAP = 960  # 20 ms off in unbroken sound: the clock was corrected, and stretching would take too long
_BRIDGED = 2880  # 60 ms: a longer loss is silence
_SILENCE = np.zeros((RATE, CHANNELS), np.int16)


class SoundLine:
    """What it returns is appended to the file; `position` is the number of samples so far."""

    def __init__(self) -> None:
        self.position = 0
        self.silent = 0  # samples that were filled in
        self.dropped = 0  # samples that came too late, or twice
        self.stretched = 0  # samples put in or left out, to follow the clock
        self._stretching = False
        self._last: Samples | None = None

    def place(self, at_s: float, samples: Samples, *, unbroken: bool, lost: bool = False) -> list[Samples]:
        """`at_s`: when the first sample was heard. `unbroken`: it follows the frame before. `lost`: what lies between
        was lost."""
        ahead = round(at_s * RATE) - self.position
        if unbroken and abs(ahead) < _LEAP:
            return self._append([], self._followed(samples, ahead))
        self._stretching = False
        if ahead < 0:
            kept = samples[-ahead:]
            self.dropped += len(samples) - len(kept)
            return self._append([], kept)
        bridge = self._bridge(ahead) if lost and ahead <= _BRIDGED else None
        filled = self.fill(self.position + ahead) if bridge is None else self._append([], bridge)
        return self._append(filled, samples)

    def fill(self, until: int) -> list[Samples]:
        """Silence up to this number of samples."""
        filled = []
        missing = until - self.position
        if missing > 0:
            self.silent += missing
            self.position = until
            self._last = None
        while missing > 0:
            filled.append(_SILENCE[:missing])
            missing -= RATE
        return filled

    def _append(self, before: list[Samples], samples: Samples) -> list[Samples]:
        if len(samples):
            self.position += len(samples)
            self._last = samples
            before.append(samples)
        return before

    def _followed(self, samples: Samples, ahead: int) -> Samples:
        if abs(ahead) >= _STRETCH_FROM:
            self._stretching = True
        elif abs(ahead) <= _STRETCH_TO:
            self._stretching = False
        count = len(samples)
        most = count // _STRETCH_SHARE
        if not self._stretching or most == 0:
            return samples
        by = max(-most, min(most, ahead))
        self.stretched += abs(by)
        return stretched(samples, count + by)

    def _bridge(self, count: int) -> Samples:
        """The last sound once more, backwards so that it joins on, fading."""
        if self._last is None:
            return np.zeros((count, CHANNELS), np.int16)
        source = self._last[::-1]
        repeated = np.resize(source, (count, CHANNELS)).astype(np.float32)
        fade = np.maximum(0.0, 1.0 - np.arange(count, dtype=np.float32) / (RATE * 0.02))
        bridge: Samples = (repeated * fade[:, np.newaxis]).astype(np.int16)
        return bridge


def stretched(samples: Samples, count: int) -> Samples:
    """The same sound in `count` samples: through four neighbours each (Catmull-Rom), first and last as they were."""
    padded = np.concatenate([samples[:1], samples, samples[-1:], samples[-1:]]).astype(np.float32)
    at = np.linspace(0.0, len(samples) - 1.0, count)
    whole = np.floor(at).astype(np.intp)
    t = (at - whole).astype(np.float32)[:, np.newaxis]
    a, b, c, d = (padded[whole + shift] for shift in range(4))
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    rounded: Samples = np.clip(np.rint(curve), -32768, 32767).astype(np.int16)
    return rounded
