"""Which sizes of a meeting are tried, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtest import largest
from loadtest.largest import goes_well, next_size, verdict
from loadtest.results import point
from tests.loadtest.test_results import WINDOW


@pytest.mark.parametrize("end", [*range(2, 60), 333, 999])
@pytest.mark.parametrize("first", [2, 10, 40])
def test_finds_where_it_ends_in_few_steps(first: int, end: int) -> None:
    tried: dict[int, bool] = {}
    while (size := next_size(first, tried)) is not None:
        assert size not in tried
        tried[size] = size <= end
    well = max(size for size, went_well in tried.items() if went_well)
    badly = min((size for size, went_well in tried.items() if not went_well), default=largest.MOST_PARTICIPANTS)
    assert well <= end <= badly
    assert badly - well <= max(1, largest.EXACT * well) or badly == largest.MOST_PARTICIPANTS
    assert len(tried) <= 30


def test_ends_where_not_even_two_can_talk() -> None:
    tried: dict[int, bool] = {}
    while (size := next_size(10, tried)) is not None:
        tried[size] = False
    assert min(tried) == 2


def test_a_meeting_goes_well_that_loses_little_and_is_in_time() -> None:
    measured = point(WINDOW)
    well = replace(measured, loss=0.0009, added_latency_ms={"p50": 1.0, "p99": 199.0, "p999": 900.0}, participants=12)
    lossy = replace(well, loss=0.001, participants=15)
    late = replace(well, added_latency_ms={"p50": 1.0, "p99": 201.0, "p999": 900.0}, participants=14)
    silent = replace(well, added_latency_ms={"p50": None, "p99": None, "p999": None})
    assert [goes_well(one) for one in (well, lossy, late, silent)] == [True, False, False, False]
    text, is_well = verdict([well, lossy, late])
    assert is_well and "12 participants" in text
    assert not verdict([late])[1]
