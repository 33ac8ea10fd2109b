"""From scores that jump to a word that stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.quality.rating import FAIR_FROM, GOOD_FROM, RISE_AFTER_S, Level, Rating
from sfu.core.quality.score import Score

SCORES = st.none() | st.just("lost") | st.floats(1.0, 4.5)


def told(rating: Rating, scores: list[float | str | None]) -> list[Level | None]:
    """The words that are told, of scores that come every two seconds."""
    words = []
    for index, score in enumerate(scores):
        now = 2.0 * index
        if score == "lost":
            changed = rating.on_lost(now)
        else:
            changed = rating.on_score(None if score is None else Score(float(score)), now)
        if changed:
            words.append(rating.level)
    return words


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([4.2, 4.2, 4.2], ["good"]),
        ([4.2, 3.0], ["good", "fair"]),  # worse: at once
        ([4.2, 1.5, 1.5], ["good", "poor"]),
        ([4.2, 3.0] + [4.2] * 3, ["good", "fair"]),  # better: not yet …
        ([4.2, 3.0] + [4.2] * 6, ["good", "fair", "good"]),  # … but then
        ([3.5] + [3.7] * 9, ["fair"]),  # too little better to say so
        ([4.2] + [3.0, 4.4] * 6, ["good", "fair"]),  # up and down is not good
        ([4.2, "lost", "lost", 4.2], ["good", "lost", "good"]),
        ([4.2, "lost", 3.0], ["good", "lost", "fair"]),
        ([None, None], []),
        ([4.2] + [None] * 4, ["good"]),  # a muted microphone
        ([4.2] + [None] * 7, ["good", None]),  # nothing for long
        ([4.2] + [None] * 7 + [2.0], ["good", None, "poor"]),
    ],
)
def test_which_words_are_told(scores: list[float | str | None], words: list[str | None]) -> None:
    assert told(Rating(), scores) == words


@given(st.lists(SCORES, max_size=80))
def test_no_word_is_told_twice_and_better_ones_not_in_a_hurry(scores: list[float | str | None]) -> None:
    rating = Rating()
    ranks = {Level.LOST: 0, Level.POOR: 1, Level.FAIR: 2, Level.GOOD: 3}
    before, changed_at = rating.level, -100.0
    for index, score in enumerate(scores):
        now = 2.0 * index
        changed = told_one(rating, score, now)
        assert changed == (rating.level is not before)
        if changed:
            if before in (Level.POOR, Level.FAIR) and rating.level in ranks and ranks[rating.level] > ranks[before]:
                assert now - changed_at >= RISE_AFTER_S
            before, changed_at = rating.level, now


def told_one(rating: Rating, score: float | str | None, now: float) -> bool:
    if score == "lost":
        return rating.on_lost(now)
    return rating.on_score(None if score is None else Score(float(score)), now)


@given(st.floats(1.0, 4.5))
def test_a_score_that_stays_gets_its_word(value: float) -> None:
    rating = Rating()
    for index in range(40):
        rating.on_score(Score(value), 2.0 * index)
    expected = Level.GOOD if value >= GOOD_FROM else Level.FAIR if value >= FAIR_FROM else Level.POOR
    assert rating.level is expected
    assert rating.value == pytest.approx(value)
