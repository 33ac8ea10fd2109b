"""What exists in a Worker, by signaling's names and by the plane's numbers, and what ends with what.

    Endpoint (Transport) ──< PublishedTrack ──< Subscription >── Slot >── Endpoint
                                           └──< Tap >── Sink

Numbers are never used again; names may be, once what had them is gone.
"""

from __future__ import annotations

from itertools import count
from typing import TypeVar

from sfu.assessing import Assessing
from sfu.context import Context
from sfu.core.errors import Refused
from sfu.core.messages import Messages
from sfu.corresponding import Correspondents
from sfu.endpoint import Endpoint
from sfu.estimating import Estimating
from sfu.listening import Listening
from sfu.plane.interface import TrackSpec
from sfu.publishing import PublishedTrack
from sfu.reporting import Reporting
from sfu.subscription import Slot, Subscription
from sfu.tapping import Sink, Tap

Entry = TypeVar("Entry")


class Registry:
    def __init__(self, context: Context) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.tracks: dict[str, PublishedTrack] = {}
        self.slots: dict[str, Slot] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.sinks: dict[str, Sink] = {}
        self.endpoints_by_number: dict[int, Endpoint] = {}
        self.tracks_by_number: dict[int, PublishedTrack] = {}
        self.slots_by_number: dict[int, Slot] = {}
        self.messages = Messages(context.config.messages)
        self.listening = Listening(context, self.tracks_by_number)
        self.reporting = Reporting(context, self.endpoints_by_number, self.slots_by_number)
        self.assessing = Assessing(context, self.reporting.take)
        self.estimating = Estimating(context, self.endpoints_by_number)
        self._numbers = count(1)
        self.correspondents = Correspondents(self.messages, self.next_number, context.notify, context.config.transports)
        self._context = context

    def next_number(self) -> int:
        return next(self._numbers)

    def endpoint(self, id: str) -> Endpoint:
        return _found(self.endpoints, id, "transport")

    def track(self, id: str) -> PublishedTrack:
        return _found(self.tracks, id, "track")

    def slot(self, id: str) -> Slot:
        return _found(self.slots, id, "slot")

    def subscription(self, id: str) -> Subscription:
        return _found(self.subscriptions, id, "subscription")

    def sink(self, id: str) -> Sink:
        return _found(self.sinks, id, "sink")

    def add_endpoint(
        self, endpoint: Endpoint, *, may_send_messages: bool, keeps_messages: int = 0, replays_messages: bool = False
    ) -> None:
        self.endpoints[endpoint.id] = self.endpoints_by_number[endpoint.number] = endpoint
        self.messages.add(
            endpoint.number,
            endpoint.room,
            endpoint.participant,
            may_send=may_send_messages,
            keeps=keeps_messages,
            replays=replays_messages,
        )

    def add_track(
        self, id: str, endpoint: Endpoint, spec: TrackSpec, *, is_screen: bool, pixels: int | None
    ) -> PublishedTrack:
        number = self.next_number()
        track = PublishedTrack(self._context, number, id, endpoint, spec, is_screen=is_screen, pixels=pixels)
        self._context.plane.add_track(track.number, endpoint.number, spec)
        self.tracks[id] = endpoint.tracks[id] = self.tracks_by_number[track.number] = track
        return track

    def add_slot(self, slot: Slot) -> None:
        self.slots[slot.id] = self.slots_by_number[slot.number] = slot

    def subscribe(self, id: str, slot: Slot, track: PublishedTrack, max_layer: int | None, now: float) -> None:
        self._context.plane.set_route(slot.number, track.number)
        subscription = Subscription(self._context, self.next_number(), id, slot, track, max_layer, now)
        slot.subscription = self.subscriptions[id] = track.subscriptions[subscription.number] = subscription
        track.on_needed(now)
        subscription.subscriber.reallocate_soon()

    def unsubscribe(self, subscription: Subscription) -> None:
        self._forget_subscription(subscription)
        self._context.plane.set_route(subscription.slot.number, None)

    def add_sink(self, id: str, room: str, address: str) -> None:
        """Raises OSError when nobody reads there."""
        sink = Sink(self.next_number(), id, room)
        self._context.plane.add_sink(sink.number, address)
        self.sinks[id] = sink

    def tap(self, sink: Sink, track: PublishedTrack, max_layer: int | None, now: float) -> None:
        tap = sink.taps[track.id] = Tap(self._context, sink, track, max_layer)
        track.tap(tap, now)

    def untap(self, tap: Tap) -> None:
        self._forget_tap(tap)
        self._context.plane.set_tap(tap.sink.number, tap.track.number, ())

    def remove_sink(self, sink: Sink) -> None:
        for tap in list(sink.taps.values()):
            self._forget_tap(tap)
        self._context.plane.remove_sink(sink.number)
        del self.sinks[sink.id]

    def remove_slot(self, slot: Slot) -> None:
        self._forget_slot(slot)
        self._context.plane.remove_slot(slot.number)

    def remove_track(self, track: PublishedTrack) -> None:
        self._forget_track(track)
        self._context.plane.remove_track(track.number)

    def remove_endpoint(self, endpoint: Endpoint) -> None:
        """With its Tracks, its Slots, and the Subscriptions to and from it. In the plane too, all but the Transport."""
        for slot in list(endpoint.subscriber.slots.values()):
            self.remove_slot(slot)
        for track in list(endpoint.tracks.values()):
            self.remove_track(track)
        self.forget_endpoint(endpoint)

    def forget_endpoint(self, endpoint: Endpoint) -> None:
        """The same for a Transport that has already left the plane, and all that hung on it."""
        for slot in list(endpoint.subscriber.slots.values()):
            self._forget_slot(slot)
        for track in list(endpoint.tracks.values()):
            self._forget_track(track)
        endpoint.close()
        self.messages.remove(endpoint.number)
        self.estimating.forget(endpoint)
        self.assessing.forget(endpoint)
        del self.endpoints[endpoint.id]
        del self.endpoints_by_number[endpoint.number]

    def _forget_slot(self, slot: Slot) -> None:
        if slot.subscription is not None:
            self._forget_subscription(slot.subscription)
        slot.endpoint.subscriber.forget_slot(slot)
        del self.slots[slot.id]
        del self.slots_by_number[slot.number]

    def _forget_track(self, track: PublishedTrack) -> None:
        for subscription in list(track.subscriptions.values()):
            self._forget_subscription(subscription)
        for tap in list(track.taps.values()):
            self._forget_tap(tap)
        track.close()
        self.listening.forget(track)
        track.endpoint.forget_track(track)
        del self.tracks[track.id]
        del self.tracks_by_number[track.number]

    def _forget_tap(self, tap: Tap) -> None:
        del tap.sink.taps[tap.track.id]
        tap.track.forget_tap(tap.sink.id)

    def _forget_subscription(self, subscription: Subscription) -> None:
        subscription.slot.subscription = None
        subscription.track.forget_subscription(subscription)
        del self.subscriptions[subscription.id]
        subscription.subscriber.reallocate_soon()


def _found(entries: dict[str, Entry], id: str, what: str) -> Entry:
    entry = entries.get(id)
    if entry is None:
        raise Refused(f"unknown_{what}", f"there is no {what} {id!r}")
    return entry
