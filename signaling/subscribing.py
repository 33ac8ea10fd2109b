"""One participant's `subscribe` connection: which of the others' tracks it receives, through which Slots.

Wishes (by `subscribe`, or `auto_subscribe`) are reconciled with what the Slots carry, whenever either changes:

    wishes, room, layout, who speaks ─► who has a place (seating.py)
      ─► reconcile: Unsubscribe who has none, find Slots for who has (slots.py), add Slots if there are too few,
           ▲        Subscribe in those that the client knows, offer those that it does not ────── offer ─► client
           └─────── ConnectTransport ◄──────────────────────────────────────────────────────────── answer ◄─┘
    LayerChanged ─► something else has begun in a Slot ─────────────────────────────────────── slots_changed ─► client

One offer is outstanding at a time; new Slots that are needed meanwhile go into the next. Procedures for a Lane.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from msgspec import UNSET, UnsetType

from sfu import control
from sfu.control import Done, RemoteParameters, TransportOpened
from signaling.errors import Refused
from signaling.explaining import explanation, of_these, unreceived
from signaling.lane import Lane, Procedure, Steps, expect
from signaling.limits import SessionLimits
from signaling.message_values import MAX_TILES
from signaling.messages import (
    Answer,
    Explain,
    Explanation,
    LayerChanged,
    Layout,
    LimitLayer,
    Offer,
    Ok,
    ParticipantJoined,
    ParticipantLeft,
    ReportReceived,
    RestartIce,
    Speakers,
    Subscribe,
    TrackDescription,
    TrackExplanation,
    TrackMuted,
    TrackPublished,
    TrackUnpublished,
    Unsubscribe,
)
from signaling.names import Names
from signaling.negotiation import Offerer
from signaling.outputs import Call, Output, Send
from signaling.room_events import Entered, LoudestChanged, MediaMoved, RoomEvent, Together
from signaling.seating import Audience, Seating, matters, seat
from signaling.showing import Showing
from signaling.slot_steps import add_slots, let_flow, tell_limit, tell_reception
from signaling.slots import SlotTable
from signaling.wishes import Wish, Wishes


class Subscribing:
    def __init__(
        self,
        *,
        room: str,
        identity: str,
        permitted: bool,
        automatic: bool,
        names: Names,
        limits: SessionLimits,
        emit: Callable[[Output], None],
        lane: Lane,
    ) -> None:
        self._room = room
        self._identity = identity
        self._permitted = permitted
        self._automatic = automatic
        self._names = names
        self._limits = limits
        self._emit = emit
        self._lane = lane
        self._unsettled = False  # wishes, room or connection changed
        self._reconciling = False  # is in the lane, not yet begun
        self._wishes = Wishes()
        self._media: dict[str, str | None] = {}  # of the tracks that have moved; see MediaMoved
        self._showing = Showing(names)
        self._slots = SlotTable()
        self._offerer = Offerer()
        self._offers = 0
        self._last_offer: Offer | None = None
        self._outstanding: int | None = None  # the offer that waits for its answer
        self._offered = 0  # m-lines of the last offer
        self._recent: tuple[str, ...] = ()  # identities, the last to speak first
        self._loudest: frozenset[str] = frozenset()
        self._crowded = False  # not everybody has a place, so it matters who speaks and what is shown
        self.transport: str | None = None  # as named to the Worker, from OpenTransport on
        self._local: TransportOpened | None = None
        self._remote: RemoteParameters | None = None
        self._restarted = False  # the client has not been offered our new credentials

    @property
    def needed(self) -> bool:
        """Something is to be received, or there is a connection anyway."""
        return bool(self._wishes) or self.transport is not None

    def settle(self) -> None:
        """After everything that happened at once has been fed: it makes one offer, not many."""
        if self._unsettled and not self._reconciling:
            self._unsettled = False
            self._reconciling = True
            self._lane.start(self._reconcile())
        changes = self._slots.changes()
        if changes is not None:
            self._emit(Send(changes))

    # --- the room ---

    def permit(self, permitted: bool) -> None:
        """What flows ends at once, also while the client is away; what may flow again is offered."""
        if permitted != self._permitted:
            self._permitted = permitted
            self._wishes.wish_all_or_none(permitted and self._automatic)
            self._lane.start(self._release(self._seating()))
            self._unsettled = True

    def on_entered(self, entered: Entered) -> None:
        for participant in entered.others:
            for track in participant.tracks:
                self._on_published(participant.identity, track)
        for name, media in entered.media.items():
            self._on_moved(name, media)

    def on_room_event(self, event: RoomEvent) -> None:
        match event:
            case Together(events=events):
                for one in events:
                    self.on_room_event(one)
            case TrackPublished(identity=identity, track=track):
                self._on_published(identity, track)
            case TrackUnpublished(track=name):
                self._on_unpublished(name)
            case TrackMuted(track=name, muted=muted):
                self._wishes.mute(name, muted)
            case MediaMoved(track=name, media=media):
                self._on_moved(name, media)
            case ParticipantJoined(participant=participant):
                for track in participant.tracks:
                    self._on_published(participant.identity, track)
            case ParticipantLeft(identity=identity):
                for name in self._wishes.of(identity):
                    self._on_unpublished(name)
            case Speakers(recent=recent):
                self._recent = recent
                self._unsettled |= self._crowded
            case LoudestChanged(tracks=tracks):
                self._loudest = tracks
                self._unsettled |= self._crowded

    def _on_published(self, identity: str, description: TrackDescription) -> None:
        track = self._wishes.add(identity, description)
        if self._automatic and self._permitted:
            self._wishes.wish(track.name)
            self._unsettled |= not self._crowded or matters(track, self._audience, self._slots.holders())

    def _on_moved(self, name: str, media: str | None) -> None:
        """The Worker has ended the Subscriptions to the track as it was before."""
        if name in self._wishes:
            self._media[name] = media
            slot = self._slots.of_track(name)
            if slot is not None:
                slot.subscription = None
            self._showing.on_forgotten()
            self._unsettled = True

    def _on_unpublished(self, name: str) -> None:
        """The Worker has ended its Subscriptions already."""
        self._wishes.forget(name)
        self._media.pop(name, None)
        self._slots.forget(name)
        self._unsettled = True

    # --- the Worker ---

    def on_layer(self, notice: control.LayerChanged) -> None:
        slot = self._slots.of_subscription(notice.subscription)
        if slot is not None and slot.track is not None:
            rids = slot.track.description.rids
            rid = rids[notice.layer] if notice.layer < len(rids) else ""
            if slot.content is None or slot.content.track != slot.track.name:
                slot.content = slot.describe(slot.track, rid, notice.timestamp)
            else:
                self._emit(Send(LayerChanged(track=slot.track.name, rid=rid)))

    def on_gone(self) -> None:
        """The Transport exists no more."""
        self.transport = None

    def reset(self) -> None:
        """The Transport exists no more, or is not to: everything that is wished finds a place on another. The lane has
        been emptied."""
        self.close()
        self._slots = SlotTable()
        self._offerer = Offerer()
        self._outstanding = self._local = self._remote = None
        self._offered = 0
        self._showing.on_forgotten()
        self._restarted = self._reconciling = False
        self._unsettled = True

    def outstanding(self) -> Offer | None:
        """The offer that waits for its answer, to be said again."""
        return self._last_offer if self._outstanding is not None else None

    def say_slots(self) -> None:
        """What each m-line carries, to a client that may have missed it."""
        everything = self._slots.everything()
        if everything is not None:
            self._emit(Send(everything))

    def close(self) -> None:
        if self.transport is not None:
            self._emit(Call(control.CloseTransport(call=self._names.call(), transport=self.transport)))
        self.transport = None

    # --- the client ---

    def subscribe(self, request: Subscribe) -> None:
        if not self._permitted:
            raise Refused("not_granted", "the token does not permit subscribing")
        self._wishes.known(request.track)
        self._wishes.wish(request.track)
        self._unsettled = True
        self._emit(Send(Ok(id=request.id)))

    def unsubscribe(self, request: Unsubscribe) -> None:
        self._wishes.known(request.track)
        self._wishes.withdraw(request.track)
        self._unsettled = True
        self._emit(Send(Ok(id=request.id)))

    def limit_layer(self, request: LimitLayer) -> Procedure:
        self._wishes.limit(request.track, request.rid)
        yield from tell_limit(self._wishes, request.track, self._slots, self._names)
        self._emit(Send(Ok(id=request.id)))

    def set_layout(self, request: Layout) -> Procedure:
        if len(request.tiles or ()) > MAX_TILES:
            raise Refused("limit", f"a layout has at most {MAX_TILES} tiles")
        yield from self.show(request)
        self._emit(Send(Ok(id=request.id)))

    def report(self, request: ReportReceived) -> Procedure:
        yield from tell_reception(request, self.transport, self._slots, self._names)
        self._emit(Send(Ok(id=request.id)))

    def explain(self, request: Explain) -> Procedure:
        told = yield from self.explanation(request.id)
        self._emit(Send(told if request.tracks is None else of_these(told, request.tracks)))

    def answer(self, request: Answer) -> Procedure:
        if self._outstanding is None or self._outstanding != request.offer:
            raise Refused("unknown_offer", f"offer {request.offer} waits for no answer")
        answer = self._offerer.on_answer(request.sdp)
        self._outstanding = None
        commands: list[control.AnyCommand] = [
            control.ConfigureSlot(call=self._names.call(), slot=slot.name, payload_types=dict(slot.payload_types))
            for slot in self._slots.configure(answer.payload_types)
        ]
        if answer.remote != self._remote:
            assert self.transport is not None
            commands.append(
                control.ConnectTransport(call=self._names.call(), transport=self.transport, remote=answer.remote)
            )
        for reply in (yield commands):
            expect(reply, Done)
        self._remote = answer.remote
        for name in self._slots.on_answered(self._offered, answer.rejected):
            self._wishes.withdraw(name)  # until the client asks again
        self._emit(Send(Ok(id=request.id)))
        self._unsettled = True

    def restart_ice(self, request: RestartIce) -> Procedure:
        """Our next offer has the new credentials."""
        if self.transport is None or self._local is None:
            raise Refused("connection_reset", "there is no connection to restart")
        (reply,) = yield [control.RestartIce(call=self._names.call(), transport=self.transport)]
        self._local = expect(reply, TransportOpened)
        self._restarted = self._unsettled = True
        self._emit(Send(Ok(id=request.id)))

    # --- the client, or the app for it ---

    def show(self, layout: Layout) -> Steps[Layout]:
        self._showing.set(layout)
        self._unsettled |= self._crowded
        yield from self._showing.tell(self.transport, self._media)
        return layout

    def layout(self) -> Steps[Layout]:
        """The last that was said; without one, nothing is."""
        yield ()
        return self._showing.layout or Layout(id=0)

    def change(self, track: str, subscribed: bool | None, max_rid: str | UnsetType | None) -> Steps[Wish]:
        """None and UNSET leave it as it is. All of it or, refused, nothing."""
        self._wishes.known(track)
        if subscribed and not self._permitted:
            raise Refused("conflict", f"{self._identity} may not subscribe")
        if max_rid is not UNSET:
            self._wishes.limit(track, max_rid)
        if subscribed is not None:
            (self._wishes.wish if subscribed else self._wishes.withdraw)(track)
            self._unsettled = True
        wish = self._wishes.of_track(track)
        if max_rid is not UNSET:
            yield from tell_limit(self._wishes, track, self._slots, self._names)
        return wish

    def wish(self, track: str) -> Steps[Wish]:
        yield ()
        self._wishes.known(track)
        return self._wishes.of_track(track)

    def explanation(self, request: int = 0) -> Steps[Explanation]:
        def rest(explained: Collection[str]) -> Iterable[TrackExplanation]:
            wishes, slots = self._wishes, self._slots
            return unreceived(explained, wishes, slots, self._seating(), self._audience, self._media)

        return explanation(request, self._names, self.transport, self._slots.track_of_subscription, rest)

    # --- reconciling ---

    def _reconcile(self) -> Procedure:
        self._reconciling = False
        yield from self._showing.tell(self.transport, self._media)
        more = True
        while True:
            seating = self._seating()
            yield from self._release(seating)
            limits = self._limits
            lacking = self._slots.lacking(seating, max_pairs=limits.max_pairs, max_voices=limits.max_voices)
            if not lacking or not more:
                break
            if self.transport is None:
                yield from self._open()  # and look again: more tracks may have come meanwhile
            else:
                more = yield from add_slots(self._slots, lacking, self.transport, self._names)
        yield from let_flow(self._slots, self._wishes, self._media, self._identity, self._names)
        if self._outstanding is None and (self._restarted or len(self._slots) > self._offered):
            self._offer()

    def _release(self, seating: Seating) -> Procedure:
        """What has no place any more."""
        ended = self._slots.seat(seating)
        # Failed: the track ended first, and its Subscriptions with it.
        yield [control.Unsubscribe(call=self._names.call(), subscription=name) for name in ended]

    @property
    def _audience(self) -> Audience:
        return Audience(self._showing.priorities(), self._recent, self._loudest)

    def _seating(self) -> Seating:
        limits = self._limits
        holders = self._slots.holders()
        seating = seat(self._wishes, self._audience, holders, max_pairs=limits.max_pairs, max_voices=limits.max_voices)
        self._crowded = seating.is_crowded
        return seating

    def _open(self) -> Procedure:
        transport = self._names.transport()
        self.transport = transport
        (reply,) = yield [
            control.OpenTransport(
                call=self._names.call(), room=self._room, participant=self._identity, transport=transport
            )
        ]
        try:
            self._local = expect(reply, TransportOpened)
        except Refused:
            self.transport = None
            raise
        yield from self._showing.tell(transport, self._media)  # before anything flows

    def _offer(self) -> None:
        assert self._local is not None, "there are no Slots without a Transport"
        sdp = self._offerer.offer(self._local, self._slots.lines())
        self._offers += 1
        self._offered = len(self._slots)
        self._restarted = False
        self._outstanding = self._offers
        self._last_offer = Offer(offer=self._offers, sdp=sdp, slots=self._slots.offered())
        self._emit(Send(self._last_offer))
