"""Of all that somebody sends and receives, the part that spoils it."""

from __future__ import annotations

from sfu.core.quality.participant import Direction, judge
from sfu.core.quality.score import Cause, Score

GOOD, LOSSY, FROZEN = Score(4.2), Score(2.0, Cause.LOSS), Score(1.5, Cause.FREEZES)


def test_the_worst_that_is_sent_is_what_the_others_suffer_from() -> None:
    judgement = judge([GOOD, LOSSY, None], [GOOD], [])
    assert (judgement.score, judgement.direction) == (LOSSY, Direction.UP)


def test_a_voice_that_breaks_up_spoils_a_call() -> None:
    judgement = judge([GOOD], [GOOD, LOSSY], [(GOOD, 100)])
    assert (judgement.score, judgement.direction) == (LOSSY, Direction.DOWN)


def test_one_small_picture_of_many_does_not() -> None:
    judgement = judge([], [], [(GOOD, 320 * 180)] * 24 + [(FROZEN, 320 * 180)])
    assert judgement.down is not None and judgement.down.value > 4.0
    judgement = judge([], [], [(GOOD, 320 * 180)] * 24 + [(FROZEN, 1920 * 1080)])
    assert judgement.down is not None and judgement.down.value < 3.0
    assert judgement.down.cause is Cause.FREEZES


def test_who_sends_and_receives_nothing_has_no_score() -> None:
    judgement = judge([None], [None], [(None, 100)])
    assert (judgement.score, judgement.direction) == (None, None)
