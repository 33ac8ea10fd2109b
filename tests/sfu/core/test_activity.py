"""What counts as speech, frame by frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.activity import FRAME_S, HISTORY_FRAMES, SILENT, Activity, frame_of

START_S = 40.0


def fed(levels: list[int], *, step_s: float = FRAME_S) -> tuple[Activity, int]:
    """The Activity, and the frame of the last packet."""
    activity = Activity()
    at_s = START_S
    for index, level in enumerate(levels):
        at_s = START_S + index * step_s + 0.001
        activity.on_level(level, at_s)
    return activity, frame_of(at_s)


SPEECH = [30, 24, 20, 22, 30]
CASES = {
    "a syllable": ([62] * 20 + SPEECH, 5),
    "a syllable after silence that was not sent": (SPEECH, 5),
    "too quiet": ([90] * 20 + [45] * 10, 0),
    "not above the noise": ([40] * 200 + [30] * 10, 0),
    "above the noise": ([40] * 200 + [28] * 10, 10),
    "a click": ([62] * 20 + [20, 25] + [62] * 3, 0),
    "clicks": ([62] * 20 + [20, 25, 62] * 5, 0),
    "silent packets": ([SILENT] * 30, 0),
}


@pytest.mark.parametrize(("levels", "spoke"), CASES.values(), ids=CASES.keys())
def test_counts_frames_of_speech(levels: list[int], spoke: int) -> None:
    activity, frame = fed(levels)
    assert activity.spoke(frame, 15) == spoke


def test_noise_that_goes_on_is_no_speech_any_more() -> None:
    activity, frame = fed([62] * 10 + [30] * 200)
    assert activity.spoke(frame, 15) == 0


def test_speech_passes_out_of_sight() -> None:
    activity, frame = fed([62] * 20 + SPEECH)
    assert [activity.spoke(frame + passed, 10) for passed in (0, 5, 7, 10, 500)] == [5, 5, 3, 0, 0]
    assert [activity.spoke(frame, 10, ago) for ago in (0, 2, 5)] == [5, 3, 0]


def test_a_longer_packet_is_as_long_as_it_lasts() -> None:
    activity, frame = fed([25] * 5, step_s=0.06)
    assert activity.spoke(frame, 13) == 13


def test_packets_sent_by_a_silent_microphone_once_in_a_while_are_no_speech() -> None:
    activity, frame = fed([30] * 10, step_s=0.4)
    assert activity.spoke(frame, 100) == 0


def test_loudness_rises_at_once_and_sinks_slowly() -> None:
    activity, frame = fed([62] * 5 + [20])
    assert [activity.loudness_dbov(frame + passed) for passed in (0, 50, 100, 10_000)] == [-20, -40, -60, -SILENT]
    activity.on_level(35, START_S + 1)
    assert activity.loudness_dbov(frame_of(START_S + 1)) == pytest.approx(-35)


@given(st.lists(st.tuples(st.integers(0, SILENT), st.floats(-0.1, 5, allow_nan=False)), max_size=80))
def test_counts_are_never_more_than_there_were_frames(packets: list[tuple[int, float]]) -> None:
    activity, at_s = Activity(), START_S
    for level, passed_s in packets:
        at_s += passed_s
        activity.on_level(level, at_s)
        frame = frame_of(at_s)
        assert 0 <= activity.spoke(frame, 15) <= activity.spoke(frame, 30) <= activity.spoke(frame, HISTORY_FRAMES)
        assert activity.spoke(frame, 15) <= 15
        assert activity.loudness_dbov(frame) >= -level or passed_s < 0
