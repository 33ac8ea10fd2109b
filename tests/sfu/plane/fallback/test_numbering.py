"""Numbers that close up over what is left out, and keep places for what is late."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from sfu.plane.fallback.numbering import NumberMap

# (what happens, in-number, expected out-number), from next_out=100 and a first begin at 10
TABLE: dict[str, list[tuple[str, int, int | None]]] = {
    "one after the other": [("place", 10, 100), ("place", 11, 101), ("place", 12, 102)],
    "closes up over what is left out": [("place", 10, 100), ("leave", 11, None), ("place", 12, 101)],
    "keeps places for what is missing": [
        ("place", 10, 100),
        ("place", 13, 103),
        ("place", 11, 101),
        ("place", 12, 102),
    ],
    "late, across what was left out": [
        ("place", 10, 100),
        ("leave", 12, None),
        ("place", 13, 102),
        ("place", 11, 101),
        ("place", 12, None),
    ],
    "a late one left out leaves its place empty": [
        ("place", 10, 100),
        ("place", 12, 102),
        ("leave", 11, None),
        ("place", 11, None),
        ("place", 13, 103),
    ],
    "before the stretch there is nothing": [("place", 10, 100), ("place", 9, None)],
    "the same again": [("place", 10, 100), ("place", 11, 101), ("place", 10, 100)],
    "a new stretch goes on": [("place", 10, 100), ("begin", 5000, None), ("place", 5000, 101), ("place", 10, None)],
    "a new stretch may go back": [("place", 10, 100), ("begin", 3, None), ("place", 3, 101), ("place", 4, 102)],
    "numbers of the old stretch mean nothing in the new one": [
        ("place", 10, 100),
        ("place", 12, 102),
        ("begin", 4, None),
        ("place", 4, 103),
        ("place", 20, 119),
        ("place", 12, 111),
    ],
    "what is missing at the end of a stretch is given to the next": [
        ("place", 10, 100),
        ("leave", 12, None),
        ("begin", 50, None),
        ("place", 50, 101),
    ],
    "but not what came late": [
        ("place", 10, 100),
        ("leave", 12, None),
        ("place", 11, 101),
        ("begin", 50, None),
        ("place", 50, 102),
    ],
    "a long gap is shortened": [("place", 10, 100), ("place", 500, 121), ("place", 499, None), ("place", 501, 122)],
    "also when it adds up over what is left out": [
        ("place", 10, 100),
        ("leave", 25, None),
        ("leave", 40, None),
        ("place", 55, 121),
    ],
    "too old to know": [
        ("place", 10, 100),
        ("place", 12, 102),
        *(("place", n, n + 90) for n in range(13, 45)),
        ("place", 11, None),
    ],
}


@pytest.mark.parametrize("case", sorted(TABLE))
def test_table(case: str) -> None:
    numbers = NumberMap(32, next_out=100, longest_gap=20)
    numbers.begin(10)
    for step, (what, number, expected) in enumerate(TABLE[case]):
        if what == "begin":
            numbers.begin(number)
        elif what == "leave":
            numbers.leave_out(number)
        else:
            assert numbers.place(number) == expected, f"step {step}"


@settings(deadline=None)
@given(
    order=st.permutations(range(30)).map(lambda numbers: sorted(numbers, key=lambda n: n + numbers.index(n) % 7)),
    left_out=st.sets(st.integers(0, 29)),
)
def test_out_numbers_never_repeat_rise_with_the_input_and_have_no_gap_in_the_end(
    order: list[int], left_out: set[int]
) -> None:
    numbers = NumberMap(64, next_out=0, longest_gap=64)
    numbers.begin(0)
    placed: dict[int, int] = {}
    newest, late_left_out = -1, 0
    for number in order:
        if number in left_out:
            late_left_out += number < newest
            numbers.leave_out(number)
        else:
            out = numbers.place(number)
            assert out is not None
            placed[number] = out
        newest = max(newest, number)
    outs = [placed[number] for number in sorted(placed)]
    assert outs == sorted(set(outs))
    if outs:
        assert outs[-1] - outs[0] + 1 - len(outs) <= late_left_out
