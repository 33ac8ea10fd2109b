"""One deadline per owner, whatever order they are set and moved in."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from sfu.core.deadlines import STALE_ENTRIES, Deadlines


# Machines that run tests are loaded: how long an example takes says nothing.
def test_owners_come_due_in_order_and_only_once() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("later", 2.0)
    deadlines.set("soon", 1.0)
    assert deadlines.next_timeout() == 1.0
    assert deadlines.due(0.9) == []
    assert deadlines.due(2.0) == ["soon", "later"]
    assert deadlines.due(3.0) == [] and deadlines.next_timeout() is None


def test_moving_and_clearing_a_deadline_forgets_the_old_one() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("moved", 1.0)
    deadlines.set("moved", 3.0)
    deadlines.set("cleared", 1.0)
    deadlines.set("cleared", None)
    assert deadlines.next_timeout() == 3.0
    assert deadlines.due(2.0) == []


def test_a_deadline_set_again_to_the_same_time_after_it_was_moved_is_reported_once() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for at in (1.0, 2.0, 1.0):
        deadlines.set("owner", at)
    assert deadlines.due(5.0) == ["owner"]


def test_moving_for_ever_does_not_fill_memory() -> None:
    deadlines: Deadlines[int] = Deadlines()
    for step in range(20 * STALE_ENTRIES):
        deadlines.set(step % 3, float(20 * STALE_ENTRIES - step))
    assert len(deadlines._heap) <= 3 * STALE_ENTRIES
    assert sorted(deadlines.due(1e9)) == [0, 1, 2]


@given(st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 20))), max_size=60), st.integers())
def test_behaves_like_a_dictionary_that_is_searched(moves: list[tuple[int, int | None]], seed: int) -> None:
    draw = random.Random(seed)
    deadlines: Deadlines[int] = Deadlines()
    expected: dict[int, float] = {}
    for owner, at in moves:
        deadlines.set(owner, at)
        expected.pop(owner, None)
        if at is not None:
            expected[owner] = at
        if draw.random() < 0.2:
            now = draw.randrange(20)
            due = deadlines.due(now)
            assert sorted(due) == sorted(owner for owner, at in expected.items() if at <= now)
            expected = {owner: at for owner, at in expected.items() if at > now}
        assert deadlines.next_timeout() == min(expected.values(), default=None)
        assert len(deadlines) == len(expected)
