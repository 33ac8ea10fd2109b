"""A voice's score: the table of QUALITY.md, then what holds for any."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.quality.score import BEST, WORST
from sfu.core.quality.sound import Sound, delay_impairment, opinion, score_sound
from tests.sfu.core.quality.table import nearly, numbers_after, rows

SOUNDS = st.builds(
    Sound,
    loss=st.floats(0, 1),
    jitter_s=st.floats(0, 3),
    rtt_s=st.none() | st.floats(0, 10),
    bitrate_bps=st.none() | st.integers(0, 512_000),
    redundant=st.booleans(),
)


def described(words: str) -> Sound:
    def one(word: str) -> float | None:
        return next(iter(numbers_after(word, words)), None)

    bitrate = one("bitrate")
    return Sound(
        loss=one("loss") or 0.0,
        jitter_s=one("jitter") or 0.0,
        rtt_s=one("rtt"),
        bitrate_bps=None if bitrate is None else int(bitrate),
        redundant="redundant" in words,
    )


@pytest.mark.parametrize(("words", "value", "cause"), rows("sound"))
def test_the_table(words: str, value: float, cause: str) -> None:
    score = score_sound(described(words))
    assert (score.value, score.cause.value) == (nearly(value, 0.0051), cause)


@pytest.mark.parametrize(
    ("rating", "expected"), [(-5, 1.0), (50, 2.58), (70, 3.60), (80, 4.02), (90, 4.34), (120, 4.5)]
)
def test_opinions_are_those_of_g107_table_b1(rating: float, expected: float) -> None:
    assert opinion(rating) == pytest.approx(expected, abs=0.01)


def test_delay_is_not_noticed_below_a_tenth_of_a_second_and_then_costs_more_and_more() -> None:
    impairments = [delay_impairment(milliseconds / 1000) for milliseconds in range(50, 1000, 10)]
    assert impairments[:6] == [0.0] * 6
    assert impairments[5:] == sorted(impairments[5:])


@given(SOUNDS)
def test_any_score_is_one_and_nothing_makes_it_better_but_less_trouble(sound: Sound) -> None:
    value = score_sound(sound).value
    assert WORST <= value <= BEST
    worse = (
        replace(sound, loss=min(1.0, sound.loss + 0.05)),
        replace(sound, jitter_s=sound.jitter_s + 0.05),
        replace(sound, rtt_s=(sound.rtt_s or 0.0) + 0.05),
    )
    for other in worse:
        assert score_sound(other).value <= value + 1e-9
    assert score_sound(replace(sound, redundant=True)).value >= score_sound(replace(sound, redundant=False)).value
