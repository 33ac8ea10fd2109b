"""One published Track inside a Worker: routes what the plane sees of it to the machines of `core`, and their wishes
to the plane as RTCP.

    SsrcLearned ─► layers, flow          GapSeen ─► MissingPackets ─► NACK
    KeyFrameReceived, wishes of Subscriptions ─► KeyFrameRequests ─► PLI
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sfu.context import Context, next_round
from sfu.control import LayerStatistics, LayersWanted, TrackStatistics
from sfu.core.flow import TrackFlow
from sfu.core.keyframes import KeyFrameRequests
from sfu.core.ladder import Rung, assumed_pixels, ladder, stripped
from sfu.core.nack import MissingPackets
from sfu.core.quality.published import Expected, PublishedQuality
from sfu.core.types import Codec
from sfu.core.upstream import Upstream, warm_layer
from sfu.plane.interface import TrackSpec
from sfu.scoring import stream_quality
from sfu.wire.feedback import Nack, PictureLossIndication

if TYPE_CHECKING:
    from sfu.endpoint import Endpoint
    from sfu.subscription import Slot, Subscription
    from sfu.tapping import Tap

# Numbers per NACK packet: each may need its own four bytes.
NUMBERS_PER_NACK = 250
# Less than this many times its price is what bitrates swing by.
SURGE = 1.3


class PublishedLayer:
    """One layer under one SSRC; a new SSRC makes a new one."""

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.missing = MissingPackets()


class PublishedTrack:
    """`is_screen`: a screen that is shared, or its sound. `pixels`: of its best layer, if its publisher says so."""

    def __init__(
        self,
        context: Context,
        number: int,
        id: str,
        endpoint: Endpoint,
        spec: TrackSpec,
        *,
        is_screen: bool = False,
        pixels: int | None = None,
    ) -> None:
        self.number = number
        self.id = id
        self.endpoint = endpoint
        self.spec = spec
        self.layer_count = max(1, len(spec.rids))
        self.is_screen = is_screen
        self.pixels = pixels or assumed_pixels(self.layer_count, is_screen=is_screen)
        self.muted = False
        self.is_quiet = False  # others in the room are louder
        self.is_strained = False  # by its publisher's word: its encoder cannot keep up
        self.layers: dict[int, PublishedLayer] = {}
        self.codecs: dict[int, Codec] = {}  # as each layer came last
        self.subscriptions: dict[int, Subscription] = {}
        self.taps: dict[str, Tap] = {}  # by sink
        self.flow = TrackFlow(context.config.layer_stopped_after_s, context.config.layer_steady_after_s)
        self.quality = PublishedQuality(spec.kind, self.clock_rate)
        self._key_frames = KeyFrameRequests(context.config.key_frame_spacing_s)
        self._upstream = Upstream(self.layer_count, context.config.pause_layers_after_s)
        self._context = context
        self.surges: dict[int, float] = {}  # times its price a layer costs just now, if clearly more
        self._usable: frozenset[int] = frozenset()
        self._rungs: tuple[Rung, ...] | None = None
        self._observe_at: float | None = None

    @property
    def announced_codecs(self) -> frozenset[Codec]:
        """Publishers negotiate several, and send one of them."""
        return frozenset(form.codec for form in self.spec.formats if form.repairs is None)

    @property
    def clock_rate(self) -> int:
        return self.spec.formats[0].clock_rate

    def rungs(self, now: float) -> tuple[Rung, ...]:
        """What it can be forwarded as now, ascending. The same for all subscribers, until the next look at its flow."""
        if self._rungs is None:
            self._rungs = ladder(self.flow.layers(now), self.layer_count, self.pixels, is_screen=self.is_screen)
        return self._rungs

    def rungs_for(self, slot: Slot, now: float) -> tuple[Rung, ...] | None:
        """Those of `rungs` that this subscriber can decode. `None`: it can decode nothing of what comes; nor, while
        nothing comes, of what came last or was announced."""
        rungs = self.rungs(now)
        if rungs:
            taken = [rung for rung in rungs if slot.takes(self.codecs.get(rung.layer))]
            return tuple(stripped(rung) if self._is_stripped_for(slot, rung.layer) else rung for rung in taken) or None
        return () if any(slot.takes(codec) for codec in self.codecs.values() or self.announced_codecs) else None

    def _is_stripped_for(self, slot: Slot, layer: int) -> bool:
        return self.codecs.get(layer) is Codec.RED and Codec.RED not in slot.spec.payload_types

    def on_ssrc(self, layer: int, ssrc: int, now: float) -> None:
        """The plane knows this layer's SSRC (or its new one)."""
        known = self.layers.get(layer)
        if known is None or known.ssrc != ssrc:
            self.layers[layer] = PublishedLayer(ssrc)
            self._key_frames.on_resumed(layer)
            for subscription in self.subscriptions.values():
                subscription.on_layer_restarted(layer)
        self.observe(now)

    def on_key_frame(self, layer: int, now: float) -> None:
        self._key_frames.on_key_frame(layer)
        if layer in self.layers:
            self.layers[layer].missing.on_key_frame(now)
        for subscription in self.subscriptions.values():
            if layer in (subscription.current_layer, subscription.wanted_layer):
                self._context.estimator.on_burst(subscription.slot.endpoint.number, now)
        for tap in self.taps.values():
            tap.on_key_frame(layer)
        self._touch()

    def on_gap(self, layer: int, first: int, last: int, now: float) -> None:
        """Only layers that somebody receives are worth the publisher's uplink."""
        if layer in self.layers and self._is_used(layer):
            self.layers[layer].missing.on_gap(first, last, now)
            self._touch()

    def on_wish(self, layer: int, now: float) -> None:
        """Somebody needs a key frame of this layer. Ignored where nobody could answer."""
        if self.spec.kind == "video" and not self.muted and layer in self.layers:
            self._key_frames.wish(layer, now)
            self._touch()

    def is_wished(self, layer: int) -> bool:
        return self._key_frames.is_wished(layer)

    def set_muted(self, muted: bool) -> None:
        self.muted = self.flow.muted = muted
        if muted:
            self._key_frames.withdraw()
        else:
            for layer in self.layers:
                self._key_frames.on_resumed(layer)
        self._touch()
        self.reallocate_subscribers()

    def set_quiet(self, is_quiet: bool, now: float) -> None:
        self.is_quiet = is_quiet
        for subscription in self.subscriptions.values():
            subscription.subscriber.on_audible_changed(subscription, now)

    def on_needed(self, now: float) -> None:
        """Somebody shows it larger or smaller than before, or not any more."""
        if self.spec.kind == "audio":
            return
        before = self._upstream.best_layer
        shown = [subscription.needed_layer for subscription in self.subscriptions.values()]
        shown += [tap.needed_layer for tap in self.taps.values()]
        is_beyond = any(subscription.is_beyond_last_n for subscription in self.subscriptions.values())
        recent = self._context.recent_speakers.get(self.endpoint.room, ())
        shown.append(warm_layer(self.endpoint.participant, recent, is_beyond_last_n=is_beyond))
        self._upstream.on_wanted(max(shown), now)
        self._upstream.on_timeout(now)
        best_layer = self._upstream.poll()
        if best_layer is not None:
            # What was paused is silent, and must not be waited for until it is seen again.
            self.flow.on_resumed(before)
            self._rungs = None
            self._context.notify(LayersWanted(transport=self.endpoint.id, track=self.id, best_layer=best_layer))
        self._touch()

    def observe(self, now: float) -> None:
        """Look at which layers flow; wish again for whoever still waits for a key frame."""
        receptions = self._context.plane.reception(self.number)
        self.flow.on_reception(receptions, now)
        self._rungs = None
        codecs = {each.layer: each.codec for each in receptions if each.codec is not None}
        before, usable = self._usable, frozenset(layer.layer for layer in self.flow.layers(now) if layer.usable)
        for layer in usable - before:
            self._key_frames.on_resumed(layer)
        self._usable = usable
        if self.spec.kind == "video":
            surges = {layer: self.flow.surge(layer) for layer in usable}
            self.surges = {layer: surge for layer, surge in surges.items() if surge >= SURGE}
            self._tell_of_surges()
        if usable != before or codecs != self.codecs:
            self.codecs = codecs
            self.reallocate_subscribers()
        if self.spec.kind == "video":
            self._wish_again(codecs, now)
        for tap in self.taps.values():
            tap.observe(now)
        self.on_needed(now)
        self._observe_at = next_round(self._context.config.flow_interval_s, now)
        self._touch()

    def _tell_of_surges(self) -> None:
        for subscription in self.subscriptions.values():
            if subscription.current_layer in self.surges:
                subscription.subscriber.on_surge()

    def _wish_again(self, codecs: Mapping[int, Codec], now: float) -> None:
        """What somebody waits for may have given up, or not have flowed before."""
        for subscription in self.subscriptions.values():
            awaited = subscription.awaited_layer
            if awaited is not None and self.flow.flows(awaited) and subscription.slot.takes(codecs.get(awaited)):
                self.on_wish(awaited, now)

    def forget_subscription(self, subscription: Subscription) -> None:
        del self.subscriptions[subscription.number]
        self._withdraw_if_unused()

    def tap(self, tap: Tap, now: float) -> None:
        self.taps[tap.sink.id] = tap
        tap.observe(now)
        self.on_needed(now)

    def forget_tap(self, sink: str) -> None:
        del self.taps[sink]
        self._withdraw_if_unused()

    def _withdraw_if_unused(self) -> None:
        if not self.subscriptions and not self.taps:
            self._key_frames.withdraw()
            self._touch()

    def reallocate_subscribers(self) -> None:
        for subscription in self.subscriptions.values():
            subscription.subscriber.reallocate_soon()

    def on_timeout(self, now: float) -> None:
        if self._observe_at is not None and self._observe_at <= now:
            self.observe(now)
        for index, layer in self.layers.items():
            at = layer.missing.next_timeout()
            if at is not None and at <= now:
                self._recover(index, layer, now)
        wished = self._key_frames.due(now)
        if wished is not None and wished in self.layers:
            request = PictureLossIndication(self.endpoint.ssrc, self.layers[wished].ssrc)
            self._send(request.pack(), now)
            self._context.counters.key_frame_requests += 1
        self._touch()

    def close(self) -> None:
        self._context.deadlines.set(self, None)

    def assess(self, rtt_s: float | None, now: float) -> None:
        """How well it gets here, as `quality` says from now on."""
        flowing = frozenset(layer.layer for layer in self.flow.layers(now) if layer.flows)
        expected = Expected(self.muted, self.is_screen, self._asked_layer, flowing)
        self.quality.assess(self._context.plane.reception(self.number), expected, rtt_s, now)

    @property
    def _asked_layer(self) -> int:
        """The best that its publisher is asked to send. Sound is never paused."""
        return self._upstream.best_layer if self.spec.kind == "video" else 0

    def statistics(self, now: float) -> TrackStatistics:
        layers = [
            LayerStatistics(
                layer=reception.layer,
                rid=self.spec.rids[reception.layer] if self.spec.rids else "",
                ssrc=reception.ssrc,
                packets=reception.packets,
                bytes=reception.bytes,
                lost=reception.highest_sequence_number - reception.first_sequence_number + 1 - reception.packets,
                jitter_s=reception.jitter / self.clock_rate,
                bitrate_bps=0 if self.muted else self.flow.bitrate_bps(reception.layer),
                active=self.flow.flows(reception.layer),
                frames=reception.frames,
                freezes=reception.freezes,
                frozen_s=reception.frozen_s,
            )
            for reception in self._context.plane.reception(self.number)
        ]
        return TrackStatistics(
            track=self.id,
            layers=layers,
            asked_layer=self._asked_layer,
            key_frame_requests=self._key_frames.sent,
            quality=stream_quality(self.quality),
        )

    def _recover(self, index: int, layer: PublishedLayer, now: float) -> None:
        due = layer.missing.due(now)
        still_missing = self._context.plane.missing(self.number, index, due) if self._is_used(index) else []
        before = layer.missing.abandoned
        patient = any(index in tap.layers for tap in self.taps.values())
        recovery = layer.missing.on_checked(due, still_missing, self.endpoint.rtt_s, now, patient=patient)
        self._context.counters.packets_abandoned += layer.missing.abandoned - before
        self._context.counters.nacks_sent += len(recovery.ask)
        for start in range(0, len(recovery.ask), NUMBERS_PER_NACK):
            numbers = [number & 0xFFFF for number in recovery.ask[start : start + NUMBERS_PER_NACK]]
            self._send(Nack(self.endpoint.ssrc, layer.ssrc, tuple(numbers)).pack(), now)
        if recovery.abandoned:
            self.on_wish(index, now)

    def _is_used(self, layer: int) -> bool:
        if any(layer in tap.layers for tap in self.taps.values()):
            return True
        return any(layer in (s.current_layer, s.wanted_layer) for s in self.subscriptions.values())

    def _send(self, packet: bytes, now: float) -> None:
        self._context.plane.send_rtcp(self.endpoint.number, packet, now)

    def _touch(self) -> None:
        deadlines: Sequence[float | None] = [
            self._observe_at,
            self._key_frames.next_timeout(),
            *(layer.missing.next_timeout() for layer in self.layers.values()),
        ]
        self._context.deadlines.set(self, min((at for at in deadlines if at is not None), default=None))
