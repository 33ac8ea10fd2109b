"""The whole history of decisions while a budget grows from nothing to 5 Mbit/s and shrinks again, 10 kbit/s at a time.

A point test cannot see a picture that jumps. What was decided is in `golden/allocation_sweep.txt`, for people to read;
`python -m tests.sfu.core.test_allocation_sweep` writes it anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.allocation import STEP_UP_MARGIN, Demand, Share, allocate, spent_bps
from sfu.core.flooding import Flood, allocate_draining
from sfu.core.flow import LayerFlow, LayerPart
from sfu.core.frame_rate import FrameRate
from sfu.core.ladder import Rung, ladder
from sfu.core.layout import Rank

GOLDEN = Path(__file__).parent / "golden" / "allocation_sweep.txt"
BUDGETS_KBPS = (*range(0, 5001, 10), *range(5000, -1, -10))
NAMES = {1: "stage", 2: "ann", 3: "ben", 4: "cleo", 5: "screen", 6: "sound"}


def layer(index: int, *kbps: int) -> LayerFlow:
    parts = tuple(LayerPart(0, temporal_id, rate * 1000) for temporal_id, rate in enumerate(kbps))
    shares = tuple(0.5 ** (len(kbps) - 1 - temporal_id) for temporal_id in range(len(kbps)))
    return LayerFlow(index, True, True, sum(kbps) * 1000, parts, frame_rate=30.0, frame_shares=shares)


CAMERA_LAYERS = (layer(0, 60, 40, 50), layer(1, 200, 140, 160), layer(2, 700, 500, 500))
CAMERA = ladder(CAMERA_LAYERS, 3, 1280 * 720)
SCREEN = ladder((layer(0, 200, 200), layer(1, 600, 600)), 2, 1920 * 1080, is_screen=True)


def demands(held: dict[int, Rung | None]) -> tuple[Demand, ...]:
    def video(key: int, rungs: tuple[Rung, ...], rank: Rank, pixels: int) -> Demand:
        return Demand(key, "video", len({r.layer for r in rungs}), rungs, rank, pixels=pixels, held=held.get(key))

    return (
        video(1, CAMERA, Rank.STAGE, 1280 * 720),
        video(2, CAMERA, Rank.GRID, 480 * 270),
        video(3, CAMERA, Rank.GRID, 480 * 270),
        video(4, CAMERA, Rank.GRID, 320 * 180),
        video(5, SCREEN, Rank.SCREEN, 960 * 540),
        Demand(6, "audio", 1, (Rung(0, 40_000, 0),)),
    )


def sweep() -> Iterable[tuple[int, dict[int, Share]]]:
    held: dict[int, Rung | None] = {}
    for kbps in BUDGETS_KBPS:
        shares = dict(allocate(kbps * 1000, demands(held)))
        held = {key: share.rung for key, share in shares.items()}
        yield kbps, shares


def described(share: Share) -> str:
    if share.rung is None:
        return "-"
    return f"{share.rung.layer}@{share.rung.frame_rate:g}" if share.rung.pixels else "on"


def history() -> str:
    """A line for each change, with the share of the budget that is used."""
    lines = [" kbit/s  used  " + "".join(f"{name:8}" for name in NAMES.values())]
    last = ""
    for kbps, shares in sweep():
        row = "".join(f"{described(shares[key]):8}" for key in NAMES).rstrip()
        if row != last:
            used = sum(share.rung.bitrate_bps for share in shares.values() if share.rung) // 1000
            lines.append(f"{kbps:7} {used:5}  {row}")
        last = row
    return "\n".join(lines) + "\n"


def test_decides_as_it_was_reviewed() -> None:
    assert history() == GOLDEN.read_text()


@pytest.mark.parametrize("kbps", range(100, 5000, 100))
def test_an_estimate_that_swings_by_four_percent_makes_no_picture_jump(kbps: int) -> None:
    held: dict[int, Rung | None] = {}
    history = []
    for swing in itertools.islice(itertools.cycle((0.96, 1.04, 1.0)), 24):
        shares = allocate(int(kbps * 1000 * swing), demands(held))
        held = {key: share.rung for key, share in shares.items()}
        history.append(held)
    settled = history[6:]
    assert all(rungs == settled[0] for rungs in settled)


LAYER_BPS = st.integers(20_000, 3_000_000)


@st.composite
def some_ladders(draw: st.DrawFn) -> tuple[Rung, ...]:
    """Of layers with one to three temporal layers, of a camera of any speed."""
    prices = sorted(draw(st.lists(LAYER_BPS, min_size=1, max_size=3, unique=True)))
    shares = {1: (1.0,), 2: (0.6, 0.4), 3: (0.4, 0.2, 0.4)}[draw(st.integers(1, 3))]
    parts = [[int(bps * share / 1000) for share in shares] for bps in prices]
    frame_rate = draw(st.sampled_from((None, 10.0, 15.0, 27.0, 30.0)))
    layers = [replace(layer(index, *kbps), frame_rate=frame_rate) for index, kbps in enumerate(parts)]
    return ladder(layers, len(layers), 320 * 180 << 2 * (len(layers) - 1))


@st.composite
def some_demands(draw: st.DrawFn) -> tuple[Demand, ...]:
    found = []
    for key in range(draw(st.integers(1, 6))):
        rungs = draw(some_ladders())
        held = draw(st.sampled_from((None, *rungs)))
        rank = draw(st.sampled_from(list(Rank)))
        layer_count = 1 + rungs[-1].layer
        found.append(Demand(key, "video", layer_count, rungs, rank, held=held, may_rise=draw(st.booleans())))
    return tuple(found)


@given(some_demands(), st.integers(0, 8_000_000))
def test_never_above_the_budget_and_nobody_is_paused_who_fits(demands: tuple[Demand, ...], budget_bps: int) -> None:
    deep = Flood(budget_bps, 1.0)
    for shares in (
        allocate(budget_bps, demands, may_oversend=False),
        allocate_draining(budget_bps, demands, deep),
    ):
        given_up = [demand for demand in demands if shares[demand.subscription].rung is None]
        spent = spent_bps(shares)
        assert spent <= budget_bps
        if sum(demand.rungs[0].bitrate_bps for demand in demands) <= (1 - STEP_UP_MARGIN) * budget_bps:
            assert not given_up


@given(some_demands(), st.integers(0, 8_000_000), st.integers(0, 2_000_000))
def test_with_more_to_spend_nobody_gets_less_but_for_somebody_who_gets_more(
    demands: tuple[Demand, ...], budget_bps: int, more_bps: int
) -> None:
    """What is better for all is not asked for: who comes first may take what two others had."""

    def heights(budget_bps: int) -> list[int]:
        shares = allocate(budget_bps, demands)
        given = [(demand.rungs, shares[demand.subscription].rung) for demand in demands]
        return [-1 if rung is None else rungs.index(rung) for rungs, rung in given]

    before, after = heights(budget_bps), heights(budget_bps + more_bps)
    assert after == before or any(now > then for then, now in zip(before, after, strict=True))


@given(st.floats(10, 60), st.lists(st.floats(0.93, 1.07), min_size=12, max_size=60), st.integers(100, 5000))
def test_a_frame_rate_that_wobbles_makes_no_picture_jump(rate: float, wobbling: list[float], kbps: int) -> None:
    """Once its highest has been seen: at most once is half of it taken to move after all."""
    measured, held = FrameRate(), None
    sent: list[tuple[int, int | None, int | None] | None] = []
    for second, (before, last) in enumerate(itertools.pairwise(wobbling)):
        measured.on_windows([rate * last, rate * before], float(second))
        layers = [replace(each, frame_rate=measured.per_s) for each in CAMERA_LAYERS]
        demand = Demand(1, "video", 3, ladder(layers, 3, 1280 * 720), held=held)
        held = allocate(kbps * 1000, (demand,))[1].rung
        sent.append(None if held is None else held.limits)
    assert sum(before != after for before, after in itertools.pairwise(sent[1:])) <= 1


if __name__ == "__main__":
    GOLDEN.write_text(history())
