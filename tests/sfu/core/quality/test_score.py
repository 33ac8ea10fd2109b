from __future__ import annotations

from sfu.core.quality.score import Cause, Score, blamed, worst


def test_the_worst_of_those_there_are() -> None:
    assert worst([None, Score(3.0), Score(2.0, Cause.LOSS), None]) == Score(2.0, Cause.LOSS)
    assert worst([None]) is None


def test_what_costs_the_most_is_blamed_unless_nobody_would_complain() -> None:
    costs = ((Cause.LOSS, 0.2), (Cause.DELAY, 0.3))
    assert blamed(3.5, costs) == Score(3.5, Cause.DELAY)
    assert blamed(4.1, costs) == Score(4.1, Cause.NOTHING)
    assert blamed(3.5, ((Cause.LOSS, 0.0),)) == Score(3.5, Cause.NOTHING)  # the codec, say
