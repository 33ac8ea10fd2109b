"""What is measured of a session from outside: how long the first media took, of who found somebody publishing."""

from __future__ import annotations

from typing import Any, cast

from msgspec.structs import replace

from sfu.control import LayerChanged, TransportChanged
from signaling.loop_lag import Histogram
from signaling.metrics import TIMES
from signaling.seat import Seat
from tests.signaling.conversations import entered, participant, track
from tests.signaling.servers import serving
from tests.support.meeting import metrics

CAMERA = track("TR_1")
FLOWS = LayerChanged(subscription="7/subscription/1", layer=0, timestamp=0)


def counted(*tracks: Any) -> float:
    """Of one who joins at 1 s, whose connection is made at 2 s, and to whom something flows at 3.5 s and later."""
    seat = Seat(7, cast(Any, None), print, print, "-")
    times = Histogram((1.0, 2.0, 4.0))
    seat.on_joined(entered(participant("bob", *tracks)), 1.0)
    seat.on_notice(TransportChanged(transport="7/transport/1", state="connected"), 2.0, times)
    for now in (3.5, 9.0):
        seat.on_notice(FLOWS, now, times)
    (family,) = [times.family("x", "y")]
    return {sample.name: sample.value for sample in family.samples if "le" not in sample.labels}["x_sum"]


def test_the_first_media_is_timed_once_from_joining() -> None:
    assert counted(CAMERA) == 2.5


def test_where_nothing_could_flow_nothing_is_timed() -> None:
    assert counted() == counted(replace(CAMERA, muted=True)) == 0.0


async def test_all_times_are_in_the_metrics() -> None:
    async with serving() as server:
        samples = await metrics(server.url)
    assert {f"{name}_count" for name in TIMES} <= samples.keys()
