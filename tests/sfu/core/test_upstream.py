"""Which layers a publisher need not send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.upstream import NO_LAYER, Upstream, needed_layer, warm_layer

HD = 1280 * 720

CASES = {
    "whatever there is": (3, None, None, 2),
    "a tile of its size": (3, HD, None, 2),
    "a smaller one": (3, 640 * 360, None, 1),
    "one a little larger than a layer": (3, 384 * 216, None, 0),
    "one larger than all": (3, 4 * HD, None, 2),
    "no tile": (3, 0, None, NO_LAYER),
    "a limit": (3, HD, 1, 1),
    "a limit above the tile": (3, 320 * 180, 1, 0),
    "a limit that is none": (3, None, 7, 2),
    "one layer": (1, 320 * 180, None, 0),
}


@pytest.mark.parametrize(("count", "pixels", "max_layer", "expected"), CASES.values(), ids=CASES.keys())
def test_the_layer_that_fills_a_tile_is_needed(
    count: int, pixels: int | None, max_layer: int | None, expected: int
) -> None:
    assert needed_layer(count, HD, pixels, max_layer) == expected


@pytest.mark.parametrize(
    ("participant", "is_beyond_last_n", "expected"),
    [("ann", True, 0), ("ann", False, NO_LAYER), ("cid", True, NO_LAYER)],
)
def test_who_has_spoken_and_has_no_tile_for_it_is_kept_warm(
    participant: str, is_beyond_last_n: bool, expected: int
) -> None:
    assert warm_layer(participant, ("bob", "ann"), is_beyond_last_n=is_beyond_last_n) == expected


def test_pauses_after_a_while_and_resumes_at_once() -> None:
    upstream = Upstream(3, pause_after_s=5)
    upstream.on_wanted(0, 10)
    assert upstream.next_timeout() == 15
    upstream.on_timeout(14.9)
    assert upstream.poll() is None
    upstream.on_timeout(15)
    assert upstream.poll() == 0 and upstream.poll() is None
    upstream.on_wanted(2, 16)
    assert upstream.poll() == 2
    assert upstream.next_timeout() is None


def test_who_comes_back_in_time_finds_everything_as_it_was() -> None:
    upstream = Upstream(3, pause_after_s=5)
    upstream.on_wanted(NO_LAYER, 10)
    upstream.on_wanted(2, 14)
    upstream.on_timeout(15)
    assert upstream.poll() is None and upstream.next_timeout() is None


def test_what_was_wanted_in_between_is_waited_for_anew() -> None:
    upstream = Upstream(3, pause_after_s=5)
    upstream.on_wanted(NO_LAYER, 10)
    upstream.on_wanted(1, 12)
    upstream.on_timeout(15)
    assert upstream.poll() is None
    upstream.on_timeout(17)
    assert upstream.poll() == 1


def test_less_and_less_wanted_does_not_put_it_off() -> None:
    upstream = Upstream(3, pause_after_s=5)
    upstream.on_wanted(1, 10)
    upstream.on_wanted(0, 13)
    upstream.on_timeout(15)
    assert upstream.poll() == 0


@given(st.lists(st.tuples(st.integers(NO_LAYER, 2), st.floats(0, 10)), max_size=30))
def test_what_is_wanted_is_always_sent(wanted: list[tuple[int, float]]) -> None:
    upstream, now, told = Upstream(3, 5), 0.0, 2
    for layer, passed_s in wanted:
        now += passed_s
        upstream.on_timeout(now)
        upstream.on_wanted(layer, now)
        change = upstream.poll()
        told = told if change is None else change
        assert told == upstream.best_layer >= layer
    upstream.on_timeout(now + 5)
    change = upstream.poll()
    assert (told if change is None else change) == (wanted[-1][0] if wanted else 2)
