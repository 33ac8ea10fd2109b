"""Less is spent while a queue drains, but nobody disappears for it."""

from __future__ import annotations

import pytest

from sfu.core.allocation import Demand
from sfu.core.flooding import FLOODS, KEY_FRAME_S, allocate_draining, is_flooded, room_after_s
from sfu.core.ladder import Rung

RUNGS = (Rung(0, 150_000, 320 * 180), Rung(1, 500_000, 640 * 360), Rung(2, 2_000_000, 1280 * 720))


def layers(budget_bps: int, *names: int) -> list[int | None]:
    demands = [Demand(name, "video", 3, RUNGS, held=RUNGS[2]) for name in names]
    shares = allocate_draining(budget_bps, demands)
    return [None if (rung := shares[name].rung) is None else rung.layer for name in names]


@pytest.mark.parametrize(
    ("budget_bps", "names", "expected"),
    [
        (3_400_000, (1,), [2]),
        (2_000_000, (1,), [1]),
        (500_000, (1,), [0]),
        (700_000, (1, 2), [0, 0]),
        (300_000, (1, 2), [0, 0]),  # of 0.6 of it, one would not be seen
        (100_000, (1,), [None]),
    ],
)
def test_a_part_of_the_budget_is_spent_unless_somebody_were_not_seen(
    budget_bps: int, names: tuple[int, ...], expected: list[int | None]
) -> None:
    assert layers(budget_bps, *names) == expected


def test_a_little_too_much_is_no_flood() -> None:
    assert not is_flooded(int(FLOODS * 1e6), 1_000_000)
    assert is_flooded(int(FLOODS * 1e6) + 1, 1_000_000)


def test_a_larger_layer_and_a_thinner_path_need_longer() -> None:
    assert room_after_s(150_000, 450_000) == pytest.approx(KEY_FRAME_S / 3)
    assert room_after_s(300_000, 150_000) == pytest.approx(2 * KEY_FRAME_S)
