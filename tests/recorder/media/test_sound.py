"""The line of sound is as long as the session, whatever comes; where the clock agrees, samples stay as they were."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recorder.media.sound import CHANNELS, RATE, Samples, SoundLine, stretched

FRAME = 960


def frame(value: int = 1000) -> Samples:
    return np.full((FRAME, CHANNELS), value, np.int16)


def joined(pieces: list[Samples]) -> Samples:
    return np.concatenate(pieces) if pieces else np.empty((0, CHANNELS), np.int16)


def test_unbroken_sound_on_time_stays_bit_for_bit() -> None:
    line, source = SoundLine(), np.random.default_rng(1).integers(-9999, 9999, (50 * FRAME, CHANNELS)).astype(np.int16)
    out = []
    for index in range(50):
        at_s = index * 0.02 + (0.001 if index % 2 else 0.0)  # reports are rounded to milliseconds
        out += line.place(at_s, source[index * FRAME : (index + 1) * FRAME], unbroken=index > 0)
    assert np.array_equal(joined(out), source)
    assert line.stretched == line.silent == line.dropped == 0


@given(st.floats(-300, 300))
def test_a_clock_that_runs_fast_or_slow_is_followed_within_three_milliseconds(ppm: float) -> None:
    line = SoundLine()
    line.place(0.0, frame(), unbroken=False)
    for index in range(1, 3000):  # a minute
        at_s = index * 0.02 / (1 + ppm / 1e6)
        line.place(at_s, frame(), unbroken=True)
        assert abs(line.position / RATE - (at_s + 0.02)) < 0.003


@given(
    st.lists(
        st.tuples(st.floats(-0.5, 0.5), st.booleans(), st.booleans(), st.integers(0, 2880)), min_size=1, max_size=40
    )
)
def test_what_is_returned_is_what_position_says_and_ends_near_where_it_should(
    steps: list[tuple[float, bool, bool, int]],
) -> None:
    line, length, at_s = SoundLine(), 0, 0.0
    for step_s, unbroken, lost, count in steps:
        at_s = max(0.0, at_s + step_s)
        samples = np.full((count, CHANNELS), 5, np.int16)
        length += len(joined(line.place(at_s, samples, unbroken=unbroken, lost=lost)))
        assert length == line.position
        # Never short of where the frame ends; beyond only where something came too late.
        assert line.position >= round(at_s * RATE) + count - (960 if unbroken else 0)
    length += len(joined(line.fill(line.position + 12_345)))
    assert length == line.position


def test_gaps_are_silent_and_short_losses_bridged_with_a_fade() -> None:
    line = SoundLine()
    line.place(0.0, frame(), unbroken=False)
    dtx = joined(line.place(0.4, frame(), unbroken=False))
    assert not dtx[:-FRAME].any() and len(dtx) == round(0.38 * RATE) + FRAME
    bridged = joined(line.place(0.46, frame(), unbroken=False, lost=True))
    assert len(bridged) == round(0.04 * RATE) + FRAME
    assert 900 < bridged[0, 0] <= 1000 and bridged[FRAME - 1, 0] < 10 and not bridged[FRAME : 2 * FRAME - 10].any()
    long = joined(line.place(0.9, frame(), unbroken=False, lost=True))
    assert not long[:-FRAME].any()


def test_what_comes_twice_or_too_late_is_left_out() -> None:
    line = SoundLine()
    line.fill(RATE)
    assert not line.place(0.5, frame(), unbroken=False)
    assert len(joined(line.place(0.99, frame(), unbroken=False))) == FRAME // 2
    assert line.dropped == FRAME + FRAME // 2


def test_stretching_keeps_pitch_and_ends_and_makes_no_noise() -> None:
    times = np.arange(FRAME)
    tone = np.repeat((8000 * np.sin(2 * np.pi * 1000 * times / RATE))[:, np.newaxis], 2, axis=1).astype(np.int16)
    longer = stretched(tone, FRAME + 4)
    assert len(longer) == FRAME + 4
    assert np.array_equal(longer[0], tone[0]) and np.array_equal(longer[-1], tone[-1])
    ideal = 8000 * np.sin(2 * np.pi * 1000 * np.linspace(0, FRAME - 1, FRAME + 4) / RATE)
    assert np.abs(longer[:, 0] - ideal).max() < 8  # 60 dB below
