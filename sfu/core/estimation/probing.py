"""When to send more than there is to send, how much more, and what the answer means.

    goal: what all pictures would take at their best ─► above the estimate? ─► a probe of twice that, or the goal
    cluster ─► the same packets, leaving and arriving ─► no slower? the path carries that: on to the next
                                                      └► slower? that is what it carries: wait, longer each time

A probe lasts a tenth of a second, beside the media; both are measured together. Nothing is probed for that nobody would
use. While one is under way, and until its queue is gone, a growing delay is its own doing and no reason to slow down.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from sfu.core.estimation.columns import Counts, Flags, Floats, Rows
from sfu.core.estimation.delivery import Stretch

LASTS_S = 0.12  # libwebrtc's last 15 ms, behind a pacer: ours are measured along with frames that leave at once, and
# have to span some. Higher: a surer answer, a longer queue where it is no
FEWEST_PACKETS = 5  # fewer tell nothing (libwebrtc's `min_probe_packets_sent`)
FEWEST_GROUPS, FEWEST_GROUPS_S = 3, 0.06  # or so long: fewer, sooner, have arrived at once
BOLD, CAREFUL = 2.0, 1.5  # times the estimate: at first and after success, and after a failure
SMALLEST_SHARE = 0.3  # of what is tried, on top of the media, or the answer would be about the media alone
REACHED = 0.9  # of the rate of sending: arrived no slower (libwebrtc's `kMinRatioForUnsaturatedLink`)
SATURATED = 0.95  # of what arrived, when it arrived slower (libwebrtc's `kTargetUtilizationFraction`)
JITTERS_S = 0.03  # later by less, and no queue seen: it may be jitter, which says nothing of the path. What probes for
# half as much again where the path ends makes a queue of 0.04 s and more
LOWERS_TO = 0.9  # of the estimate: by more a single probe does not lower it, the remote may have been busy just then;
ASKS_AGAIN_S = 1.0  # and so it is asked again, when the queue is gone. Lower: both may be of the same trouble
LEAST_TRIED_BPS = 150_000.0  # a picture's lowest layer: less is not worth knowing, and would take too long to measure
WORTHWHILE = 1.05  # a goal so far above the estimate
FIRST_WAIT_S, LONGER, LONGEST_WAIT_S = 2.0, 1.5, 8.0  # after a failure, or a step down. Lower: a limit that lifts is
# noticed sooner; higher: less of the path goes into finding out that it is still there
REFUSED_WAIT_S = 0.25  # the plane has nothing to probe with: before the first Slot
SETTLES_S = 0.6  # after the last packet of one: until the feedback is there, and the queue gone
NEVER_ANSWERED_S = 2.0  # the plane tells after a second; then something else is wrong
PADDING_BYTES, PACKET_BYTES = 270.0, 1200.0  # datagrams: what the plane pads with, and the largest


@dataclass(frozen=True, slots=True)
class Probe:
    """As the plane is asked for it."""

    transport: int
    rate_bps: float  # beside the media
    packets: int
    cluster: int


class Probing:
    def __init__(self, capacity: int) -> None:
        self._goal_bps: Floats = np.zeros(capacity)
        self._due_at: Floats = np.zeros(capacity)
        self._wait_s: Floats = np.zeros(capacity)
        self._factor: Floats = np.zeros(capacity)
        self._packet_bytes: Floats = np.zeros(capacity)  # of those sent for the last probe
        self._doubted_bps: Floats = np.zeros(
            capacity
        )  # what that found, if far below the estimate, or what was believed
        # before, if that was less; 0: there is no doubt
        self._cluster: Counts = np.zeros(capacity, np.int64)  # under way; 0: none
        self._tried_bps: Floats = np.zeros(capacity)
        self._began_at: Floats = np.zeros(capacity)  # the last one, or the first of those that followed at once
        self._settled_at: Floats = np.zeros(capacity)
        self._fell_at: Floats = np.zeros(capacity)
        self._held_until: Floats = np.zeros(capacity)
        self._last_cluster = 0

    def reset(self, row: int) -> None:
        self._goal_bps[row] = self._cluster[row] = self._doubted_bps[row] = 0
        self._due_at[row] = self._fell_at[row] = self._held_until[row] = -np.inf
        self._began_at[row] = self._settled_at[row] = -np.inf
        self._wait_s[row] = FIRST_WAIT_S
        self._factor[row] = BOLD
        self._packet_bytes[row] = PADDING_BYTES

    def set_goal(self, row: int, goal_bps: float, now: float) -> None:
        """What there would be use for, now. 0: nothing is amiss."""
        if goal_bps > BOLD * self._goal_bps[row]:  # much more is wanted than before: a limit was lifted
            self._due_at[row] = min(self._due_at[row], max(now, self._fell_at[row] + FIRST_WAIT_S))
        self._goal_bps[row] = goal_bps

    def hold(self, rows: Rows, until: float) -> None:
        """Something large is on its way to them: together with a probe it would make a queue of twice the length."""
        self._held_until[rows] = np.maximum(self._held_until[rows], until)

    def is_under_way(self, rows: Rows, sent_at: Floats, at: float | Floats) -> Flags:
        """Then what had left by `sent_at` may have queued up behind a probe."""
        under_way: Flags = (self._began_at[rows] <= sent_at) & (at < self._settled_at[rows])
        return under_way

    def on_fall(self, rows: Rows, now: float) -> None:
        """These were overused just now. What pictures have lost is wanted more than before, and not probed for yet.

        A probe that is under way began before: half of it may tell of the path as it was, and its answer is nobody's.
        """
        self._cluster[rows] = 0
        self._fell_at[rows] = now
        self._due_at[rows] = now + FIRST_WAIT_S
        self._wait_s[rows] = FIRST_WAIT_S
        self._factor[rows] = CAREFUL
        self._doubted_bps[rows] = 0

    def due(self, rates_bps: Floats, stands: Flags, now: float) -> Rows:
        """Of the first rows, as many as there are `rates_bps`, the estimates. Not where a queue `stands`: a probe would
        only make it longer."""
        bound = len(rates_bps)
        cluster = self._cluster[:bound]
        cluster[(cluster > 0) & (now > self._settled_at[:bound] + NEVER_ANSWERED_S)] = 0
        ready = (self._due_at[:bound] <= now) & (self._held_until[:bound] <= now) & (cluster == 0) & ~stands
        return np.flatnonzero((self._goal_bps[:bound] > rates_bps) & ready)

    def begin(self, row: int, transport: int, rate_bps: float, sending_bps: float, now: float) -> Probe:
        tried_bps = min(max(self._factor[row] * rate_bps, LEAST_TRIED_BPS), WORTHWHILE * self._goal_bps[row])
        beside_bps = max(tried_bps - sending_bps, SMALLEST_SHARE * tried_bps)
        packets = max(FEWEST_PACKETS, ceil(beside_bps * LASTS_S / 8 / self._packet_bytes[row]))
        if now > self._due_at[row] + ASKS_AGAIN_S:
            self._doubted_bps[row] = 0  # that was long ago
        self._last_cluster += 1
        self._cluster[row] = self._last_cluster
        self._tried_bps[row] = tried_bps
        lasts_s = packets * PACKET_BYTES * 8 / beside_bps if sending_bps > beside_bps else LASTS_S
        if now >= self._settled_at[row]:
            self._began_at[row] = now
        self._settled_at[row] = now + lasts_s + SETTLES_S
        return Probe(transport, beside_bps, packets, self._last_cluster)

    def on_refused(self, row: int, now: float) -> None:
        self._cluster[row] = 0
        self._settled_at[row] = -np.inf
        self._due_at[row] = now + REFUSED_WAIT_S

    def expects(self, row: int, cluster: int) -> bool:
        return bool(self._cluster[row] == cluster)

    def on_answer(
        self, row: int, packet_bytes: float, stretch: Stretch, rate_bps: float, is_queued: bool, now: float
    ) -> float | None:
        """What the estimate is to be from now on; `None`: nothing was found out."""
        self._cluster[row] = 0
        if packet_bytes > 0:
            self._packet_bytes[row] = packet_bytes
        # Packets that queue up, one behind the other, may be a single group, but take their time.
        told = stretch.groups >= FEWEST_GROUPS or stretch.steady_for_s >= FEWEST_GROUPS_S
        if not told or stretch.arrived_bps <= 0:
            self._due_at[row] = now + FIRST_WAIT_S  # all at once: the remote was busy, and that is no failure
            return None
        if stretch.arrived_bps >= REACHED * stretch.sent_bps:
            self._doubted_bps[row] = 0
            found_bps = min(stretch.sent_bps, stretch.arrived_bps)
            if found_bps <= rate_bps:
                self._wait(row, rate_bps, now)
                return None
            self._wait_s[row], self._factor[row] = FIRST_WAIT_S, BOLD
            self._due_at[row] = now
            self._doubted_bps[row] = rate_bps  # until the next says the same: what had piled up comes faster, too
            return min(found_bps, max(rate_bps, WORTHWHILE * float(self._goal_bps[row])))
        return self._on_slower(row, stretch, rate_bps, is_queued, now)

    def _on_slower(self, row: int, stretch: Stretch, rate_bps: float, is_queued: bool, now: float) -> float:
        """It carries what arrived. That lowers the estimate only where a queue stands, or packets arrived one after the
        other: else the remote was busy. By much, when it is said twice in a row, or takes back what was found before.
        """
        carries_bps, doubted_bps = SATURATED * stretch.arrived_bps, float(self._doubted_bps[row])
        later_s = stretch.steady_for_s * (1 - stretch.arrived_bps / stretch.sent_bps)
        is_lower = carries_bps < rate_bps and (is_queued or later_s > JITTERS_S)
        if carries_bps < rate_bps and not is_lower:
            self._due_at[row] = now + (FIRST_WAIT_S if doubted_bps == 0 else ASKS_AGAIN_S)
            return rate_bps
        self._doubted_bps[row] = 0
        if is_lower and doubted_bps == 0 and carries_bps < LOWERS_TO * rate_bps:
            self._doubted_bps[row] = carries_bps
            self._due_at[row] = now + ASKS_AGAIN_S
            self._factor[row] = CAREFUL
            return LOWERS_TO * rate_bps
        self._wait(row, rate_bps, now)
        return max(carries_bps, min(doubted_bps or rate_bps, rate_bps))

    def _wait(self, row: int, rate_bps: float, now: float) -> None:
        self._due_at[row] = now + self._wait_s[row]
        if (
            rate_bps >= LEAST_TRIED_BPS
        ):  # below, there is no picture at all: finding out has no patience, and costs little
            self._wait_s[row] = min(LONGEST_WAIT_S, LONGER * self._wait_s[row])
        self._factor[row] = CAREFUL
