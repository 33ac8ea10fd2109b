"""Which path of a Transport is used."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sfu.net.config import TransportConfig
from sfu.net.paths import Paths
from sfu.plane.interface import Path

CONFIG = TransportConfig(paths=3, path_silent_s=5.0)
A, B, C, D = (Path(0, "192.0.2.1", port) for port in (1, 2, 3, 4))


def test_the_first_check_selects_until_one_nominates() -> None:
    paths = Paths(CONFIG)
    assert [paths.on_check(A, False, 0.0), paths.selected] == [True, A]
    assert [paths.on_check(B, False, 0.1), paths.selected] == [False, A]
    assert [paths.on_check(B, True, 0.2), paths.selected] == [True, B]
    assert [paths.on_check(A, False, 0.3), paths.selected] == [False, B]


def test_the_latest_nomination_holds() -> None:
    paths = Paths(CONFIG)
    assert [paths.on_check(path, True, 0.0) for path in (A, B, A, A)] == [True, True, True, False]


def test_a_silent_path_is_left_for_one_that_is_checked() -> None:
    paths = Paths(CONFIG)
    paths.on_check(A, True, 0.0)
    assert not paths.on_check(B, False, 4.9)
    assert paths.on_check(B, False, 5.0)
    assert not paths.on_check(A, False, 6.0)  # back again, but not nominated: no flapping
    assert paths.on_check(A, True, 6.1)


def test_a_lost_path_is_replaced_by_the_one_checked_last() -> None:
    paths = Paths(CONFIG)
    paths.on_check(A, True, 10.0)
    paths.on_check(B, False, 9.0)
    paths.on_check(C, False, 9.5)
    assert paths.lose(B, 10.0) is None
    assert paths.lose(A, 10.0) == C


def test_a_lost_path_is_not_replaced_by_a_silent_one_but_by_the_next_check() -> None:
    paths = Paths(CONFIG)
    paths.on_check(A, True, 10.0)
    paths.on_check(B, False, 1.0)
    assert paths.lose(A, 10.0) is None
    assert paths.selected is None
    assert paths.on_check(B, False, 10.1)


def test_after_a_restart_the_next_check_selects() -> None:
    paths = Paths(CONFIG)
    paths.on_check(A, True, 0.0)
    paths.on_restart()
    assert paths.selected == A
    assert paths.on_check(B, False, 0.1)
    assert not paths.on_check(A, False, 0.2)


def test_the_path_checked_longest_ago_is_forgotten() -> None:
    paths = Paths(CONFIG)
    for at, path in enumerate((A, B, C)):
        paths.on_check(path, False, at)
    assert paths.forget_oldest() is None
    paths.on_check(D, False, 3)
    assert paths.forget_oldest() == B  # A is selected
    assert [path in paths for path in (A, B, C, D)] == [True, False, True, True]


@given(
    st.lists(
        st.tuples(st.sampled_from(["check", "nominate", "lose", "restart"]), st.integers(0, 6), st.floats(0, 4)),
        max_size=60,
    )
)
def test_selected_is_always_a_known_path_and_none_only_without_live_ones(steps: list[tuple[str, int, float]]) -> None:
    paths = Paths(CONFIG)
    now = 0.0
    for step, port, pause_s in steps:
        now += pause_s
        path = Path(0, "192.0.2.1", port)
        if step in ("check", "nominate"):
            selected = paths.on_check(path, step == "nominate", now)
            assert not selected or paths.selected == path
            assert paths.selected is not None
            paths.forget_oldest()
        elif step == "lose":
            paths.lose(path, now)
            assert path not in paths
        else:
            paths.on_restart()
        assert paths.selected is None or paths.selected in paths
