"""Tones: continuous, as loud as said, and heard at their pitch."""

from __future__ import annotations

import numpy as np
import pytest

from signaling.demo import tone
from signaling.demo.measure import PITCH_TOLERANCE_HZ
from signaling.demo.tone import FRAME_SAMPLES, PITCHES, WINDOW_SAMPLES, Tone


def window(sender: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    one = Tone(tone.pitch_hz(sender))
    frames = [one.frame() for _ in range(WINDOW_SAMPLES // FRAME_SAMPLES)]
    return (np.concatenate(frames) / 32768).astype(np.float32)


@pytest.mark.parametrize("sender", range(PITCHES))
def test_every_pitch_is_heard(sender: int) -> None:
    heard = tone.heard_hz(window(sender))
    assert heard is not None
    assert abs(heard - tone.pitch_hz(sender)) < PITCH_TOLERANCE_HZ / 5


def test_silence_has_no_pitch() -> None:
    assert tone.heard_hz(np.zeros(WINDOW_SAMPLES, np.float32)) is None


def test_frames_follow_each_other_without_a_click() -> None:
    samples = window(3)
    assert np.abs(np.diff(samples)).max() < 0.28 * 2 * np.pi * tone.pitch_hz(3) / tone.SAMPLE_RATE * 1.01


def test_levels_are_in_decibels_below_full_scale() -> None:
    assert tone.level_dbov(Tone(440.0).frame()) == -14
    assert tone.level_dbov(np.zeros(FRAME_SAMPLES, np.int16)) == -127
    assert tone.level_dbov(np.full(FRAME_SAMPLES, -32768, np.int16)) == 0
