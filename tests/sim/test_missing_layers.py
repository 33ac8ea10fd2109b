"""Whatever layers a publisher stops and starts, no picture stands still for long while one flows that can be paid for.

Through the real Router and plane: from every set of simulcast layers to every other, to none and back; the same for
the spatial layers of VP9 in one stream. The subscribers differ in what they may spend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import TypeAlias

import pytest

from sfu.control import Explain, Explanation, SetLayout, SubscriptionExplanation
from sfu.core.types import Codec
from sfu.wire import vp8
from tests.sim.actors import VP9_FORMATS, Reception, Subscriber
from tests.sim.call import Call
from tests.sim.test_explained import MarkedPublisher

Layers: TypeAlias = tuple[int, ...]  # those that are sent

SETS: tuple[Layers, ...] = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
# Of each layer, with 1, 3 and 5 packets of 1000 bytes a frame and 20 frames a second. A voice is 50 kbit/s more.
COSTS_BPS = (165_000, 490_000, 820_000)
BUDGETS_BPS = (350_000, 750_000, 3_000_000)
VOICE_BPS = 50_000
MANY_FRAMES_PER_S, FEW_FRAMES_PER_S = 20.0, 5.0
# With each set. A layer that starts again is trusted after a second, a picture that bandwidth has ended rests for four.
HOLD_S = (5.5, 6.5)
# A layer has stopped when it has been silent for half a second while another goes on, which is looked at four times a
# second. Then a key frame is asked for, which comes with the next frame, and the ways take 40 ms.
MOST_STILL_S = 0.95
# Of frames so rare that a second says more than their number.
MOST_STILL_WITH_FEW_FRAMES_S = 1.6
# For who had no picture. With few frames a key frame makes a layer look too dear until it has passed.
MOST_DARK_S, MOST_DARK_WITH_FEW_FRAMES_S = 1.0, 2.6


def walk(random: Random) -> list[Layers]:
    """Each of them after each other one, once: a Eulerian circuit (Hierholzer's)."""
    ways = {one: random.sample([other for other in SETS if other != one], len(SETS) - 1) for one in SETS}
    trail: list[Layers] = [SETS[-1]]
    circuit: list[Layers] = []
    while trail:
        if ways[trail[-1]]:
            trail.append(ways[trail[-1]].pop())
        else:
            circuit.append(trail.pop())
    return circuit


class Shown:
    """One subscriber's picture."""

    def __init__(self, call: Call, track: str, budget_bps: int, codec: Codec = Codec.VP8) -> None:
        self.budget_bps = budget_bps
        self._call = call
        self._name = f"with-{budget_bps}"
        self.reception: Reception = Subscriber(call, self._name).subscribe(track, codec=codec)
        call.tell(SetLayout, transport=self._name, max_bps=budget_bps)

    def stood_still_s(self, since: float) -> float:
        """At most, until now. A frame is there when its last packet is: nothing is lost here."""
        ends = [at for at, _, marker, _ in self.reception.packets.values() if marker and at > since]
        return max(after - before for before, after in pairwise([since, *ends, self._call.now]))

    def explained(self) -> SubscriptionExplanation:
        reply = self._call.tell(Explain, transport=self._name)
        assert isinstance(reply, Explanation)
        return reply.subscriptions[0]

    def jumps(self) -> list[str]:
        """Where another layer goes on without a key frame."""
        found, before = [], None
        for _, (at, _, _, payload) in sorted(self.reception.packets.items()):
            described = vp8.parse(payload)
            if before is not None and payload[-1] != before and not (described and described.key_frame):
                found.append(f"from {before} to {payload[-1]} at {at:.2f} s")
            before = payload[-1]
        return found


class Waits:
    """For how long pictures stood still, and at which step: of those who had one, and of those who had none."""

    def __init__(self) -> None:
        self.seen: dict[float, str] = {}
        self.dark: dict[float, str] = {}

    def run(
        self, call: Call, audience: Sequence[Shown], steps: Sequence[Layers], send: Callable[[Layers], None]
    ) -> None:
        for before, layers in pairwise(steps):
            had_one = {shown for shown in audience if before and shown.explained().layer is not None}
            send(layers)
            since = call.now
            call.run(call.random.uniform(*HOLD_S))
            for shown in audience:
                if any(COSTS_BPS[layer] <= shown.budget_bps for layer in layers):
                    still_s = shown.stood_still_s(since)
                    noted = self.seen if shown in had_one else self.dark
                    noted[still_s] = f"{before} to {layers} with {shown.budget_bps} bit/s: {still_s:.2f} s"
                elif before and layers:  # after a silence of all layers prices are known again only later than this
                    row = shown.explained()
                    assert (row.layer, row.reason) == (None, "bandwidth"), f"{before} to {layers}: {row}"

    def check(self, most_still_s: float, most_dark_s: float) -> None:
        assert max(self.seen) <= most_still_s, self.seen[max(self.seen)]
        assert max(self.dark, default=0.0) <= most_dark_s, self.dark[max(self.dark)]


@pytest.mark.parametrize(
    ("frames_per_s", "budgets_bps", "most_still_s", "most_dark_s"),
    [
        (MANY_FRAMES_PER_S, BUDGETS_BPS, MOST_STILL_S, MOST_DARK_S),
        # Nobody between two prices: a key frame weighs as much as half a second of others here.
        (
            FEW_FRAMES_PER_S,
            (BUDGETS_BPS[0], BUDGETS_BPS[-1]),
            MOST_STILL_WITH_FEW_FRAMES_S,
            MOST_DARK_WITH_FEW_FRAMES_S,
        ),
    ],
)
def test_no_picture_stands_still_while_a_layer_flows(
    seed: int, frames_per_s: float, budgets_bps: Sequence[int], most_still_s: float, most_dark_s: float
) -> None:
    call = Call(seed)
    publisher = MarkedPublisher(call, "ann")
    for layer in publisher.layers:  # with fewer frames, more packets in each: they cost the same
        layer.packets_per_frame *= round(MANY_FRAMES_PER_S / frames_per_s)
    audience = [Shown(call, publisher.video, budget_bps) for budget_bps in budgets_bps]
    publisher.start(frames_per_s)
    call.run(call.random.uniform(*HOLD_S))

    def send(layers: Layers) -> None:
        for index, layer in enumerate(publisher.layers):
            was_active, layer.active = layer.active, index in layers
            layer.wants_key_frame |= layer.active and not was_active

    waits = Waits()
    waits.run(call, audience, walk(call.random), send)
    waits.check(most_still_s, most_dark_s)
    assert not [jump for shown in audience for jump in shown.jumps()]


def test_nor_while_a_spatial_layer_of_one_stream_does(seed: int) -> None:
    """VP9: the upper ones come and go with the encoder's time, the lowest stays."""
    call = Call(seed)
    publisher = MarkedPublisher(call, "ann", rids=(), formats=VP9_FORMATS, scalability=(3, 3))
    audience = [Shown(call, publisher.video, budget_bps, Codec.VP9) for budget_bps in BUDGETS_BPS]
    publisher.start(MANY_FRAMES_PER_S)
    call.run(call.random.uniform(*HOLD_S))

    def send(layers: Layers) -> None:
        publisher.scalability = (len(layers), 3)

    waits = Waits()
    counts = [call.random.randint(1, 3) for _ in range(20)]
    waits.run(call, audience, [tuple(range(count)) for count in counts], send)
    waits.check(most_still_s=3 / MANY_FRAMES_PER_S, most_dark_s=0.0)
