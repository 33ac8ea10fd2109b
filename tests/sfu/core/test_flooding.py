"""Less is spent while a queue drains, but nobody disappears for it."""

from __future__ import annotations

import pytest

from sfu.core.allocation import Demand
from sfu.core.flooding import DEEP_S, FLOODS, FULL_S, KEY_FRAME_S, SHORT_S, Flood, allocate_draining, flood
from sfu.core.ladder import Rung
from sfu.core.layout import Rank

RUNGS = (Rung(0, 150_000, 320 * 180), Rung(1, 500_000, 640 * 360), Rung(2, 2_000_000, 1280 * 720))


def layers(budget_bps: int, *names: int) -> list[int | None]:
    demands = [Demand(name, "video", 3, RUNGS, held=RUNGS[2]) for name in names]
    shares = allocate_draining(budget_bps, demands, Flood(budget_bps, DEEP_S))
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


def test_what_has_stopped_for_a_flood_is_chosen_again_with_what_is_known_since() -> None:
    """Of 1.01 Mbit/s the middle layer was chosen, of 0.54 it would fit, and be in its key frame's way."""
    assert flood(480_000, 510_000, 0.04) is None
    assert flood(480_000, 510_000, 0.04, drains=True) == Flood(510_000, 0.04)


@pytest.mark.parametrize(("queue_s", "layer"), [(DEEP_S, 2), (DEEP_S + 0.01, None)])
def test_more_than_there_is_goes_to_the_stage_only_until_sound_waits_for_long(
    queue_s: float, layer: int | None
) -> None:
    demand = Demand(1, "video", 1, RUNGS[2:], Rank.STAGE_SCREEN, held=RUNGS[2])
    rung = allocate_draining(1_600_000, [demand], Flood(1_600_000, queue_s))[1].rung
    assert (None if rung is None else rung.layer) == layer


@pytest.mark.parametrize(
    ("budget_bps", "expected"),
    [
        (1_500_000, [(2, 1)]),  # 1.2 Mbit/s with half of the frames
        (1_400_000, [(1, None)]),  # which would leave too little to drain by
        (900_000, [(1, None)]),
    ],
)
def test_where_fewer_frames_leave_room_to_drain_nothing_else_changes(
    budget_bps: int, expected: list[tuple[int, int | None]]
) -> None:
    half = tuple(Rung(rung.layer, rung.bitrate_bps * 6 // 10, rung.pixels, 15.0, 1) for rung in RUNGS)
    rungs = tuple(rung for pair in zip(half, RUNGS, strict=True) for rung in pair)
    demand = Demand(1, "video", 3, rungs, held=RUNGS[2])
    (share,) = allocate_draining(budget_bps, [demand], Flood(budget_bps, DEEP_S)).values()
    assert share.rung is not None and [share.rung.limits[:2]] == expected


def test_far_too_much_is_a_flood_and_a_little_is_one_where_a_queue_has_been_seen() -> None:
    assert flood(int(FLOODS * 1e6), 1_000_000, 0.0) is None
    assert flood(int(FLOODS * 1e6) + 1, 1_000_000, 0.0) == Flood(1_000_000, FULL_S)
    assert flood(1_100_000, 1_000_000, SHORT_S) is None
    assert flood(1_100_000, 1_000_000, 0.1) == Flood(1_000_000, 0.1)
    assert flood(1_000_000, 1_000_000, 1.0) is None, "somebody else's"


def test_only_in_a_deep_one_everything_stops() -> None:
    assert not Flood(1_000_000, DEEP_S).is_deep and Flood(1_000_000, DEEP_S + 0.01).is_deep


def test_a_larger_layer_a_thinner_path_and_a_longer_queue_need_longer() -> None:
    assert Flood(450_000, FULL_S).room_after_s(150_000) == pytest.approx(KEY_FRAME_S / 3)
    assert Flood(150_000, FULL_S).room_after_s(300_000) == pytest.approx(2 * KEY_FRAME_S)
    assert Flood(450_000, FULL_S - 0.1).room_after_s(150_000) == pytest.approx(KEY_FRAME_S / 3 - 0.1)
    assert Flood(450_000, 0.1).room_after_s(150_000) == 0.0
