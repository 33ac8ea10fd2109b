"""A picture's score: the table of QUALITY.md, then what holds for any."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.quality.pictures import Picture, score_picture
from sfu.core.quality.score import BEST, WORST
from tests.sfu.core.quality.table import nearly, numbers_after, rows

WHOLE = Picture(pixels=1280 * 720, wanted_pixels=1280 * 720, frame_rate=30.0, wanted_frame_rate=30.0)
PICTURES = st.builds(
    Picture,
    pixels=st.integers(1, 1 << 24),
    wanted_pixels=st.integers(0, 1 << 24),
    frame_rate=st.floats(0, 120),
    wanted_frame_rate=st.floats(0, 120),
    stalls=st.integers(0, 100),
    stalled_s=st.floats(0, 100),
    loss=st.floats(0, 1),
    rtt_s=st.none() | st.floats(0, 10),
)


def described(words: str) -> Picture:
    picture = WHOLE
    if pixels := numbers_after("pixels", words):
        picture = replace(picture, pixels=int(picture.wanted_pixels * pixels[0] / pixels[1]))
    if frames := numbers_after("frames", words):
        picture = replace(picture, frame_rate=frames[0], wanted_frame_rate=frames[1])
    if stalls := numbers_after("stalls", words):
        picture = replace(picture, stalls=int(stalls[0]), stalled_s=stalls[1])
    if loss := numbers_after("loss", words):
        picture = replace(picture, loss=loss[0])
    if rtt := numbers_after("rtt", words):
        picture = replace(picture, rtt_s=rtt[0])
    return picture


@pytest.mark.parametrize(("words", "value", "cause"), rows("picture"))
def test_the_table(words: str, value: float, cause: str) -> None:
    score = score_picture(described(words))
    assert (score.value, score.cause.value) == (nearly(value, 0.0051), cause)


@given(PICTURES)
def test_any_score_is_one_and_nothing_makes_it_better_but_less_trouble(picture: Picture) -> None:
    value = score_picture(picture).value
    assert WORST <= value <= BEST
    worse = (
        replace(picture, pixels=picture.pixels // 2),
        replace(picture, frame_rate=picture.frame_rate / 2),
        replace(picture, stalls=picture.stalls + 1),
        replace(picture, stalled_s=picture.stalled_s + 1),
        replace(picture, loss=min(1.0, picture.loss + 0.1)),
        replace(picture, rtt_s=(picture.rtt_s or 0.0) + 0.1),
    )
    for other in worse:
        assert score_picture(other).value <= value + 1e-9


@given(PICTURES)
def test_more_than_is_wanted_is_as_good_as_what_is_wanted(picture: Picture) -> None:
    enough = replace(picture, pixels=max(picture.pixels, picture.wanted_pixels))
    exact = replace(picture, pixels=max(1, picture.wanted_pixels))
    assert score_picture(enough) == score_picture(exact)
