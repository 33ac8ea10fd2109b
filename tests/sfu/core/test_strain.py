"""A machine that cannot keep up is spared, level by level, and is not tried again and again."""

from __future__ import annotations

import pytest

from sfu.core.layout import Rank
from sfu.core.strain import CALM_S, MOST_CALM_S, MOST_LEVEL, Strain

TILE = 1280 * 720
EVERY_S = 10.0


class Machine:
    """Reports every ten seconds."""

    def __init__(self) -> None:
        self.strain = Strain()
        self.now = 0.0

    def says(self, overused: bool, times: int = 1) -> list[int]:
        """The levels after each report."""
        levels = []
        for _ in range(times):
            self.now += EVERY_S
            before = self.strain.level
            changed = self.strain.on_report(overused=overused, now=self.now)
            assert changed == (self.strain.level != before)
            levels.append(self.strain.level)
        return levels

    def calm_until_it_rises(self) -> float:
        began, level = self.now + EVERY_S, self.strain.level
        while self.strain.level == level:
            self.says(False)
            assert self.now - began < 2 * MOST_CALM_S
        return self.now - began


def test_a_moment_of_trouble_changes_nothing() -> None:
    machine = Machine()
    for _ in range(5):
        assert machine.says(True) == [0] and machine.says(False) == [0]


def test_who_cannot_keep_up_is_spared_more_and_more_and_never_nothing() -> None:
    machine = Machine()
    assert machine.says(True, 6) == [0, 1, 1, 2, 2, 3]
    assert machine.says(True, 20)[-1] == MOST_LEVEL


def test_who_keeps_up_again_is_sent_more_a_level_at_a_time() -> None:
    machine = Machine()
    machine.says(True, 4)
    assert machine.calm_until_it_rises() == pytest.approx(CALM_S)
    assert machine.says(False, 3) == [1, 1, 1]
    assert machine.says(False) == [0]
    assert machine.says(False, 100)[-1] == 0


def test_a_level_that_was_too_much_is_tried_again_later_and_later() -> None:
    machine = Machine()
    machine.says(True, 2)
    waits = []
    for _ in range(7):
        waits.append(machine.calm_until_it_rises())
        assert machine.says(True, 2) == [0, 1]
    assert waits[:4] == pytest.approx([CALM_S, 2 * CALM_S, 4 * CALM_S, 8 * CALM_S])
    assert waits[-1] == pytest.approx(MOST_CALM_S)
    # Trouble that has nothing to do with it begins anew.
    machine.calm_until_it_rises()
    machine.says(False, 10)
    machine.says(True, 2)
    assert machine.calm_until_it_rises() == pytest.approx(CALM_S)


@pytest.mark.parametrize(
    ("level", "rank", "most"),
    [
        (0, Rank.GRID, (None, None)),
        (1, Rank.GRID, (TILE >> 2, 15.0)),
        (1, Rank.SELECTED, (TILE >> 2, 15.0)),
        (1, Rank.STAGE, (None, 15.0)),
        (1, Rank.STAGE_SCREEN, (None, 15.0)),
        (2, Rank.GRID, (TILE >> 4, 15.0)),
        (2, Rank.STAGE, (TILE >> 2, 15.0)),
        (2, Rank.SCREEN, (None, 15.0)),
        (3, Rank.STAGE, (TILE >> 4, 15.0)),
        (3, Rank.STAGE_SCREEN, (TILE >> 2, 15.0)),
        (4, Rank.SCREEN, (TILE >> 4, 15.0)),
    ],
)
def test_what_it_bears(level: int, rank: Rank, most: tuple[int | None, float | None]) -> None:
    strain = Strain()
    strain.level = level
    assert strain.most(rank, TILE) == most


def test_what_is_shown_without_a_size_is_not_smaller() -> None:
    strain = Strain()
    strain.level = MOST_LEVEL
    assert strain.most(Rank.GRID, None) == (None, 15.0)
