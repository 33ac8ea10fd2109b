"""How many frames a second: what two windows say, and no more often another number than is needed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.frame_rate import KEPT, FrameRate, of_one_track, shares_up_to


def measured(*windows: float) -> list[float | None]:
    """After each window, asked with the one before."""
    rate = FrameRate()
    said: list[float | None] = []
    for index, window in enumerate(windows):
        rate.on_windows([window, *windows[max(0, index - 1) : index]], 2.0 * index)
        said.append(rate.per_s)
    return said


def test_it_is_the_first_window_s_and_rises_and_falls_with_two() -> None:
    assert measured(15.0) == [15.0]
    assert measured(15.0, 30.0, 30.0, 29.0) == [15.0, 15.0, 30.0, 30.0]
    assert measured(30.0, *[15.0] * 4) == [30.0] * 4 + [15.0]
    assert set(measured(30.0, 15.0, 15.0, 30.0, 15.0, 15.0, 30.0)) == {30.0}


def test_a_pause_and_what_comes_all_at_once_after_a_stillness_change_nothing() -> None:
    assert set(measured(25.0, 18.0, 32.0, 25.0)) == {25.0}
    assert set(measured(30.0, 12.0, 0.0, 0.0, 0.0, 14.0, 30.0)) == {30.0}
    assert measured(0.0) == [None]


@given(st.floats(1, 60), st.lists(st.floats(1 - (1 - KEPT) / 2, 1 + (1 - KEPT) / 2), min_size=2, max_size=60))
def test_one_that_wobbles_only_rises_and_never_above_what_was_seen(rate: float, wobbling: list[float]) -> None:
    said = [one for one in measured(*(rate * factor for factor in wobbling)) if one is not None]
    assert all(before <= after for before, after in pairwise(said))
    assert said[-1] <= rate * max(wobbling)


def test_layers_of_one_track_have_as_many_as_the_best_unless_clearly_fewer() -> None:
    assert of_one_track([29.4, None, 30.1]) == [30.1, 30.1, 30.1]
    assert of_one_track([15.0, 30.0]) == [15.0, 30.0]
    assert of_one_track([None, None]) == [None, None]


@pytest.mark.parametrize(
    ("frames", "shares"),
    [
        ((30, 31, 59, 0), (0.25, 0.5, 1.0, 1.0)),
        ((0, 20, 20, 0), (0.0, 0.5, 1.0, 1.0)),
        ((30, 60), (30 / 90, 1.0)),
        ((8, 1), (1.0, 1.0)),
    ],
)
def test_what_is_nearly_a_half_is_one(frames: tuple[int, ...], shares: tuple[float, ...]) -> None:
    assert shares_up_to(frames) == shares
