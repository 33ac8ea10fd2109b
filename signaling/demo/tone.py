"""Sound that can be checked: a steady tone per sender, and what pitch is heard in decoded samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 48_000
FRAME_SAMPLES = 960  # 20 ms, Opus's and everybody's usual

LOWEST_HZ = 440.0
STEP_HZ = 110.0  # between neighbours: ten times what a listener here can tell apart
PITCHES = 16
WINDOW_SAMPLES = 4800  # 100 ms: bins of 10 Hz, refined between bins
SILENCE = 0.01  # of full scale (root mean square); the tone has 0.2

_AMPLITUDE = 0.28


def pitch_hz(sender: int) -> float:
    return LOWEST_HZ + STEP_HZ * (sender % PITCHES)


class Tone:
    """A sine without clicks between frames."""

    def __init__(self, frequency_hz: float) -> None:
        self._frequency_hz = frequency_hz
        self._position = 0

    def frame(self) -> NDArray[np.int16]:
        """The next 20 ms, mono."""
        times = (np.arange(FRAME_SAMPLES) + self._position) / SAMPLE_RATE
        self._position += FRAME_SAMPLES
        samples = _AMPLITUDE * np.sin(2 * np.pi * self._frequency_hz * times)
        return (samples * 32767).astype(np.int16)


def level_dbov(samples: NDArray[np.int16]) -> int:
    """Loudness as the audio level extension has it (RFC 6464): 0 is full scale, -127 silence."""
    mean_square = float(np.mean((samples / 32768.0) ** 2))
    return max(-127, round(10 * np.log10(mean_square))) if mean_square > 0 else -127


def heard_hz(samples: NDArray[np.float32]) -> float | None:
    """The loudest pitch of mono samples at 48 kHz, `None` for silence. Wants WINDOW_SAMPLES or more."""
    if float(np.sqrt(np.mean(samples**2))) < SILENCE:
        return None
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    peak = int(np.argmax(spectrum[1:-1])) + 1
    # A parabola through the logarithms of three bins has its top at the true frequency, nearly.
    left, top, right = np.log(spectrum[peak - 1 : peak + 2] + 1e-12)
    offset = 0.5 * (left - right) / (left - 2 * top + right)
    return float((peak + offset) * SAMPLE_RATE / len(samples))
