"""What a grid takes of one connection, by how many are in it and how fine its screen is: `wishes`, then `allocate`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import ceil, sqrt

import pytest

from sfu.config import WorkerConfig
from sfu.core.allocation import Allocation, Demand, LimitedBy, allocate, least_bps
from sfu.core.ladder import Rung
from sfu.core.layout import Layout, Picture, Tile, wishes

CONFIG = WorkerConfig()
# Of our page, at their most; half of that is usual.
QHF = (Rung(0, 150_000, 320 * 180), Rung(1, 500_000, 640 * 360), Rung(2, 1_700_000, 1280 * 720))
VOICES = [Demand(1000 + number, "audio", 1, (Rung(0, 40_000, 0),)) for number in range(CONFIG.loudest)]
WIDTH, HEIGHT = 1920, 1080  # of the window


def grid(count: int, ratio: float, ladder: tuple[Rung, ...] = QHF) -> list[Demand]:
    columns = ceil(sqrt(count))
    tile = Tile(int(WIDTH * ratio) // columns, int(HEIGHT * ratio) // columns)
    names = [f"camera {number}" for number in range(count)]
    pictures = [Picture(number, name, name) for number, name in enumerate(names)]
    wanted = wishes(Layout(tiles=dict.fromkeys(names, tile)), pictures)
    return VOICES + [Demand(wish.subscription, "video", len(ladder), ladder, wish.rank, wish.pixels) for wish in wanted]


def settled(demands: list[Demand]) -> Allocation:
    """After a second look, which changes nothing."""
    budget_bps = min(CONFIG.budget_bps, max(CONFIG.enough_bps, least_bps(demands)))
    shares = allocate(budget_bps, demands)
    held = [replace(demand, held=shares[demand.subscription].rung) for demand in demands]
    assert allocate(budget_bps, held) == shares
    return shares


def seen(shares: Allocation) -> str:
    """How many pictures of each layer, and what they take together."""
    rungs = [share.rung for number, share in shares.items() if share.rung and number < 1000]
    counts = Counter("qhf"[rung.layer] for rung in rungs)
    layers = " ".join(f"{counts[layer]} {layer}" for layer in "fhq" if counts[layer])
    return f"{layers}: {sum(rung.bitrate_bps for rung in rungs) / 1e6:.2f} Mbit/s"


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "1 f: 1.70 Mbit/s"),
        (2, "2 f: 3.40 Mbit/s"),
        (3, "1 f 2 h: 2.70 Mbit/s"),
        (4, "1 f 3 h: 3.20 Mbit/s"),
        (9, "6 h 3 q: 3.45 Mbit/s"),
        (16, "3 h 13 q: 3.45 Mbit/s"),
        (25, "25 q: 3.75 Mbit/s"),
        (49, "49 q: 7.35 Mbit/s"),
    ],
)
def test_pictures_get_better_up_to_so_much_and_everybody_is_seen(count: int, ratio: float, expected: str) -> None:
    assert seen(settled(grid(count, ratio))) == expected


def test_a_screen_takes_what_it_needs_of_that() -> None:
    screen = Picture(99, "screen", "ann", is_screen=True)
    layout = Layout({"screen": Tile(1920, 1080, on_stage=True), "camera": Tile(320, 180)})
    wanted = wishes(layout, [screen, Picture(0, "camera", "bob")])
    ladders = {99: (Rung(0, 2_500_000, 1920 * 1080),), 0: QHF}
    demands = [
        Demand(wish.subscription, "video", len(ladders[wish.subscription]), ladders[wish.subscription], wish.rank)
        for wish in wanted
    ]
    shares = settled(VOICES + demands)
    assert [share.rung and share.rung.bitrate_bps for share in (shares[99], shares[0])] == [2_500_000, 500_000]


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (3, 3), (4, 3)])
def test_what_comes_in_one_layer_is_seen_beyond_that_but_not_without_end(count: int, shown: int) -> None:
    """As from OBS, by WHIP."""
    shares = settled(grid(count, 1, (Rung(0, 2_800_000, 1920 * 1080),)))
    videos = [share for number, share in shares.items() if number < 1000]
    assert sum(share.rung is not None for share in videos) == shown
    assert {share.limited_by for share in videos if share.rung is None} <= {LimitedBy.BANDWIDTH}
