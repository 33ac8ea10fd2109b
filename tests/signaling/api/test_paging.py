"""Pages and their cursors."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signaling.api.paging import PageQuery, page


@given(st.sets(st.text(max_size=5), max_size=40), st.integers(1, 7))
def test_all_pages_together_are_everything_in_order(names: set[str], limit: int) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        found, cursor = page(names, str, PageQuery(limit=limit, cursor=cursor))
        assert len(found) <= limit
        seen += found
        if cursor is None:
            break
    assert seen == sorted(names)


def test_what_comes_and_goes_meanwhile_hides_and_repeats_nothing_else() -> None:
    found, cursor = page(["a", "b", "c", "d"], str, PageQuery(limit=2))
    assert found == ["a", "b"]
    assert page(["a2", "c", "d"], str, PageQuery(limit=9, cursor=cursor)) == (["c", "d"], None)


def test_a_cursor_that_is_none_of_ours_is_a_place_in_the_order() -> None:
    assert page(["a", "c"], str, PageQuery(cursor="b")) == (["c"], None)
