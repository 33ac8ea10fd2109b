"""What may be spent on one subscriber: the least of what its path carries, what it asked for, and what everybody gets.

estimate (sfu/core/estimation) ─► less what RTX takes ─┐
or REMB and reported loss, without transport-cc ───────┼─► bps ─► allocation, and RTX's own bound
`max_bps` of its layout, `budget_bps` of the Worker ───┘
`least_budget_bps` is spent in any case; beyond `enough_bps` only what it takes that everybody is seen
"""

from __future__ import annotations

from math import inf

from sfu.context import Context
from sfu.core.allocation import Allocation, spent_bps, sufficient_bps
from sfu.core.estimation.estimator import Estimate
from sfu.core.reported_loss import ReportedLoss, Totals
from sfu.wire.rtcp import ReportBlock

RECOVERY_LEAST = 0.1  # of the budget, for RTX, even when pictures take all of it: some loss is everywhere
RECOVERY_OF_REST = 0.5  # of what pictures leave
RECOVERY_CHANGES = 0.1  # RTX's bound follows when the budget has changed by so much


class Budget:
    def __init__(self, context: Context, transport: int) -> None:
        self.max_bps: int | None = None  # the subscriber's own wish
        self.everybody_bps = 0  # with which all that is to be seen is
        self._context = context
        self._transport = transport
        self._reported: tuple[int, float] | None = None  # by REMB: rate, and until when it is believed
        self._reported_loss = ReportedLoss()
        self._recovery_bps = 0.0
        most_bps = min(context.config.enough_bps, context.config.budget_bps)
        self._set_recovery(most_bps * context.config.recovery_share)

    @property
    def estimate(self) -> Estimate | None:
        return self._context.estimator.estimate(self._transport)

    def bps(self, now: float) -> int:
        estimate = self.estimate
        carried = inf if estimate is None else estimate.bps * (1 - estimate.lost_share)
        return int(min(max(carried, self._context.config.least_budget_bps), self._bound_bps(now)))

    def on_receiver_estimate(self, bitrate_bps: int, now: float) -> bool:
        """By REMB. Whether it counts: not beside our own estimate, which is younger."""
        if self.estimate is not None:
            return False
        self._reported = bitrate_bps, now + self._context.config.receiver_estimate_lasts_s
        return True

    def on_losses(self, slot: int, block: ReportBlock, excused: float, now: float) -> bool:
        """What the remote has reported last of one of its Slots, and which share of it is not its path's. Whether that
        changes what may be spent; not beside our own estimate."""
        if self.estimate is not None:
            return False
        octets = self._context.plane.transmission(slot).octets
        totals = Totals(block.packets_lost, block.highest_sequence, octets)
        return self._reported_loss.on_totals(slot, totals, excused, now)

    def forget_slot(self, slot: int) -> None:
        self._reported_loss.forget(slot)

    def on_allocation(self, allocation: Allocation, now: float) -> None:
        """What there would be use for is worth finding out about."""
        estimate, spent = self.estimate, spent_bps(allocation)
        if spent:
            self._context.estimator.expect_reports(self._transport, now)
        if estimate is not None:
            goal_bps = sufficient_bps(allocation) / max(0.5, 1 - estimate.lost_share)
            if goal_bps <= self._context.config.least_budget_bps:
                goal_bps = 0.0  # it is spent anyway
            self._context.estimator.set_goal(self._transport, min(goal_bps, self._bound_bps(now)), now)
        self.bound_recovery(spent, now)

    def bound_recovery(self, spent_on_pictures_bps: int, now: float) -> None:
        self._set_recovery(self._recovery_share_bps(spent_on_pictures_bps, now))

    def _bound_bps(self, now: float) -> float:
        reported_bps = self._reported[0] if self._reported is not None and now < self._reported[1] else inf
        asked_bps = inf if self.max_bps is None else self.max_bps
        passes_bps = self._reported_loss.bps if self.estimate is None else inf
        config = self._context.config
        enough_bps = max(config.enough_bps, self.everybody_bps, config.least_budget_bps)
        return min(reported_bps, passes_bps, asked_bps, config.budget_bps, enough_bps)

    def _recovery_share_bps(self, spent_on_pictures_bps: int, now: float) -> float:
        """What RTX may take. Answering every NACK of a congested path drowns it: after a fall, what is left of the
        budget is there to drain the queue, and most of what is asked for is of layers that nobody is sent any more."""
        budget_bps, estimate = self.bps(now), self.estimate
        most_bps = budget_bps * self._context.config.recovery_share
        if estimate is None:
            return most_bps
        left_bps = max(0, budget_bps - spent_on_pictures_bps)
        return min(most_bps, budget_bps * (RECOVERY_LEAST + estimate.lost_share) + RECOVERY_OF_REST * left_bps)

    def _set_recovery(self, wanted_bps: float) -> None:
        wanted_bps = max(1.0, wanted_bps)
        if abs(wanted_bps - self._recovery_bps) > RECOVERY_CHANGES * self._recovery_bps:
            self._recovery_bps = wanted_bps
            self._context.plane.set_recovery_rate(self._transport, wanted_bps)
