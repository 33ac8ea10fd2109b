"""One Track on its way through one Slot, and what comes of the share that it gets.

share (sfu/core/allocation.py) ─► apply ─► plane.set_layer, key-frame wish
                                       └─► in a deep flood: nothing, until its key frame has room
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from sfu.context import Context
from sfu.control import LayerChanged, SubscriptionExplanation, SubscriptionStatistics
from sfu.core.allocation import Demand, LimitedBy, Share
from sfu.core.allowance import Allowance
from sfu.core.flooding import Flood
from sfu.core.ladder import Rung, surged
from sfu.core.layout import Picture, Rank, Wish
from sfu.core.quality.received import ReceivedQuality
from sfu.core.quality.score import Score
from sfu.core.types import Codec
from sfu.core.upstream import needed_layer
from sfu.plane.interface import SlotSpec
from sfu.scoring import received_frames, stream_quality
from sfu.wire.rtcp import ReportBlock

if TYPE_CHECKING:
    from sfu.endpoint import Endpoint
    from sfu.publishing import PublishedTrack
    from sfu.subscribing import Subscriber


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
        self.quality = ReceivedQuality(track.spec.kind, slot.spec.clock_rate, is_screen=track.is_screen)
        self.is_beyond_last_n = False
        self.needed_layer = needed_layer(track.layer_count, track.pixels, *self._limits)  # whatever it gets
        self._share = Share(None, LimitedBy.NOT_SENT)
        self._since = now
        self._wished_pixels: int | None = None
        self._stepped_at = -inf  # when bandwidth, or its return, last gave it another layer
        self._paused_at = -inf
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
    def costs_bps(self) -> int:
        """What it gets, by the prices that count now."""
        rung = self._share.rung
        return 0 if rung is None else self._priced((rung,))[0].bitrate_bps

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
            self.is_beyond_last_n = wish.beyond_last_n
            self._set_needed((pixels, self.max_layer), now)
        rank = Rank.GRID if wish is None else wish.rank
        most_pixels, most_frame_rate = self.subscriber.strain.most(rank, pixels)
        return Demand(
            subscription=self.number,
            kind=track.spec.kind,
            layer_count=track.layer_count,
            rungs=self._priced(rungs or ()),
            rank=rank,
            pixels=pixels,
            frame_rate=None if wish is None else wish.frame_rate,
            most_pixels=most_pixels,
            most_frame_rate=most_frame_rate,
            publisher_strained=track.is_strained,
            beyond_last_n=wish is not None and wish.beyond_last_n,
            audible=audible,
            muted=track.muted,
            decodable=rungs is not None,
            max_layer=self.max_layer,
            held=self.rung,
            may_rise=now - self._stepped_at >= self._context.config.step_up_after_s,
            may_exceed=now - self._paused_at >= self._context.config.exceed_again_after_s,
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
                self._paused_at = now
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
            of_layer = [rung.bitrate_bps for rung in self.track.rungs(now) if rung.layer == share.rung.layer]
            self.resumes_at = now + flood.room_after_s(max(of_layer, default=0))  # a key frame is whole with few frames
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
        if self.rung is None or self.resumes_at is not None:
            return  # it was stopped since; taken for what is sent, no key frame would be asked for when it goes on
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
            frames=received_frames(self.quality),
            quality=stream_quality(self.quality),
        )

    def assess(self, rtt_s: float | None, now: float) -> Score | None:
        """How well it gets to the subscriber, after its Track was looked at."""
        redundant = Codec.RED in self.slot.spec.payload_types and Codec.RED in self.track.codecs.values()
        score = self.quality.assess(self._share, self.track.quality, rtt_s, now, redundant=redundant)
        if self.quality.reported is not None:
            self.subscriber.on_losses(self.slot.number, self.quality.reported, self.quality.excused, now)
        return score

    def _priced(self, rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
        """By the prices that count now."""
        return surged(rungs, self.track.surges) if self.subscriber.pays_surges else rungs

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
            frames=received_frames(self.quality),
            quality=stream_quality(self.quality),
        )
