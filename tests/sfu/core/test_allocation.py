"""Who gets which layer: the table of ALLOCATION.md, then what must hold for any demands, budgets and missing layers."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core import allocation
from sfu.core.allocation import Demand, LimitedBy, Share, allocate, spent_bps
from sfu.core.ladder import Rung
from sfu.core.layout import Rank

KBPS = 1000
Q = Rung(0, 150 * KBPS, 320 * 180)
H = Rung(1, 500 * KBPS, 640 * 360)
F = Rung(2, 2000 * KBPS, 1280 * 720)
QHF = (Q, H, F)
HALF = tuple(Rung(rung.layer, rung.bitrate_bps * 6 // 10, rung.pixels, 15.0, temporal_id=1) for rung in QHF)
LETTERS = {"q": Q, "h": H, "f": F} | dict(zip("pge", HALF, strict=True))
SOUND = Rung(0, 40 * KBPS, 0)


def video(
    subscription: int,
    rungs: tuple[Rung, ...] = QHF,
    *,
    rank: Rank = Rank.GRID,
    pixels: int | None = None,
    max_layer: int | None = None,
    held: Rung | None = None,
    may_rise: bool = True,
) -> Demand:
    return Demand(
        subscription, "video", 3, rungs, rank, pixels=pixels, max_layer=max_layer, held=held, may_rise=may_rise
    )


def audio(subscription: int) -> Demand:
    return Demand(subscription, "audio", 1, (SOUND,))


# --- the table -------------------------------------------------------------------------------------------------


def table() -> list[tuple[str, ...]]:
    page = Path(allocation.__file__).with_name("ALLOCATION.md").read_text()
    rows = re.findall(r"^\| (.+) \| (\d+) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert len(rows) > 25
    return rows


def demanded(name: str, words: str) -> Demand:
    def word_after(what: str) -> str | None:
        found = re.search(rf"\b{what} (\w+)", words)
        return None if found is None else found[1]

    size, bears = re.search(r"(?<!bears )\b(\d+)x(\d+)", words), re.search(r"bears (\d+)x(\d+)", words)
    sent, wished, held = word_after("sends"), word_after("at most"), word_after("has")
    on_stage, is_screen = "stage" in words, "screen" in words
    rank = Rank.STAGE_SCREEN if on_stage and is_screen else Rank.STAGE if on_stage else Rank.GRID
    rank = Rank.SCREEN if is_screen and not on_stage else Rank.SELECTED if "selected" in words else rank
    is_sound = "sound" in words
    rungs = QHF if sent is None else tuple(LETTERS[letter] for letter in sent) if sent != "nothing" else ()
    return Demand(
        subscription=ord(name),
        kind="audio" if is_sound else "video",
        layer_count=1 if is_sound else 3,
        rungs=(SOUND,) if is_sound else rungs,
        rank=rank,
        pixels=int(size[1]) * int(size[2]) if size else None,
        most_pixels=int(bears[1]) * int(bears[2]) if bears else None,
        publisher_strained="strained" in words,
        beyond_last_n="beyond" in words,
        audible="quiet" not in words,
        muted="muted" in words,
        decodable="foreign" not in words,
        max_layer=None if wished is None else int(wished) if wished.isdigit() else LETTERS[wished].layer,
        held=None if held is None else LETTERS[held],
        may_rise="rests" not in words,
        may_exceed="too dear" not in words,
    )


def described(name: str, share: Share) -> str:
    if share.rung is None:
        got = "–"
    elif share.rung == allocation.FIRST_RUNG:
        got = "first"
    else:
        got = "sound" if share.rung == SOUND else next(letter for letter, rung in LETTERS.items() if rung == share.rung)
    return f"{name} {got}" + ("" if share.limited_by is LimitedBy.NOTHING else f" {share.limited_by}")


@pytest.mark.parametrize(("kbps", "demands", "results"), [row[1:] for row in table()], ids=[row[0] for row in table()])
def test_allocates(kbps: str, demands: str, results: str) -> None:
    asked = {words.split()[0]: demanded(words.split()[0], words) for words in demands.split("; ")}
    shares = allocate(int(kbps) * KBPS, tuple(asked.values()))
    assert "; ".join(described(name, shares[ord(name)]) for name in asked) == results


# --- what always holds -----------------------------------------------------------------------------------------

masks = st.lists(st.sampled_from(QHF), unique=True).map(lambda rungs: tuple(sorted(rungs, key=lambda r: r.layer)))
videos = st.builds(
    video,
    subscription=st.just(0),
    rungs=masks,
    rank=st.sampled_from(list(Rank)),
    pixels=st.sampled_from([None, 0, 320 * 180, 480 * 270, 1920 * 1080]),
    max_layer=st.sampled_from([None, 0, 1, 2]),
    held=st.sampled_from([None, *QHF]),
    may_rise=st.booleans(),
)
rooms = st.lists(videos, max_size=10).map(
    lambda demands: tuple(replace(demand, subscription=index) for index, demand in enumerate(demands))
)


@given(st.integers(0, 10_000), rooms)
def test_pictures_never_exceed_the_budget_but_for_a_stage_alone_and_every_subscription_has_a_share(
    budget_kbps: int, demands: tuple[Demand, ...]
) -> None:
    for may_oversend in (True, False):
        shares = allocate(budget_kbps * KBPS, demands, may_oversend=may_oversend)
        assert set(shares) == {demand.subscription for demand in demands}
        seen = [demand for demand in demands if shares[demand.subscription].rung not in (None, allocation.FIRST_RUNG)]
        excess_bps = spent_bps(shares) - budget_kbps * KBPS
        assert excess_bps <= 0 or may_oversend
        if excess_bps > 0:
            assert [demand.rank in (Rank.STAGE_SCREEN, Rank.STAGE) for demand in seen] == [True]
            assert excess_bps <= min(allocation.OVERSEND_BPS, allocation.OVERSEND_SHARE * budget_kbps * KBPS)


@given(masks, st.sampled_from([None, *QHF]), st.sampled_from([None, 1, 320 * 180, 1920 * 1080]), st.booleans())
def test_nothing_stands_still_while_any_layer_flows(
    rungs: tuple[Rung, ...], held: Rung | None, pixels: int | None, may_rise: bool
) -> None:
    for max_layer in (None, 0, 1, 2):
        demand = video(1, rungs, pixels=pixels, max_layer=max_layer, held=held, may_rise=may_rise)
        share = allocate(10_000 * KBPS, (demand,))[1]
        assert share.rung in (rungs or (allocation.FIRST_RUNG,))


def test_over_any_sequence_of_missing_layers_a_picture_is_of_a_layer_that_flows() -> None:
    all_masks = [tuple(c) for n in range(1, 4) for c in itertools.combinations(QHF, n)]
    for sequence in itertools.product(all_masks, repeat=3):
        held: Rung | None = None
        for rungs in sequence:
            share = allocate(2_100 * KBPS, (video(1, rungs, held=held),))[1]
            if rungs[0].bitrate_bps <= 1_890 * KBPS:
                assert share.rung in rungs
            held = share.rung


@given(st.integers(0, 8000), st.integers(0, 2000), st.integers(1, 12))
def test_more_budget_is_never_worse_for_anybody_among_equals(budget_kbps: int, more_kbps: int, count: int) -> None:
    demands = tuple(video(key) for key in range(count))
    less, more = (allocate(kbps * KBPS, demands) for kbps in (budget_kbps, budget_kbps + more_kbps))
    for key in range(count):
        assert height(less[key]) <= height(more[key])


@given(st.integers(0, 8000), st.integers(0, 2000), rooms)
def test_more_budget_is_never_worse_for_the_first(
    budget_kbps: int, more_kbps: int, demands: tuple[Demand, ...]
) -> None:
    """Alone; with others it may have to wait until these have a picture at all."""
    for demand in demands[:1]:
        less, more = (allocate(kbps * KBPS, [demand]) for kbps in (budget_kbps, budget_kbps + more_kbps))
        assert height(less[demand.subscription]) <= height(more[demand.subscription])


@given(st.integers(0, 8000), rooms)
def test_what_is_missing_would_make_it_better(budget_kbps: int, demands: tuple[Demand, ...]) -> None:
    for demand in [replace(demand, may_rise=True, rank=Rank.GRID) for demand in demands[:1]]:
        share = allocate(budget_kbps * KBPS, [demand])[demand.subscription]
        if share.missing_bps:
            assert share.limited_by is LimitedBy.BANDWIDTH
            # Of what is more, a part has to stay free, too.
            enough_bps = int((budget_kbps * KBPS + share.missing_bps) * (1 + 2 * allocation.STEP_UP_MARGIN))
            assert height(allocate(enough_bps, [demand])[demand.subscription]) > height(share)


@given(st.integers(0, 6000), rooms)
def test_what_was_given_is_given_again(budget_kbps: int, demands: tuple[Demand, ...]) -> None:
    """Nothing having changed, the second time decides no better or worse than the first; and then for ever."""
    for _ in range(3):
        shares = allocate(budget_kbps * KBPS, demands)
        demands = tuple(replace(demand, held=shares[demand.subscription].rung) for demand in demands)
    again = allocate(budget_kbps * KBPS, demands)
    assert again == shares


@given(st.integers(100, 6000), st.lists(st.floats(0.96, 1.04), min_size=2, max_size=30))
def test_bitrates_that_swing_a_little_do_not_make_pictures_jump(budget_kbps: int, swings: list[float]) -> None:
    held: dict[int, Rung | None] = {1: None, 2: None}
    history: list[list[float]] = [[], []]
    for swing in swings:
        rungs = tuple(Rung(r.layer, int(r.bitrate_bps * swing), r.pixels) for r in QHF)
        shares = allocate(budget_kbps * KBPS, tuple(video(key, rungs, held=held[key]) for key in (1, 2)))
        held = {key: share.rung for key, share in shares.items()}
        for key in (1, 2):
            history[key - 1].append(height(shares[key]))
    for heights in history:
        assert sum(a != b for a, b in itertools.pairwise(heights)) <= 2


def height(share: Share) -> float:
    return -1 if share.rung is None else share.rung.pixels
