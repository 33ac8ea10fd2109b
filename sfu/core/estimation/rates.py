"""The estimates themselves: down at once when a path is overused, up by a little while it is used to the full.

What is sent comes in steps, layers of pictures, and mostly stays below the estimate. Then an estimate that grew by
itself would come to mean nothing, and there would be no sign until a better layer is tried and the queue stands. So an
estimate grows only a little beyond what really arrives; how much further the path would carry, probing finds out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sfu.core.estimation.columns import Counts, Flags, Floats, Rows
from sfu.core.estimation.trend import Usage

START_BPS = (
    1_000_000.0  # enough for a picture of 640 × 360, or the lowest layers of six. libwebrtc begins with 300 kbit/s
)
# and Jitsi with 2.5 Mbit/s. Lower: everybody begins blurred; higher: a thin link begins with a queue
LEAST_BPS = 30_000.0  # one voice. Whatever is measured, sound is sent
BACK_OFF = 0.85  # of what the path carries: the rest drains the queue (GCC draft §5.5)
LIMITED, LIMITED_BACK_OFF = 0.8, 0.95  # the same where less than this share of the estimate arrives: beside somebody
# else's download the lowest layers would be given up step by step
AGAIN_S = 3.0  # so soon after a step down a queue that grows though all passes
PASSES_S = (
    0.02  # hardly later than it was sent is somebody else's: what passes says nothing of the path. One small step
)
HARDLY_SENDS = 0.5  # of the estimate, lately: what arrives then says nothing of the path, and a stall of the remote is
# no reason to give up all but that
HARDLY_AGAIN = 0.25  # the same within `AGAIN_S` of a step down. Higher: a path that carries half of the estimate, and a
# little less than is sent, has a queue of a quarter of a second before it is believed
SLOWED = 0.5  # of what arrived lately: the queue of a probe or a key frame drains as fast as the path was known to be
USED_FOR_S = 2.0  # "lately": when a path falls to a sixth, a sixth arrives at once
GROWTH_PER_S = 1.08  # far from where the path ended last (GCC draft §5.5)
PACKET_BITS = 1200 * 8  # near to it: one packet per response time (GCC draft §5.5)
FEEDBACK_DELAY_S = 0.1  # and a response is a round trip and a report (GCC draft §5.5)
NEAR = 0.15  # of the rate at which the path was overused last
NEAR_FOR_S = 30.0  # after that it may have become another path
HEADROOM = 1.05  # over what arrives; and
HEADROOM_BPS = 10_000.0  # (libwebrtc allows 1.5 times, its sender being able to make use of it)
FLOOD_S = 0.12  # longer by this within the last moment: overuse, whatever the trend says. That counts groups, and of a
# path that has become slow few arrive. Lower: jitter, or a large frame, is taken for it
WAITED_S = 0.015  # even the quickest packet of the last moment: less is no queue, and a trend of it is jitter's
ROSE_S = (
    0.05  # a queue of `FLOOD_S` that was shorter by so much a moment ago is a flood, too: of pictures that come once
)
# in a while, the one moment is before it and the next one after
STANDING_S = (
    0.25  # a queue so long that stands is overuse, whatever else it is: key frames and probes make shorter ones.
)
# Lower: who shares a deep queue with a download gives way to it; higher: everybody is heard later
STANDING_PATIENCE_S = 1.0  # between two steps down for that: it has to drain
SINKS = (0.3, 0.95)  # what passes while the queue of a step down stands, of what that was judged by: the moment in
# which it was measured had begun before the path became slower. Still less is a stall
PATIENCE_S = (0.2, 0.5)  # between two steps down a round trip and a report pass: the first must have shown


class Signals(NamedTuple):
    """Of the rows in question."""

    usage: Counts
    arriving_bps: Floats  # over half a second
    carried_bps: Floats  # over the last moment: while a queue stands, what the path carries
    later_s: Floats  # in that moment the way has become so much longer
    waited_s: Floats  # and even the quickest packet was so much longer under way than it could have been
    rose_s: Floats  # that was so much less in the moment before
    rtt_s: Floats
    lost_share: Floats
    is_losing: Flags  # more than is usual, so that it must be congestion
    may_grow: Flags
    is_excused: Flags  # the queue may be a probe's or a key frame's
    is_settling: Flags  # what is reported now left while it may have been a probe's: a trend says nothing, a flood does


class Rates:
    def __init__(self, capacity: int) -> None:
        self.bps: Floats = np.zeros(capacity)
        self.fell_at: Floats = np.zeros(capacity)
        self._end_bps: Floats = np.zeros(capacity)  # what the path carried when it was overused
        self._judged_bps: Floats = np.zeros(capacity)  # the same, of the last step down; 0: that was for losses
        self._most_bps: Floats = np.zeros(capacity)
        self._used_bps: Floats = np.zeros(capacity)  # what has arrived at most, fading

    def reset(self, row: int, most_bps: float) -> None:
        self.bps[row] = min(START_BPS, most_bps)
        self.fell_at[row] = -np.inf
        self._end_bps[row] = self._judged_bps[row] = self._used_bps[row] = 0
        self._most_bps[row] = most_bps

    def on_signals(self, rows: Rows, signals: Signals, elapsed_s: Floats, now: float) -> None:
        before = self.bps[rows]
        after = np.where(signals.may_grow, self._grown(rows, before, signals, elapsed_s, now), before)
        rests = now - self.fell_at[rows] < np.clip(signals.rtt_s + FEEDBACK_DELAY_S, *PATIENCE_S)
        # A trend is late: where packets come faster than they were sent, the queue is on its way down.
        grows = (signals.usage == Usage.OVER) & (signals.later_s > 0) & (signals.rose_s >= 0)
        grows &= (signals.waited_s > WAITED_S) & ~signals.is_settling
        stands = signals.waited_s > STANDING_S
        outstands = stands & (now - self.fell_at[rows] >= STANDING_PATIENCE_S)
        used_bps = np.maximum(signals.arriving_bps, self._used_bps[rows] * np.exp(-elapsed_s / USED_FOR_S))
        slowed = signals.carried_bps < SLOWED * used_bps
        floods = (signals.later_s > FLOOD_S) | (signals.waited_s > FLOOD_S) & (signals.rose_s > ROSE_S)
        # What loses packets is no passing queue, whoever has made it; nor what passes far slower than before.
        # But later by less than one packet takes at that rate is no queue.
        later = (signals.later_s > ROSE_S) & (signals.later_s * signals.carried_bps > PACKET_BITS)
        slower = (later | floods) & slowed
        floods |= slower
        answerable = grows | floods | outstands
        excused = signals.is_excused & ~signals.is_losing & ~slower
        misjudged = rests & (signals.later_s > ROSE_S) & (signals.waited_s > WAITED_S)
        sunk = signals.carried_bps / np.maximum(self._judged_bps[rows], 1.0)
        misjudged &= (sunk > SINKS[0]) & (sunk < SINKS[1])
        overused = (answerable & ~excused & ~rests | misjudged) & (signals.carried_bps > 0)
        # Who sends much less than it might has hardly filled the queue alone, and drains it by sending still less.
        limited = signals.arriving_bps < LIMITED * before
        share = np.where(limited, LIMITED_BACK_OFF, BACK_OFF)
        # And who sends next to nothing learns little of the path: one step at a time.
        self._used_bps[rows] = np.where(overused, signals.carried_bps, used_bps)
        hardly = np.where(now - self.fell_at[rows] < AGAIN_S, HARDLY_AGAIN, HARDLY_SENDS)
        lowest = np.where((used_bps < hardly * before) & ~stands, BACK_OFF * before, 0.0)
        shared = limited & (now - self.fell_at[rows] < AGAIN_S) & (signals.later_s < PASSES_S) & ~floods & ~stands
        lowest = np.where(shared, LIMITED_BACK_OFF * before, lowest)
        fallen = np.minimum(before, np.maximum(share * signals.carried_bps, lowest))
        after = np.where(overused, fallen, after)
        loses = signals.is_losing & ~rests & ~overused
        # Never below what does arrive: a path that only loses packets must not be given up bit by bit.
        lowered = np.maximum(before * (1 - 0.5 * signals.lost_share), signals.arriving_bps)
        after = np.where(loses, np.minimum(before, lowered), after)
        self.bps[rows] = np.clip(after, LEAST_BPS, self._most_bps[rows])
        fell = overused & ~misjudged | loses
        self.fell_at[rows] = np.where(fell, now, self.fell_at[rows])
        judged_bps = np.where(misjudged, 0.0, signals.carried_bps)  # it is mended once
        self._judged_bps[rows] = np.where(overused, judged_bps, np.where(loses, 0.0, self._judged_bps[rows]))
        self._end_bps[rows] = np.where(overused, signals.carried_bps, self._end_bps[rows])

    def on_measured(self, row: int, bps: float) -> None:
        """A probe has found out."""
        self.bps[row] = min(max(bps, LEAST_BPS), self._most_bps[row])

    def _grown(self, rows: Rows, before: Floats, signals: Signals, elapsed_s: Floats, now: float) -> Floats:
        end_bps = self._end_bps[rows]
        is_near = (np.abs(before - end_bps) <= NEAR * end_bps) & (now - self.fell_at[rows] < NEAR_FOR_S)
        step_bps = PACKET_BITS / (signals.rtt_s + FEEDBACK_DELAY_S) * elapsed_s
        grown = np.where(is_near, before + step_bps, before * GROWTH_PER_S**elapsed_s)
        headroom_bps = np.where(signals.waited_s > WAITED_S, 0.0, (HEADROOM - 1) * signals.arriving_bps + HEADROOM_BPS)
        bound = np.maximum(
            before, signals.arriving_bps + headroom_bps
        )  # with a queue, the path carries that and no more
        return np.where(signals.usage == Usage.NORMAL, np.minimum(grown, bound), before)
