"""A path that carries far less than it is sent: how to get out of the queue before the next picture.

Within a second of it the queue is full, and nothing that is sent arrives whole. Then the pictures that are too large
stop at once; what takes their place is small; and its key frame is asked for when there is room for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sfu.core.allocation import Allocation, Demand, allocate

# Sent at so many times what the path carries, pictures fill half a second of queue in a second: the next ones would not
# arrive, and delay what takes their place. Lower: they stand still where they might have gone on; higher: the queue is
# longer.
FLOODS = 1.5
DRAINING = 0.6  # of the budget is spent then: the rest drains the queue, and what comes next must be soon there
KEY_FRAME_S = 0.5  # a key frame is as large as so much of its layer, and the queue has to have so much room for it


def is_flooded(sent_bps: int, carried_bps: int) -> bool:
    return sent_bps > FLOODS * carried_bps


def allocate_draining(budget_bps: int, demands: Sequence[Demand]) -> Allocation:
    """Of a part of the budget, unless somebody were not seen at all for that."""
    shares, smaller = allocate(budget_bps, demands), allocate(int(DRAINING * budget_bps), demands)
    is_seen = all(smaller[number].rung is not None for number, share in shares.items() if share.rung is not None)
    return smaller if is_seen else shares


def room_after_s(layer_bps: int, carried_bps: int) -> float:
    """How long the queue drains until a key frame of this layer has room."""
    return KEY_FRAME_S * layer_bps / max(1, carried_bps)
