"""A path that carries less than it is sent: how to get out of the queue before the next picture.

What takes the place of pictures that are too large begins with a key frame, behind all that is in the queue. So it is
small. In a deep queue nothing that is sent arrives whole: then those stop at once, and the key frame is asked for when
there is room for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sfu.core.allocation import Allocation, Demand, LimitedBy, Share, allocate

# Sent at so many times what the path carries, pictures fill half a second of queue in a second: the next ones would not
# arrive, and delay what takes their place. Lower: they stand still where they might have gone on; higher: the queue is
# longer.
FLOODS = 1.5
DRAINING = 0.6  # of the budget is spent then: the rest drains the queue, and what comes next must be soon there
# The same where fewer frames are enough: they are fewer at once, and nothing need come through the queue first. Higher:
# it takes longer to drain; lower: a picture changes that might have gone on.
DRAINING_BY_FRAMES = 0.85
SHORT_S = 0.015  # less is no queue. With one, even a little too much is a flood: the next key frame comes on top of it
DEEP_S = 0.25  # from here on what is sent stops at once. Lower: it stands still where it might have gone on meanwhile
FULL_S = 0.5  # what a path's queue holds, about; beyond, the key frame would be lost in part
KEY_FRAME_S = 0.5  # a key frame is as large as so much of its layer


@dataclass(frozen=True, slots=True)
class Flood:
    carried_bps: int  # by the path
    queue_s: float

    @property
    def is_deep(self) -> bool:
        """What is sent now would come too late, and the next key frame perhaps not at all."""
        return self.queue_s > DEEP_S

    def room_after_s(self, layer_bps: int) -> float:
        """How long it drains until a key frame of this layer has room."""
        return max(0.0, self.queue_s + KEY_FRAME_S * layer_bps / max(1, self.carried_bps) - FULL_S)


def flood(sent_bps: int, carried_bps: int, queue_s: float, *, drains: bool = False) -> Flood | None:
    """`queue_s`: as it was seen last. `drains`: what was sent has stopped for an earlier word of it, and what takes its
    place has not begun. What is known of the path since then may say that this is too large, too."""
    if drains:
        return Flood(carried_bps, queue_s)
    if sent_bps > FLOODS * carried_bps:
        return Flood(carried_bps, max(queue_s, FULL_S))  # it fills faster than it is seen
    if sent_bps > carried_bps and queue_s > SHORT_S:
        return Flood(carried_bps, queue_s)
    return None


def allocate_draining(budget_bps: int, demands: Sequence[Demand], flooded: Flood) -> Allocation:
    """Of a part of the budget, unless somebody were not seen at all for that. Nothing is sent beyond the budget into a
    deep queue: sound waits in it, too."""
    fewer_frames = allocate(int(DRAINING_BY_FRAMES * budget_bps), demands, may_oversend=False)
    if not any(_needs_key_frame(fewer_frames[demand.subscription], demand) for demand in demands):
        return fewer_frames
    shares, smaller = (
        allocate(int(share * budget_bps), demands, may_oversend=not flooded.is_deep) for share in (1, DRAINING)
    )
    is_seen = all(smaller[number].rung is not None for number, share in shares.items() if share.rung is not None)
    return smaller if is_seen else shares


def _needs_key_frame(share: Share, demand: Demand) -> bool:
    """Or is paused for want of bandwidth."""
    if demand.kind == "audio":
        return False
    if share.rung is None:
        return share.limited_by is LimitedBy.BANDWIDTH
    held = demand.held
    return held is None or share.rung.layer != held.layer or share.rung.is_wider_than(held)
