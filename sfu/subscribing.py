"""The receiving side of one Transport: its Slots, the Subscriptions in them, and which layer each gets.

what changed ─► reallocate_soon ─► what is shown (sfu/core/layout.py) ─► allocate (sfu/core/allocation.py)
             ─► differences ─► plane.set_layer, key-frame wish
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from sfu.budget import Budget
from sfu.context import Context, next_round
from sfu.control import LayerChanged, SubscriptionExplanation, SubscriptionStatistics
from sfu.core.allocation import Allocation, Demand, LimitedBy, Share, allocate, spent_bps
from sfu.core.allowance import Allowance
from sfu.core.errors import Refused
from sfu.core.flooding import Flood, allocate_draining, flood
from sfu.core.ladder import Rung
from sfu.core.layout import Layout, Picture, Rank, Wish, wishes
from sfu.core.quality.received import ReceivedQuality
from sfu.core.quality.score import Score
from sfu.core.types import Codec, Kind
from sfu.core.upstream import needed_layer
from sfu.plane.interface import SlotSpec
from sfu.scoring import stream_quality
from sfu.wire.rtcp import ReportBlock

if TYPE_CHECKING:
    from sfu.endpoint import Endpoint
    from sfu.publishing import PublishedTrack

CLOCK_RATES: Mapping[Kind, int] = {"audio": 48_000, "video": 90_000}


class Slot:
    """A receive position: its SSRCs stay the same whatever it carries."""

    def __init__(self, number: int, id: str, endpoint: Endpoint, spec: SlotSpec) -> None:
        self.number = number
        self.id = id
        self.endpoint = endpoint
        self.spec = spec
        self.subscription: Subscription | None = None

    def takes(self, codec: Codec | None) -> bool:
        """What is not known is let through: the plane knows each packet's. RED is stripped where it is not taken."""
        payload_types = self.spec.payload_types
        return codec is None or codec in payload_types or (codec is Codec.RED and Codec.OPUS in payload_types)

    def on_report(self, block: ReportBlock) -> None:
        """How it gets to the subscriber."""
        if self.subscription is not None:
            self.subscription.quality.on_report(block)


