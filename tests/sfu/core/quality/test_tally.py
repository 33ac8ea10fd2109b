from __future__ import annotations

from sfu.core.quality.tally import BOUNDS, Tally


def test_counts_at_and_below_each_bound() -> None:
    tally = Tally()
    for value in (1.0, 1.5, 4.5, 3.0):
        tally.note(value)
    assert tally.sum == 10.0
    assert [count for _, count in tally.buckets()] == [2, 2, 2, 3, 3, 3, 4]
    assert [bound for bound, _ in tally.buckets()] == [*map(str, BOUNDS), "+Inf"]
