"""Carries out signaling's Commands: checks, changes the registry and the plane, answers.

Every Command is answered at once and by exactly one Reply. What is wrong with it is `Refused` with a stable code:
unknown_…, duplicate_…, limit, other_room, slot_taken, kind_mismatch, no_common_codec, bad_layers, bad_formats,
bad_size, bad_subject.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from sfu.context import Context
from sfu.control import (
    AddSlot,
    AddTrack,
    AnyCommand,
    AnyReply,
    CloseMessages,
    CloseSink,
    CloseTransport,
    ConfigureSlot,
    ConnectTransport,
    Describe,
    Description,
    Done,
    DrainMessages,
    Explain,
    Explanation,
    IceParameters,
    LimitLayer,
    Load,
    Metrics,
    OpenMessages,
    OpenSink,
    OpenTransport,
    PermitMessages,
    ReadLoad,
    ReadMetrics,
    ReadStatistics,
    RemoveSlot,
    RemoveTrack,
    ReportReception,
    RestartIce,
    SayMessage,
    SendMessage,
    SetLayout,
    SetTrackMuted,
    SetTrackStrained,
    SlotAdded,
    Statistics,
    Subscribe,
    TapTrack,
    TrackTapped,
    TransportOpened,
    Unsubscribe,
    UntapTrack,
)
from sfu.core.errors import Refused
from sfu.core.layout import Layout, Tile
from sfu.core.types import SOUND_CODECS, Codec, Kind, MessageChannel, PayloadFormat
from sfu.endpoint import Endpoint
from sfu.metrics import WorkerCollector, families
from sfu.net.transports import Transports
from sfu.plane.interface import TrackSpec
from sfu.registry import Registry
from sfu.subscribing import CLOCK_RATES
from sfu.subscription import Subscription
from sfu.wire.errors import MalformedMessage
from sfu.wire.message import parse_sent


class Commands:
    def __init__(self, context: Context, registry: Registry, transports: Transports) -> None:
        self._context = context
        self._registry = registry
        self._transports = transports
        self._actions: dict[type[Any], Callable[[Any, float], AnyReply]] = {
            OpenTransport: self._open_transport,
            ConnectTransport: self._connect_transport,
            RestartIce: self._restart_ice,
            CloseTransport: self._close_transport,
            PermitMessages: self._permit_messages,
            SendMessage: self._send_message,
            OpenMessages: self._open_messages,
            SayMessage: self._say_message,
            DrainMessages: self._drain_messages,
            CloseMessages: self._close_messages,
            AddTrack: self._add_track,
            RemoveTrack: self._remove_track,
            SetTrackMuted: self._set_track_muted,
            AddSlot: self._add_slot,
            ConfigureSlot: self._configure_slot,
            RemoveSlot: self._remove_slot,
            Subscribe: self._subscribe,
            LimitLayer: self._limit_layer,
            Unsubscribe: self._unsubscribe,
            SetLayout: self._set_layout,
            ReportReception: self._report_reception,
            SetTrackStrained: self._set_track_strained,
            OpenSink: self._open_sink,
            TapTrack: self._tap_track,
            UntapTrack: self._untap_track,
            CloseSink: self._close_sink,
            Explain: self._explain,
            ReadStatistics: self._read_statistics,
            Describe: self._describe,
            ReadLoad: self._read_load,
            ReadMetrics: self._read_metrics,
        }

    def execute(self, command: AnyCommand, now: float) -> AnyReply:
        """Raises Refused."""
        return self._actions[type(command)](command, now)

    # Transports

    def _open_transport(self, command: OpenTransport, now: float) -> AnyReply:
        _refuse_duplicate(command.transport, self._registry.endpoints, "transport")
        if len(self._registry.endpoints) >= self._context.config.transports:
            raise Refused("limit", "this Worker has as many Transports as it may")
        number = self._registry.next_number()
        ice = self._transports.open(number, now)
        endpoint = Endpoint(self._context, number, command.transport, command.room, command.participant)
        self._registry.add_endpoint(
            endpoint,
            may_send_messages=command.may_send_messages,
            keeps_messages=command.keeps_messages,
            replays_messages=command.replays_messages,
        )
        self._registry.assessing.start(endpoint, now)
        return self._opened(command.call, number, ice)

    def _connect_transport(self, command: ConnectTransport, now: float) -> AnyReply:
        endpoint = self._registry.endpoint(command.transport)
        self._transports.connect(endpoint.number, command.remote, now)
        endpoint.on_negotiated(command.remote.receive_extensions, now)
        if command.remote.send_extensions.transport_cc != 0:
            self._registry.estimating.start(endpoint, now)
        return Done(call=command.call)

    def _restart_ice(self, command: RestartIce, now: float) -> AnyReply:
        number = self._registry.endpoint(command.transport).number
        return self._opened(command.call, number, self._transports.restart_ice(number, now))

    def _close_transport(self, command: CloseTransport, now: float) -> AnyReply:
        endpoint = self._registry.endpoint(command.transport)
        self._registry.remove_endpoint(endpoint)
        self._transports.close(endpoint.number)
        return Done(call=command.call)

    def _permit_messages(self, command: PermitMessages, now: float) -> AnyReply:
        if command.transport in self._registry.correspondents:
            self._registry.correspondents.permit(command.transport, command.may_send_messages)
        else:
            number = self._registry.endpoint(command.transport).number
            self._registry.messages.permit(number, may_send=command.may_send_messages)
        return Done(call=command.call)

    def _send_message(self, command: SendMessage, now: float) -> AnyReply:
        try:
            message = parse_sent(command.frame)
        except MalformedMessage as error:
            raise Refused("malformed", str(error)) from error
        self._registry.messages.post(command.room, "", MessageChannel(command.channel), message, now)
        return Done(call=command.call)

    def _open_messages(self, command: OpenMessages, now: float) -> AnyReply:
        self._registry.correspondents.open(command, self._registry.endpoints, now)
        return Done(call=command.call)

    def _say_message(self, command: SayMessage, now: float) -> AnyReply:
        self._registry.correspondents.say(command, now)
        return Done(call=command.call)

    def _drain_messages(self, command: DrainMessages, now: float) -> AnyReply:
        self._registry.correspondents.drain(command)
        return Done(call=command.call)

    def _close_messages(self, command: CloseMessages, now: float) -> AnyReply:
        self._registry.correspondents.close(command.correspondent)
        return Done(call=command.call)

    def _opened(self, call: int, number: int, ice: IceParameters) -> AnyReply:
        return TransportOpened(
            call=call,
            ice=ice,
            fingerprints=self._transports.fingerprints(number),
            candidates=list(self._transports.candidates),
        )

    # Publishing

    def _add_track(self, command: AddTrack, now: float) -> AnyReply:
        endpoint = self._registry.endpoint(command.transport)
        config = self._context.config
        _refuse_duplicate(command.track, self._registry.tracks, "track")
        if len(endpoint.tracks) >= config.tracks_per_transport:
            raise Refused("limit", "this Transport publishes as many Tracks as it may")
        if any(track.spec.mid == command.mid for track in endpoint.tracks.values()):
            raise Refused("duplicate_mid", f"a Track with mid {command.mid!r} exists")
        if len(command.rids) > config.layers_per_track or len(set(command.rids)) < len(command.rids):
            raise Refused("bad_layers", f"rids are at most {config.layers_per_track}, and different")
        if len(command.formats) > config.formats_per_track or not _are_formats_of(command.kind, command.formats):
            raise Refused("bad_formats", f"no formats, too many, or not of {command.kind}")
        spec = TrackSpec(command.mid, command.kind, tuple(command.formats), tuple(command.rids))
        if command.pixels is not None and not 0 < command.pixels <= config.pixels_per_picture:
            raise Refused("bad_size", f"pictures have 1 to {config.pixels_per_picture} pixels")
        track = self._registry.add_track(
            command.track, endpoint, spec, is_screen=command.is_screen, pixels=command.pixels
        )
        # Without rids a Track has one layer; further groups are another's leftovers (Firefox lists old senders).
        for group in command.ssrcs[:1] if not command.rids else []:
            self._context.plane.announce_ssrc(track.number, 0, group.ssrc, rtx=False)
            if group.rtx_ssrc is not None:
                self._context.plane.announce_ssrc(track.number, 0, group.rtx_ssrc, rtx=True)
        return Done(call=command.call)

    def _remove_track(self, command: RemoveTrack, now: float) -> AnyReply:
        self._registry.remove_track(self._registry.track(command.track))
        return Done(call=command.call)

    def _set_track_muted(self, command: SetTrackMuted, now: float) -> AnyReply:
        track = self._registry.track(command.track)
        if track.muted != command.muted:
            track.set_muted(command.muted)
            if command.muted:
                self._registry.listening.on_muted(track, now)
            else:
                self._registry.listening.on_flowing(track, now)
        return Done(call=command.call)

    def _set_track_strained(self, command: SetTrackStrained, now: float) -> AnyReply:
        track = self._registry.track(command.track)
        if track.is_strained != command.strained:
            track.is_strained = command.strained
            track.reallocate_subscribers()
        return Done(call=command.call)

    # Subscribing

    def _add_slot(self, command: AddSlot, now: float) -> AnyReply:
        endpoint = self._registry.endpoint(command.transport)
        _refuse_duplicate(command.slot, self._registry.slots, "slot")
        slot = endpoint.subscriber.add_slot(
            self._registry.next_number(), command.slot, command.mid, command.kind, command.payload_types
        )
        self._registry.add_slot(slot)
        return SlotAdded(call=command.call, ssrc=slot.spec.ssrc, rtx_ssrc=slot.spec.rtx_ssrc)

    def _configure_slot(self, command: ConfigureSlot, now: float) -> AnyReply:
        slot = self._registry.slot(command.slot)
        slot.endpoint.subscriber.configure_slot(slot, command.payload_types)
        return Done(call=command.call)

    def _remove_slot(self, command: RemoveSlot, now: float) -> AnyReply:
        self._registry.remove_slot(self._registry.slot(command.slot))
        return Done(call=command.call)

    def _subscribe(self, command: Subscribe, now: float) -> AnyReply:
        slot, track = self._registry.slot(command.slot), self._registry.track(command.track)
        _refuse_duplicate(command.subscription, self._registry.subscriptions, "subscription")
        if slot.endpoint.room != track.endpoint.room:
            raise Refused("other_room", "Track and Slot are in different rooms")
        if slot.subscription is not None:
            raise Refused("slot_taken", f"Slot {slot.id!r} carries another Track")
        if slot.spec.kind != track.spec.kind:
            raise Refused("kind_mismatch", f"{track.spec.kind} does not fit a Slot for {slot.spec.kind}")
        if not any(slot.takes(codec) for codec in track.announced_codecs):
            raise Refused("no_common_codec", "the subscriber negotiated none of the Track's codecs")
        _check_max_layer(command.max_layer)
        self._registry.subscribe(command.subscription, slot, track, command.max_layer, now)
        return Done(call=command.call)

    def _limit_layer(self, command: LimitLayer, now: float) -> AnyReply:
        subscription = self._registry.subscription(command.subscription)
        _check_max_layer(command.max_layer)
        subscription.max_layer = command.max_layer
        subscription.subscriber.reallocate_soon()
        return Done(call=command.call)

    def _unsubscribe(self, command: Unsubscribe, now: float) -> AnyReply:
        self._registry.unsubscribe(self._registry.subscription(command.subscription))
        return Done(call=command.call)

    def _set_layout(self, command: SetLayout, now: float) -> AnyReply:
        endpoint = self._registry.endpoint(command.transport)
        tiles, config = command.tiles or [], self._context.config
        if len(tiles) > config.slots_per_transport:
            raise Refused("limit", f"at most {config.slots_per_transport} tiles")
        if any(not 0 <= tile.width * tile.height <= config.pixels_per_picture for tile in tiles):
            raise Refused("bad_size", f"tiles have 0 to {config.pixels_per_picture} pixels")
        shown = {
            tile.track: Tile(tile.width, tile.height, tile.frame_rate, tile.on_stage, tile.selected) for tile in tiles
        }
        layout = Layout(None if command.tiles is None else shown, command.last_n, command.max_bps)
        endpoint.subscriber.set_layout(layout, now)
        return Done(call=command.call)

    def _report_reception(self, command: ReportReception, now: float) -> AnyReply:
        subscriber = self._registry.endpoint(command.transport).subscriber
        subscriber.on_told(command.overused, now)
        theirs = {subscription.id: subscription for subscription in subscriber.subscriptions()}
        for told in command.frames:
            subscription = theirs.get(told.subscription)
            if subscription is not None and subscription.is_video:
                subscription.quality.on_frames(told.decoded, told.dropped, told.freezes, told.frozen_s)
        return Done(call=command.call)

    # Local sinks

    def _open_sink(self, command: OpenSink, now: float) -> AnyReply:
        _refuse_duplicate(command.sink, self._registry.sinks, "sink")
        if len(self._registry.sinks) >= self._context.config.sinks:
            raise Refused("limit", "this Worker has as many sinks as it may")
        try:
            self._registry.add_sink(command.sink, command.room, command.address)
        except OSError as error:
            raise Refused("no_reader", f"{command.address}: {error.strerror or error}") from error
        return Done(call=command.call)

    def _tap_track(self, command: TapTrack, now: float) -> AnyReply:
        sink, track = self._registry.sink(command.sink), self._registry.track(command.track)
        if sink.room != track.endpoint.room:
            raise Refused("other_room", "Track and sink are of different rooms")
        if track.id in sink.taps:
            raise Refused("duplicate_tap", f"the sink has Track {track.id!r}")
        _check_max_layer(command.max_layer)
        self._registry.tap(sink, track, command.max_layer, now)
        spec = track.spec
        formats = [form for form in spec.formats if form.codec is not Codec.RED]  # which the plane strips
        return TrackTapped(
            call=command.call,
            number=track.number,
            formats=formats,
            rids=list(spec.rids),
            capture_time_id=track.endpoint.capture_time_id,
            orientation_id=track.endpoint.orientation_id if spec.kind == "video" else 0,
        )

    def _untap_track(self, command: UntapTrack, now: float) -> AnyReply:
        sink = self._registry.sink(command.sink)
        if command.track not in sink.taps:
            raise Refused("unknown_tap", f"the sink has no Track {command.track!r}")
        self._registry.untap(sink.taps[command.track])
        return Done(call=command.call)

    def _close_sink(self, command: CloseSink, now: float) -> AnyReply:
        self._registry.remove_sink(self._registry.sink(command.sink))
        return Done(call=command.call)

    # Reading

    def _explain(self, command: Explain, now: float) -> AnyReply:
        endpoint = self._registry.endpoint(command.transport)
        subscriber = endpoint.subscriber
        estimate = subscriber.budget.estimate
        return Explanation(
            call=command.call,
            budget_bps=subscriber.budget.bps(now),
            estimate_bps=None if estimate is None else estimate.bps,
            subscriptions=[subscription.explain(now) for subscription in subscriber.subscriptions()],
            quality=self._registry.assessing.of(endpoint),
        )

    def _read_statistics(self, command: ReadStatistics, now: float) -> AnyReply:
        def is_meant(endpoint: Endpoint) -> bool:
            return command.room is None or endpoint.room == command.room

        counters = self._context.plane.counters
        subscriptions = self._registry.subscriptions.values() if command.subscriptions else ()
        return Statistics(
            call=command.call,
            tracks=[t.statistics(now) for t in self._registry.tracks.values() if is_meant(t.endpoint)],
            subscriptions=[s.statistics() for s in subscriptions if is_meant(s.slot.endpoint)],
            participants=list(self._registry.assessing.qualities(command.room)),
            counters={name: getattr(counters, name) for name in counters.__dataclass_fields__ if name != "dropped"},
            dropped=dict(counters.dropped),
            cpu_s=self._context.cpu_s(),
        )

    def _describe(self, command: Describe, now: float) -> AnyReply:
        if (command.transport is None) == (command.subscription is None):
            raise Refused("bad_subject", "name either a Transport or a Subscription")
        if command.transport is not None:
            described = self._described_transport(self._registry.endpoint(command.transport))
        else:
            described = self._described_subscription(self._registry.subscription(command.subscription or ""))
        return Description(call=command.call, text=json.dumps({"now_s": now} | described))

    def _described_transport(self, endpoint: Endpoint) -> dict[str, object]:
        return {
            "transport": endpoint.id,
            "room": endpoint.room,
            "participant": endpoint.participant,
            "tracks": list(endpoint.tracks),
            "quality": msgspec.to_builtins(self._registry.assessing.of(endpoint)),
            "slots": [slot.id for slot in endpoint.subscriber.slots.values()],
            "plane": self._context.plane.describe_transport(endpoint.number),
        }

    def _described_subscription(self, subscription: Subscription) -> dict[str, object]:
        plane = self._context.plane
        return {
            "subscription": msgspec.to_builtins(subscription.statistics()),
            "slot": subscription.slot.id,
            "plane_slot": plane.describe_slot(subscription.slot.number),
            "plane_track": plane.describe_track(subscription.track.number),
        }

    def _read_load(self, command: ReadLoad, now: float) -> AnyReply:
        return Load(call=command.call, forwarded=self._context.plane.counters.forwarded)

    def _read_metrics(self, command: ReadMetrics, now: float) -> AnyReply:
        collector = WorkerCollector(self._context, self._registry, self._transports)
        return Metrics(call=command.call, families=families(collector))


def _refuse_duplicate(id: str, entries: dict[str, Any], what: str) -> None:
    if id in entries:
        raise Refused(f"duplicate_{what}", f"{what} {id!r} exists")


def _are_formats_of(kind: Kind, formats: list[PayloadFormat]) -> bool:
    """Whether there is one for media among them, and all are of this kind."""
    return any(form.repairs is None for form in formats) and all(
        form.clock_rate == CLOCK_RATES[kind] and (form.codec in SOUND_CODECS) == (kind == "audio") for form in formats
    )


def _check_max_layer(max_layer: int | None) -> None:
    if max_layer is not None and max_layer < 0:
        raise Refused("bad_layers", "layers count from 0")
