"""Acknowledged packets, gathered into groups that were sent together: what delay estimation compares (GCC draft §5.2).

Packets sent within 5 ms of a group's first are one group. So are those that *arrive* in a burst: a link that was away
for a moment (Wi-Fi, a radio cell) delivers what has queued up at once, which says nothing of its rate. A packet is of a
burst if it comes right after the one before, and was under way for less time than the group's first. libwebrtc's
`InterArrivalDelta` compares with the group's last, which is as good when a pacer spreads packets; ours leave in frames,
and on a busy link every frame would look like a burst with the one before. Packets are taken in the order of sending,
as feedback names them; one that was sent before the current group and is reported late belongs to none.

What was sent together and takes long to arrive is told in parts. A path that falls from 3 to 0.5 Mbit/s passes a frame
of 14 kB in a quarter of a second, and until the next frame begins to arrive nothing would be known of it: meanwhile its
queue fills up, and what does not fit is what makes a picture stand still.

A remote's clock that jumps spoils one difference, which is not told. Groups that overtake each other are told, with a
negative difference.
"""

from __future__ import annotations

from collections import deque

from sfu.core.transport_feedback import GROUP_SPAN_S
from sfu.plane.interface import Counters

_BURST_GAP_S = 0.005  # packets that arrive no further apart may be one burst …
_LONGEST_BURST_S = 0.1  # … of no more than this
_LONGEST_ARRIVAL_S = 0.05  # half of what feedback covers. Lower: more rows, with fewer packets each; higher: a fall is
# known later, by as much
_CLOCK_JUMP_S = 3.0  # arrivals this much further apart than the feedbacks about them, or this much back in time

GroupRow = tuple[float, float, float, float, float, int]  # as transport_feedback.GROUP


class _Group:
    __slots__ = ("arrived_at", "bytes", "first_arrived_at", "first_sent_at", "longest_gap", "reported_at", "sent_at")

    def __init__(self, sent_at: float, arrived_at: float, gap: float = 0.0) -> None:
        """`gap`: since the last arrival of the group before."""
        self.first_sent_at = self.sent_at = sent_at
        self.first_arrived_at = self.arrived_at = arrived_at
        self.longest_gap = gap
        self.reported_at = 0.0
        self.bytes = 0

    def includes(self, sent_at: float, arrived_at: float) -> bool:
        """A packet that was not sent before the group."""
        if sent_at - self.first_sent_at <= GROUP_SPAN_S or sent_at == self.sent_at:
            return arrived_at - self.first_arrived_at <= _LONGEST_ARRIVAL_S
        if not 0 <= arrived_at - self.arrived_at <= _BURST_GAP_S:
            return False
        return arrived_at - self.first_arrived_at < min(sent_at - self.first_sent_at, _LONGEST_BURST_S)


class Groups:
    """Of one Transport. `limit`: how many wait to be taken; beyond it the oldest go."""

    __slots__ = ("_before", "_complete", "_counters", "_current", "_limit")

    def __init__(self, limit: int, counters: Counters) -> None:
        self._limit = limit
        self._counters = counters
        self._complete: deque[GroupRow] = deque()
        self._current: _Group | None = None
        self._before: _Group | None = None

    def on_packet(self, sent_at: float, arrived_at: float, size: int, now: float) -> None:
        """`arrived_at` by the remote's clock."""
        group = self._current
        if group is None:
            group = self._current = _Group(sent_at, arrived_at)
        elif sent_at < group.first_sent_at:
            return
        elif not group.includes(sent_at, arrived_at):
            if sent_at < group.sent_at:
                return  # sent in the midst of what arrived in a burst, but not of it
            self._end(group)
            group = self._current = _Group(sent_at, arrived_at, max(0.0, arrived_at - group.arrived_at))
        group.sent_at = max(group.sent_at, sent_at)
        group.longest_gap = max(group.longest_gap, arrived_at - group.arrived_at)
        group.arrived_at = max(group.arrived_at, arrived_at)
        group.reported_at = now
        group.bytes += size

    def take(self) -> list[GroupRow]:
        """Those completed since the last call."""
        taken = list(self._complete)
        self._complete.clear()
        return taken

    def _end(self, group: _Group) -> None:
        before, self._before = self._before, group
        if before is None:
            return
        sent_delta = group.sent_at - before.sent_at
        arrived_delta = group.arrived_at - before.arrived_at
        reported_delta = group.reported_at - before.reported_at
        if arrived_delta - reported_delta >= _CLOCK_JUMP_S or arrived_delta <= -_CLOCK_JUMP_S:
            return
        if len(self._complete) == self._limit:
            self._complete.popleft()
            self._counters.feedback_forgotten += 1
        row = group.sent_at, group.arrived_at, sent_delta, arrived_delta, group.longest_gap, group.bytes
        self._complete.append(row)
