"""A Worker that holds against signaling whatever the contract does not allow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count

from sfu import control
from sfu.control import AnyCommand, AnyReply, Done, Failed, SlotAdded, TransportOpened
from tests.signaling.descriptions import LOCAL


class StrictWorker:
    """Answers in order, when told to. Holds against signaling whatever the contract does not allow."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[AnyCommand, Callable[[AnyReply], None]]] = deque()
        self._ssrcs = count(1000)
        self._used: set[str] = set()  # every name ever given
        self.lost: set[str] = set()
        self.transports: dict[str, str] = {}  # participant by Transport
        self.tracks: dict[str, control.AddTrack] = {}
        self.muted: set[str] = set()
        self.slots: dict[str, control.AddSlot] = {}
        self.subscriptions: dict[str, control.Subscribe] = {}
        self._flowing: set[str] = set()

    def flow(self) -> control.LayerChanged | None:
        """The first packet of a Subscription is sent. None: all flow already."""
        name = next((name for name in self.subscriptions if name not in self._flowing), None)
        if name is None:
            return None
        self._flowing.add(name)
        return control.LayerChanged(subscription=name, layer=0, timestamp=0)

    def link_of(self, room: str) -> StrictWorker:
        """There is no other."""
        return self

    def release(self, room: str) -> None:
        """It is told which rooms are no more; nothing may be left of them."""

    def call(self, command: AnyCommand, on_reply: Callable[[AnyReply], None]) -> None:
        # Through the codec, as a link does.
        self._waiting.append((control.decode(control.encode(command), AnyCommand), on_reply))

    def step(self) -> bool:
        """Answer the oldest call. False: there is none."""
        if not self._waiting:
            return False
        command, on_reply = self._waiting.popleft()
        name = getattr(command, "transport", None)
        if name in self.lost:
            on_reply(Failed(call=command.call, code="unknown_transport", reason=str(name)))
        else:
            on_reply(self._execute(command))
        return True

    def lose(self, name: str) -> control.TransportChanged:
        """A Transport is no more, with all that hung on it."""
        self.lost.add(name)
        self._close(name)
        return control.TransportChanged(transport=name, state="gone", reason="silent")

    def die(self) -> tuple[list[control.TransportChanged], list[tuple[AnyCommand, Callable[[AnyReply], None]]]]:
        """Everything is gone, and another Worker answers from now on: what a Link then says to everybody, and which
        calls it refuses afterwards."""
        asked = [command.transport for command, _ in self._waiting if isinstance(command, control.OpenTransport)]
        closed = [command.transport for command, _ in self._waiting if isinstance(command, control.CloseTransport)]
        told = [self.lose(name) for name in [*self.transports] if name not in closed]
        self.lost.update(asked, closed)
        told += [control.TransportChanged(transport=name, state="gone") for name in asked if name not in closed]
        for name in [*self.transports]:
            self._close(name)
        refused, self._waiting = [*self._waiting], deque()
        return told, refused

    def _execute(self, command: AnyCommand) -> AnyReply:
        match command:
            case control.OpenTransport(transport=name):
                self._fresh(name)
                self.transports[name] = command.participant
                return TransportOpened(
                    call=command.call, ice=LOCAL.ice, fingerprints=LOCAL.fingerprints, candidates=LOCAL.candidates
                )
            case control.ConnectTransport(transport=name):
                assert name in self.transports
            case control.CloseTransport(transport=name):
                self._close(name)
            case control.AddTrack(track=name):
                self._fresh(name)
                assert command.transport in self.transports
                live = [one.mid for one in self.tracks.values() if one.transport == command.transport]
                assert command.mid not in live, "two Tracks on one m-line"
                self.tracks[name] = command
            case (
                control.RemoveTrack(track=name)
                | control.SetTrackMuted(track=name)
                | control.SetTrackStrained(track=name)
            ) if name not in self.tracks:
                assert name in self._used and self.lost, "only with its Transport does it go by itself"
                return Failed(call=command.call, code="unknown_track", reason=name)
            case control.RemoveTrack(track=name):
                self._end_track(name)
            case control.SetTrackMuted(track=name):
                (self.muted.add if command.muted else self.muted.discard)(name)
            case control.SetTrackStrained():
                pass
            case control.AddSlot(slot=name):
                self._fresh(name)
                assert command.transport in self.transports
                mids = [one.mid for one in self.slots.values() if one.transport == command.transport]
                assert command.mid == str(len(mids)), "mids follow the m-lines"
                self.slots[name] = command
                rtx = next(self._ssrcs) if command.kind == "video" else None
                return SlotAdded(call=command.call, ssrc=next(self._ssrcs), rtx_ssrc=rtx)
            case control.ConfigureSlot(slot=name):
                if name not in self.slots:
                    assert self.lost and name in self._used
                    return Failed(call=command.call, code="unknown_slot", reason=name)
                assert command.payload_types, "who takes nothing rejects the m-line"
            case control.SetLayout(transport=name) | control.ReportReception(transport=name):
                assert name in self.transports
            case control.Explain(transport=name):
                assert name in self.transports
                return control.Explanation(call=command.call, budget_bps=0, estimate_bps=None, subscriptions=[])
            case control.Subscribe():
                return self._subscribe(command)
            case control.Unsubscribe(subscription=name) | control.LimitLayer(subscription=name):
                assert name in self._used
                if name not in self.subscriptions:
                    return Failed(call=command.call, code="unknown_subscription", reason=name)
                if isinstance(command, control.Unsubscribe):
                    del self.subscriptions[name]
            case _:
                raise AssertionError(f"{type(command).__name__} has no place here")
        return Done(call=command.call)

    def _close(self, name: str) -> None:
        del self.transports[name]
        for track in [one.track for one in self.tracks.values() if one.transport == name]:
            self._end_track(track)
        self.slots = {slot: one for slot, one in self.slots.items() if one.transport != name}
        self.subscriptions = {
            one: subscription for one, subscription in self.subscriptions.items() if subscription.slot in self.slots
        }

    def _subscribe(self, command: control.Subscribe) -> AnyReply:
        self._fresh(command.subscription)
        slot = self.slots.get(command.slot)
        if slot is None:
            assert self.lost
            return Failed(call=command.call, code="unknown_slot", reason=command.slot)
        assert command.slot not in {one.slot for one in self.subscriptions.values()}, "the Slot is taken"
        assert command.track in self._used
        track = self.tracks.get(command.track)
        if track is None:
            return Failed(call=command.call, code="unknown_track", reason=command.track)
        assert track.kind == slot.kind
        assert self.transports[track.transport] != self.transports[slot.transport], "nobody hears himself"
        assert command.max_layer is None or command.max_layer < len(track.rids)
        self.subscriptions[command.subscription] = command
        return Done(call=command.call)

    def _end_track(self, name: str) -> None:
        del self.tracks[name]
        self.muted.discard(name)
        self.subscriptions = {one: entry for one, entry in self.subscriptions.items() if entry.track != name}

    def _fresh(self, name: str) -> None:
        assert name not in self._used, "a name is never used twice"
        self._used.add(name)
