"""What a path carries, from reported loss alone: of a remote that has nothing better to tell (GCC draft §6).

    each look     over 10 % lost ─► less by half of that share       under 2 % ─► 5 % more       between ─► the same

Loss comes after a full queue, so this is late and coarse; but without it, who reports neither arrivals nor an estimate
of its own is flooded for ever. A rate at which much was lost is tried again, but each time later: the pictures between
which it would go back and forth cost a key frame each. What never reached the server was not lost on this path, and is
taken out: so it is looked at together with quality, every two seconds, when that is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from sfu.core.quality.windows import beside

ACCEPTED = 0.02  # up to here nothing is wrong, and the rate may grow
CONGESTING = 0.10  # from here on it falls
GROWS = 1.05  # in each second
INTERVAL_S = 1.0  # at least, from one decision to the next: receivers report about once a second
SETTLES_S = (
    2.0  # after a fall: what was lost in a full queue shows behind it, in the next report. Lower: it counts twice
)
FEWEST_PACKETS = 20  # fewer say nothing: sound alone sends fifty a second
MOST_NEW = 1 << 15  # packets in one report: more, or fewer than none, are another stream's
LEAST_BPS = 250_000.0  # the smallest picture and sound. Lower: a path that loses a lot by itself shows nothing at all
BELOW_FAILED = 0.9  # of a rate at which much was lost, until it may be tried again
FIRST_HOLD_S, LONGEST_HOLD_S = 10.0, 160.0  # doubled each time


@dataclass(frozen=True, slots=True)
class Totals:
    """Of one Slot, as of one report block about it. `octets`: sent by then."""

    lost: int
    highest_number: int
    octets: int


class ReportedLoss:
    """Of one Transport. `bps` is infinite while nothing is known to be too much."""

    def __init__(self) -> None:
        self.bps = inf
        self._totals: dict[int, Totals] = {}  # by Slot, as reported last
        self._lost, self._all, self._octets = 0.0, 0, 0  # since the last decision
        self._counts_from: float | None = None
        self._failed_bps = inf
        self._hold_s = FIRST_HOLD_S
        self._held_until = -inf

    def on_totals(self, slot: int, totals: Totals, excused: float, now: float) -> bool:
        """`excused`: the share of packets that never reached the server. Whether `bps` changed."""
        if self._counts_from is None:
            self._counts_from = now
        if now > self._counts_from:
            self._add(self._totals.get(slot), totals, excused)
        self._totals[slot] = totals
        passed_s = now - self._counts_from
        if passed_s < INTERVAL_S or self._all < FEWEST_PACKETS:
            return False
        share, sent_bps, was_bps = min(1.0, self._lost / self._all), 8 * self._octets / passed_s, self.bps
        self._lost, self._all, self._octets = 0.0, 0, 0
        self._counts_from = now
        if share > CONGESTING:
            self._fall(share, sent_bps, now)
        elif share < ACCEPTED and self.bps < inf:
            most_bps = BELOW_FAILED * self._failed_bps if now < self._held_until else inf
            self.bps = max(self.bps, min(GROWS**passed_s * self.bps, most_bps))
        return self.bps != was_bps

    def forget(self, slot: int) -> None:
        self._totals.pop(slot, None)

    def _add(self, before: Totals | None, totals: Totals, excused: float) -> None:
        if before is None or not 0 < totals.highest_number - before.highest_number < MOST_NEW:
            return
        packets = totals.highest_number - before.highest_number
        self._lost += packets * beside(max(0, totals.lost - before.lost) / packets, excused)
        self._all += packets
        self._octets += totals.octets - before.octets

    def _fall(self, share: float, sent_bps: float, now: float) -> None:
        base_bps = min(self.bps, sent_bps)
        self.bps = min(self.bps, max(LEAST_BPS, base_bps * (1 - share / 2)))
        if now >= self._held_until:  # another attempt, and not the same one going on
            again = sent_bps >= BELOW_FAILED * self._failed_bps
            self._hold_s = min(LONGEST_HOLD_S, 2 * self._hold_s) if again else FIRST_HOLD_S
            self._failed_bps = sent_bps
        self._held_until = now + self._hold_s
        self._counts_from = now + SETTLES_S