class Subscription:
    """One Track on its way through one Slot."""

    def __init__(
        self,
        context: Context,
        number: int,
        id: str,
        slot: Slot,
        track: PublishedTrack,
        max_layer: int | None,
        now: float,
    ) -> None:
        self.number = number
        self.id = id
        self.slot = slot
        self.track = track
        self.is_video = track.spec.kind == "video"
        self.max_layer = max_layer
        self.current_layer: int | None = None
        self._limits: tuple[int | None, int | None] = (None, max_layer)
        self.quality = ReceivedQuality(track.spec.kind, slot.spec.clock_rate)
        self.needed_layer = needed_layer(track.layer_count, track.pixels, *self._limits)  # whatever it gets
        self._share = Share(None, LimitedBy.NOT_SENT)
        self._since = now
        self._wished_pixels: int | None = None
        self._stepped_at = -inf  # when bandwidth, or its return, last gave it another layer
        self.resumes_at: float | None = None  # nothing is sent until then, and no key frame asked for
        self._context = context
        self._sent_before = context.plane.transmission(slot.number)
        self._key_frames = Allowance(
            context.config.key_frames_per_subscriber_s, context.config.key_frames_per_subscriber_burst
        )

    @property
    def subscriber(self) -> Subscriber:
        return self.slot.endpoint.subscriber

    @property
    def share(self) -> Share:
        return self._share

    @property
    def rung(self) -> Rung | None:
        """What the plane was told."""
        return self._share.rung

    @property
    def wanted_layer(self) -> int | None:
        rung = self._share.rung
        return None if rung is None else rung.layer

    @property
    def awaited_layer(self) -> int | None:
        """The video layer whose next key frame this waits for."""
        wanted = self.wanted_layer
        return wanted if self.is_video and wanted != self.current_layer and self.resumes_at is None else None

    def picture(self) -> Picture:
        return Picture(self.number, self.track.id, self.track.endpoint.participant, self.track.is_screen)

    def demand(self, wish: Wish | None, now: float, *, audible: bool = True) -> Demand:
        """`wish`: of the subscriber's layout, for video."""
        track = self.track
        rungs = track.rungs_for(self.slot, now)
        pixels = None if wish is None else wish.pixels
        if pixels != self._wished_pixels:
            self._wished_pixels = pixels
            self._stepped_at = -inf  # what is shown larger now need not wait for anything
        if wish is not None:  # decodable or not: of a Track that nobody lets be sent, no other codec would be seen
            self._set_needed((pixels, self.max_layer), now)
        return Demand(
            subscription=self.number,
            kind=track.spec.kind,
            layer_count=track.layer_count,
            rungs=rungs or (),
            rank=Rank.GRID if wish is None else wish.rank,
            pixels=pixels,
            frame_rate=None if wish is None else wish.frame_rate,
            beyond_last_n=wish is not None and wish.beyond_last_n,
            audible=audible,
            muted=track.muted,
            decodable=rungs is not None,
            max_layer=self.max_layer,
            held=self.rung,
            may_rise=now - self._stepped_at >= self._context.config.step_up_after_s,
        )

    def apply(self, share: Share, now: float, *, flood: Flood | None = None) -> None:
        """In a deep `flood` a step down does not wait for the lower layer's key frame: that would have to queue up
        behind pictures of which none arrives whole."""
        before, was_limited_by = self.rung, self._share.limited_by
        if share.limited_by is not was_limited_by or (share.rung is None) != (before is None):
            self._since = now
        self._share = share
        if share.rung is None:
            self.resumes_at = None
            if share.limited_by is LimitedBy.BANDWIDTH:
                self._stepped_at = now
            if before is not None:
                self.current_layer = None
                self._context.plane.set_layer(self.slot.number, None)
            return
        if share.rung.is_as(before):
            return
        self._since = now
        if before is not None and LimitedBy.BANDWIDTH in (was_limited_by, share.limited_by):
            self._stepped_at = now
        is_lower = self.current_layer is not None and share.rung.layer < self.current_layer
        if flood is not None and flood.is_deep and is_lower:
            self.current_layer = None
            self._context.plane.set_layer(self.slot.number, None)
            self.resumes_at = now + flood.room_after_s(share.rung.bitrate_bps)
        if self.resumes_at is not None:
            return
        look_back = (now - self._context.config.look_back_s, now) if before is None and not self.is_video else None
        self._context.plane.set_layer(self.slot.number, *share.rung.limits, look_back=look_back)
        if self.awaited_layer is not None:
            self.track.on_wish(self.awaited_layer, now)
            if self.awaited_layer > (self.current_layer or 0):
                self._context.estimator.expect_burst(self.slot.endpoint.number, now)
        elif before is not None and share.rung.is_wider_than(before):
            self.track.on_wish(share.rung.layer, now)  # it joins at a key frame, mostly
            self._context.estimator.expect_burst(self.slot.endpoint.number, now)

    def resume(self, now: float) -> None:
        """With what it got last."""
        self.resumes_at = None
        if self.rung is not None:
            self._context.plane.set_layer(self.slot.number, *self.rung.limits)
            self.track.on_wish(self.rung.layer, now)

    def on_switched(self, layer: int, timestamp: int, now: float) -> None:
        self.current_layer = layer
        if layer == self.wanted_layer and self._stepped_at == self._since:
            self._stepped_at = self._since = now  # from now on it is seen
        self._context.notify(LayerChanged(subscription=self.id, layer=layer, timestamp=timestamp))

    def on_layer_restarted(self, layer: int) -> None:
        """It comes under a new SSRC, from a new encoder: what was sent of it cannot be continued."""
        if self.current_layer == layer:
            self.current_layer = None

    def on_picture_lost(self, now: float) -> None:
        """The subscriber cannot decode. What is asked for already costs nothing more; a new key frame does."""
        self._context.counters.key_frame_wishes += 1
        layer = self.wanted_layer if self.current_layer is None else self.current_layer
        if layer is None or self.track.is_wished(layer) or self.resumes_at is not None:
            return
        if self.current_layer is not None:
            self.quality.on_picture_lost()
        if self._key_frames.take(1, now):
            self.track.on_wish(layer, now)
        else:
            self._context.counters.key_frame_wishes_refused += 1

    def explain(self, now: float) -> SubscriptionExplanation:
        share = self._share
        awaits = self.awaited_layer is not None and share.limited_by is not LimitedBy.NOT_SENT
        return SubscriptionExplanation(
            subscription=self.id,
            track=self.track.id,
            reason="key_frame" if awaits else share.limited_by.value,
            since_s=now - self._since,
            layer=self.current_layer,
            wanted_layer=self.wanted_layer,
            ideal_layer=None if share.ideal is None else share.ideal.layer,
            frame_rate=None if share.rung is None or share.rung.temporal_id is None else share.rung.frame_rate,
            bitrate_bps=0 if share.rung is None else share.rung.bitrate_bps,
            missing_bps=share.missing_bps,
            tile_pixels=self._wished_pixels,
            quality=stream_quality(self.quality),
        )

    def assess(self, rtt_s: float | None, now: float) -> Score | None:
        """How well it gets to the subscriber, after its Track was looked at."""
        redundant = Codec.RED in self.slot.spec.payload_types and Codec.RED in self.track.codecs.values()
        return self.quality.assess(self._share, self.track.quality, rtt_s, now, redundant=redundant)

    def _set_needed(self, limits: tuple[int | None, int | None], now: float) -> None:
        """Pixels and layer, at most."""
        if limits != self._limits:
            self._limits = limits
            self.needed_layer = needed_layer(self.track.layer_count, self.track.pixels, *limits)
            self.track.on_needed(now)

    def statistics(self) -> SubscriptionStatistics:
        sent, before = self._context.plane.transmission(self.slot.number), self._sent_before
        return SubscriptionStatistics(
            subscription=self.id,
            track=self.track.id,
            layer=self.current_layer,
            wanted_layer=self.wanted_layer,
            reason=self._share.limited_by.value,
            packets=sent.packets - before.packets,
            octets=sent.octets - before.octets,
            retransmitted=sent.retransmitted - before.retransmitted,
            quality=stream_quality(self.quality),
        )


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

    def on_timeout(self, now: float) -> None:
        subscriptions = {subscription.number: subscription for subscription in self.subscriptions()}
        flooded = None
        if self.endpoint.is_connected:
            flooded = self._flood()
            spend = allocate if flooded is None else allocate_draining
            shares = spend(self.budget.bps(now), self._demands(now))
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

    def _flood(self) -> Flood | None:
        """What is sent in any case is none."""
        estimate = self.budget.estimate
        if estimate is None:
            return None
        carried_bps = max(estimate.bps, self._context.config.least_budget_bps)
        held_bps = sum(held.rung.bitrate_bps for held in self.subscriptions() if held.rung is not None)
        return flood(held_bps, carried_bps, estimate.queue_s)

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
