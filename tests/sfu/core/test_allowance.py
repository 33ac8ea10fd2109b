"""So much at once, so much per second, never more than was there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sfu.core.allowance import Allowance


# Machines that run tests are loaded: how long an example takes says nothing.
def test_grants_the_burst_and_then_the_rate() -> None:
    allowance = Allowance(per_second=2.0, burst=3.0)
    assert allowance.take(5, now=0.0) == 3
    assert allowance.take(1, now=0.4) == 0
    assert allowance.take(1, now=0.5) == 1
    assert allowance.take(9, now=60.0) == 3


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 20)), max_size=50))
def test_never_grants_more_than_burst_and_rate_allow(steps: list[tuple[float, int]]) -> None:
    allowance = Allowance(per_second=4.0, burst=5.0)
    now, granted = 0.0, 0
    for wait_s, wanted in steps:
        now += wait_s
        granted += allowance.take(wanted, now)
        assert granted <= 5 + 4 * now + 1e-6
