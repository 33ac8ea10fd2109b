"""The receiving side of one Transport: its Slots, and which layer the Subscriptions in them get.

what changed ─► reallocate_soon ─► what is shown (sfu/core/layout.py) ─► allocate (sfu/core/allocation.py)
             ─► differences ─► Subscription.apply (sfu/subscription.py)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from sfu.budget import Budget
from sfu.context import Context, next_round
from sfu.core.allocation import Allocation, Demand, LimitedBy, Share, allocate, least_bps, spent_bps
from sfu.core.errors import Refused
from sfu.core.flooding import DEEP_S, Flood, allocate_draining, flood
from sfu.core.flow import BITRATE_WINDOW_S
from sfu.core.layout import Layout, wishes
from sfu.core.strain import Strain
from sfu.core.types import Codec, Kind
from sfu.plane.interface import SlotSpec
from sfu.subscription import Slot, Subscription
from sfu.wire.rtcp import ReportBlock

if TYPE_CHECKING:
    from sfu.endpoint import Endpoint

CLOCK_RATES: Mapping[Kind, int] = {"audio": 48_000, "video": 90_000}


class Subscriber:
    """What one Transport receives."""

    def __init__(self, context: Context, endpoint: Endpoint) -> None:
        self.slots: dict[str, Slot] = {}
        self.slots_by_ssrc: dict[int, Slot] = {}
        self._context = context
        self.endpoint = endpoint
        self._ssrcs_ever: set[int] = set()
        self._slots_ever = 0
        self._layout = Layout()
        self._looks_at_rest = 0
        self._spent_at_rest_bps: int | None = None  # at the last look, if it was at rest then
        self.budget = Budget(context, endpoint.number)
        self.strain = Strain()
        self._surges_until = -inf
        self.pays_surges = False  # pictures are paid for by what they cost just now

    def subscriptions(self) -> list[Subscription]:
        return [slot.subscription for slot in self.slots.values() if slot.subscription is not None]

    def add_slot(
        self, number: int, id: str, mid: str, kind: Kind, payload_types: Mapping[Codec, tuple[int, int | None]]
    ) -> Slot:
        """Raises Refused."""
        config = self._context.config
        if len(self.slots) >= config.slots_per_transport or self._slots_ever >= config.slots_ever_per_transport:
            raise Refused("limit", "this Transport has as many Slots as it may")
        if any(slot.spec.mid == mid for slot in self.slots.values()):
            raise Refused("duplicate_mid", f"a Slot with mid {mid!r} exists")
        has_rtx = any(rtx is not None for _, rtx in payload_types.values())
        spec = SlotSpec(
            mid=mid,
            kind=kind,
            clock_rate=CLOCK_RATES[kind],
            ssrc=self._new_ssrc(),
            rtx_ssrc=self._new_ssrc() if has_rtx else None,
            payload_types=dict(payload_types),
            # In the lower half: a receiver that misses the first packets must not take 65535 -> 0 for a rollover.
            first_sequence_number=self._context.random.randrange(1, 1 << 15),
            first_timestamp=self._context.random.randrange(1 << 32),
        )
        self._context.plane.add_slot(number, self.endpoint.number, spec)
        slot = self.slots[id] = self.slots_by_ssrc[spec.ssrc] = Slot(number, id, self.endpoint, spec)
        self._slots_ever += 1
        return slot

    def configure_slot(self, slot: Slot, payload_types: Mapping[Codec, tuple[int, int | None]]) -> None:
        slot.spec = replace(slot.spec, payload_types=dict(payload_types))
        self._context.plane.set_payload_types(slot.number, payload_types)
        self.reallocate_soon()

    def forget_slot(self, slot: Slot) -> None:
        del self.slots[slot.id]
        del self.slots_by_ssrc[slot.spec.ssrc]
        self.budget.forget_slot(slot.number)

    def reallocate_soon(self) -> None:
        """Within this turn of the Worker."""
        self._looks_at_rest = 0
        self._context.deadlines.set(self, -inf)

    def on_estimate(self, now: float) -> None:
        """What its path carries has changed, as it does with every report of a path that is sent little. Who is at rest
        with that as well would be given the same again; only RTX has another bound then."""
        spent = self._spent_at_rest_bps
        if spent is None or not self._is_ample(spent, now):
            self.reallocate_soon()
        else:
            self.budget.bound_recovery(spent, now)

    def on_surge(self) -> None:
        """Something that it is sent costs far more than its price says, and that is on its path already."""
        if self._is_drowning():
            self.reallocate_soon()

    def on_timeout(self, now: float) -> None:
        if self._is_drowning():
            self._surges_until = now + 2 * BITRATE_WINDOW_S  # from then on prices say it themselves
        self.pays_surges = now < self._surges_until
        subscriptions = {subscription.number: subscription for subscription in self.subscriptions()}
        flooded = None
        if self.endpoint.is_connected:
            flooded = self._flood()
            demands = self._demands(now)
            self.budget.everybody_bps = least_bps(demands)
            budget_bps = self.budget.bps(now)
            if flooded is None:
                shares = allocate(budget_bps, demands)
            else:
                shares = allocate_draining(budget_bps, demands, flooded)
            self.budget.on_allocation(shares, now)
        else:
            # Not before: the key frame that is asked for now would be sent to nobody.
            shares = dict.fromkeys(subscriptions, Share(None, LimitedBy.NOT_CONNECTED))
        is_at_rest = self._is_at_rest(shares, now)
        self._spent_at_rest_bps = spent_bps(shares) if is_at_rest else None
        for number, share in shares.items():
            subscriptions[number].apply(share, now, flood=flooded)
        resumes_at = self._resume(now)
        self._looks_at_rest = self._looks_at_rest + 1 if is_at_rest else 0
        if subscriptions:
            config = self._context.config
            rests = self._looks_at_rest > config.allocation_looks_until_rest
            at = next_round(config.allocation_rest_s if rests else config.allocation_interval_s, now)
            self._context.deadlines.set(self, min(at, resumes_at))

    def _resume(self, now: float) -> float:
        """Those whose time has come. Returns when the next one's will have."""
        draining = [held for held in self.subscriptions() if held.resumes_at is not None]
        for subscription in draining:
            if subscription.resumes_at is not None and subscription.resumes_at <= now:
                subscription.resume(now)
        return min((held.resumes_at for held in draining if held.resumes_at is not None), default=inf)

    def _is_drowning(self) -> bool:
        estimate = self.budget.estimate
        return estimate is not None and estimate.queue_s > DEEP_S

    def _flood(self) -> Flood | None:
        """What is sent in any case is none."""
        estimate = self.budget.estimate
        if estimate is None:
            return None
        carried_bps = max(estimate.bps, self._context.config.least_budget_bps)
        subscriptions = self.subscriptions()
        held_bps = sum(held.costs_bps for held in subscriptions)
        drains = any(held.resumes_at is not None for held in subscriptions)
        return flood(held_bps, carried_bps, estimate.queue_s, drains=drains)

    def _is_at_rest(self, shares: Allocation, now: float) -> bool:
        """Nothing changes or is missing, and there is twice as much as is spent: bitrates drift, but not so far. Who
        only rests after a step is missing something, and waits for the moment."""
        for subscription in self.subscriptions():
            share, held = shares[subscription.number], subscription.rung
            if share.missing_bps or (share.rung is None) != (held is None):
                return False
            if share.limited_by in (LimitedBy.BANDWIDTH, LimitedBy.LAST_N):
                return False  # whom the last N are depends on who speaks
            if share.rung is not None and not share.rung.is_as(held):
                return False
        return self._is_ample(spent_bps(shares), now)

    def _is_ample(self, spent: int, now: float) -> bool:
        return 2 * spent <= self.budget.bps(now)

    def set_layout(self, layout: Layout, now: float) -> None:
        self._layout = layout
        self.budget.max_bps = layout.max_bps
        self.reallocate_soon()

    def on_told(self, overused: bool, now: float) -> None:
        """What its client says of its machine."""
        if self.strain.on_report(overused=overused, now=now):
            self.reallocate_soon()

    def on_audible_changed(self, subscription: Subscription, now: float) -> None:
        """Sound costs too little to ask what else there is."""
        if self.endpoint.is_connected:
            audible = subscription.number not in self._unheard()
            demand = subscription.demand(None, now, audible=audible)
            subscription.apply(allocate(0, (demand,))[subscription.number], now)

    def _unheard(self) -> set[int]:
        """Subscriptions to those who are too quiet, unless they are on stage here, or there are not so many."""
        subscriptions = self.subscriptions()
        sounds = [subscription for subscription in subscriptions if not subscription.is_video]
        if len(sounds) <= self._context.config.loudest:
            return set()
        tiles = self._layout.tiles or {}
        stage = {
            subscription.track.endpoint.participant
            for subscription in subscriptions
            if (tile := tiles.get(subscription.track.id)) is not None and tile.on_stage
        }
        return {s.number for s in sounds if s.track.is_quiet and s.track.endpoint.participant not in stage}

    def _demands(self, now: float) -> list[Demand]:
        """By priority."""
        subscriptions = self.subscriptions()
        videos = {subscription.number: subscription for subscription in subscriptions if subscription.is_video}
        pictures = [video.picture() for video in videos.values()]
        recent = self._context.recent_speakers.get(self.endpoint.room, ())
        unheard = self._unheard()
        sounds = [
            sound.demand(None, now, audible=sound.number not in unheard)
            for sound in subscriptions
            if not sound.is_video
        ]
        return sounds + [videos[wish.subscription].demand(wish, now) for wish in wishes(self._layout, pictures, recent)]

    def on_nack(self, media_ssrc: int, sequence_numbers: tuple[int, ...], now: float) -> None:
        slot = self.slots_by_ssrc.get(media_ssrc)
        if slot is None:
            return
        self._context.counters.nacks_received += len(sequence_numbers)
        self._context.plane.retransmit(slot.number, sequence_numbers, now)

    def on_losses(self, slot: int, block: ReportBlock, excused: float, now: float) -> None:
        """As it was reported of a Slot last, and how much of that never reached the server."""
        if self.budget.on_losses(slot, block, excused, now):
            self.reallocate_soon()

    def on_receiver_estimate(self, bitrate_bps: int, now: float) -> None:
        if self.budget.on_receiver_estimate(bitrate_bps, now):
            self.reallocate_soon()

    def on_picture_lost(self, media_ssrc: int, now: float) -> None:
        slot = self.slots_by_ssrc.get(media_ssrc)
        if slot is not None and slot.subscription is not None:
            slot.subscription.on_picture_lost(now)

    def close(self) -> None:
        self._context.deadlines.set(self, None)

    def _new_ssrc(self) -> int:
        """Never one that this Transport has had: under the same key, its packets would share nonces with new ones."""
        while True:
            ssrc = self._context.random.randrange(1, 1 << 32)
            if ssrc not in self._ssrcs_ever and ssrc != self.endpoint.ssrc:
                self._ssrcs_ever.add(ssrc)
                return ssrc
