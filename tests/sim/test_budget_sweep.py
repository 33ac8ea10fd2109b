"""The whole history of a call whose subscriber may spend ever more, and then ever less: 0 → 5 → 0 Mbit/s in steps of 10
kbit/s, four of them a second.

Unlike in `tests/sfu/core/test_allocation_sweep.py` layers are what a plane has received, prices are measured, pictures
rest after a change and wait for key frames. What happened is in `golden/budget_sweep.txt`, for people to read;
`python -m tests.sim.test_budget_sweep` writes it anew.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from sfu.config import WorkerConfig
from sfu.control import Explain, Explanation, SetLayout, Tile
from tests.sim.actors import Publisher, Subscriber
from tests.sim.call import Call

GOLDEN = Path(__file__).parent / "golden" / "budget_sweep.txt"
MOST_KBPS, STEP_KBPS, STEP_S = 5000, 10, 0.25
FRAMES_PER_S = 10.0
# Packets of 1000 bytes in each layer's frames, and tiles. At ten frames a second 160, 480 and 1 600 kbit/s on stage,
# and half of that beside it.
CAMERAS = {"stage": ((2, 6, 20), (1280, 720)), "ann": ((1, 3, 10), (640, 360)), "ben": ((1, 3, 10), (320, 180))}


class Seen(NamedTuple):
    layer: int | None
    wanted_layer: int | None
    reason: str

    def __str__(self) -> str:
        layer, wanted = ("-" if one is None else str(one) for one in (self.layer, self.wanted_layer))
        return f"{layer if layer == wanted else f'{layer}>{wanted}'} {self.reason}"


class Moment(NamedTuple):
    at_s: float
    budget_kbps: int
    pictures: tuple[Seen, ...]


@cache
def moments() -> tuple[Moment, ...]:
    call = Call(1)
    subscriber = Subscriber(call, "eve")
    for name, (packets, _) in CAMERAS.items():
        publisher = Publisher(call, name)
        for layer, count in zip(publisher.layers, packets, strict=True):
            layer.packets_per_frame = count
        subscriber.subscribe(publisher.video)
        subscriber.subscribe(publisher.audio)
        publisher.start(FRAMES_PER_S)
    tiles = [
        Tile(track=f"{name}-video", width=width, height=height, on_stage=name == "stage")
        for name, (_, (width, height)) in CAMERAS.items()
    ]
    call.tell(SetLayout, transport="eve", tiles=tiles, max_bps=0)
    call.run(5.0)
    began_at, found = call.now, []
    for kbps in (*range(0, MOST_KBPS, STEP_KBPS), *range(MOST_KBPS, -1, -STEP_KBPS)):
        call.tell(SetLayout, transport="eve", tiles=tiles, max_bps=1000 * kbps)
        call.run(STEP_S)
        reply = call.tell(Explain, transport="eve")
        assert isinstance(reply, Explanation)
        rows = {row.track: Seen(row.layer, row.wanted_layer, row.reason) for row in reply.subscriptions}
        found.append(Moment(call.now - began_at, kbps, tuple(rows[f"{name}-video"] for name in CAMERAS)))
    return tuple(found)


def history() -> str:
    """A line for each change: the layer that is sent, the one that is waited for, and why it is no better."""
    lines = ["      s  kbit/s  " + "".join(f"{name:18}" for name in CAMERAS).rstrip()]
    last: tuple[Seen, ...] = ()
    for moment in moments():
        if moment.pictures != last:
            pictures = "".join(f"{seen!s:18}" for seen in moment.pictures).rstrip()
            lines.append(f"{moment.at_s:7.2f} {moment.budget_kbps:7}  {pictures}")
        last = moment.pictures
    return "\n".join(lines) + "\n"


def test_decides_as_it_was_reviewed() -> None:
    assert history() == GOLDEN.read_text()


def test_nothing_is_sent_for_nothing_and_all_that_is_shown_for_enough() -> None:
    by_budget = {moment.budget_kbps: [seen.layer for seen in moment.pictures] for moment in moments()}
    assert by_budget[0] == [None, None, None]
    assert by_budget[MOST_KBPS] == [2, 1, 0]


def height(seen: Seen) -> int:
    return -1 if seen.layer is None else seen.layer


def changes() -> list[tuple[Moment, Moment]]:
    return [(before, after) for before, after in pairwise(moments()) if before.pictures != after.pictures]


def test_while_there_is_ever_more_a_picture_gets_worse_only_for_one_that_comes_before_it() -> None:
    """What fits earlier, because it costs less, gives way when what matters more fits."""
    for before, after in changes():
        if after.at_s <= MOST_KBPS / STEP_KBPS * STEP_S:
            rises = [
                height(later) - height(sooner) for sooner, later in zip(before.pictures, after.pictures, strict=True)
            ]
            for index, rise in enumerate(rises):
                assert rise >= 0 or any(better > 0 for better in rises[:index]), f"{before} {after}"


def test_a_picture_that_has_changed_rests_before_it_gets_better() -> None:
    """But for one that was paused."""
    rest_s = WorkerConfig().step_up_after_s
    changed_at = dict.fromkeys(CAMERAS, -rest_s)
    for before, after in changes():
        for name, sooner, later in zip(CAMERAS, before.pictures, after.pictures, strict=True):
            if height(later) > height(sooner) >= 0:
                assert after.at_s - changed_at[name] >= rest_s - STEP_S, f"{name} at {after.at_s} s"
            if height(later) != height(sooner):
                changed_at[name] = after.at_s


if __name__ == "__main__":
    GOLDEN.write_text(history())
