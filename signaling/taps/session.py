"""One tap while it runs: an onlooker of its room that has one participant's tracks delivered to a socket. Sans-IO.

    OPENING ─ sink open ─► OPEN ─ the room or the token ends, the sink or the Worker is lost ─► CLOSED

Used by the switchboard like any session; it is in nobody's roster and keeps no room open. It outlasts the participant:
who comes back, or publishes anew, is tapped again. What cannot go on is closed, and begun anew by whoever wants it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from msgspec.structs import replace

from sfu import control
from sfu.control import AnyCommand, AnyNotice, AnyReply, Failed, LayerTapped, SinkLost, TrackTapped
from sfu.core.types import Kind
from signaling.auth import Grant
from signaling.closing import close_code
from signaling.message_values import KIND_OF_SOURCE, Source, TrackDescription
from signaling.messages import ParticipantJoined, ParticipantLeft, TrackMuted, TrackPublished, TrackUnpublished
from signaling.moderation_messages import ConsentChanged, RoomChanged
from signaling.names import Names
from signaling.outputs import Call, Close, Output, Tell
from signaling.room_events import Evicted, MediaMoved, Observed, RoomEvent
from signaling.taps.messages import AnyTapMessage, TapEnded, TapLayer, TapMuted, TapStarted

# WebSocket codes: the tap cannot go on, but another may; or there is nothing to tap any more.
LOST = 4410
ROOM_ENDED = 4404


class State(Enum):
    OPENING = auto()
    OPEN = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Wish:
    """`source`: only this one; None: all of the kind. `max_layer`: no better simulcast layer."""

    participant: str
    kind: Kind
    source: Source | None = None
    max_layer: int | None = None

    def covers(self, source: Source) -> bool:
        return KIND_OF_SOURCE[source] == self.kind and self.source in (None, source)


@dataclass(slots=True)
class _Track:
    description: TrackDescription
    media: str | None  # as named to the Worker; None: not for the moment
    asked: str | None = None
    call: int | None = None  # by which it was asked for last: answers to earlier ones mean nothing any more
    number: int | None = None


class TapSession:
    grant: Grant | None = None  # for the switchboard: nobody's
    client = ""

    def __init__(
        self,
        room: str,
        wish: Wish,
        address: str,
        observed: Observed,
        names: Names,
        ends_at: float = math.inf,
        ends_as: Literal["token_expired", "key_invalid"] = "token_expired",
    ) -> None:
        """`address` of a socket that is bound. `ends_at`: when the token or key that it came by is no good any more."""
        self.room = room
        self.state = State.OPENING
        self._wish = wish
        self._address = address
        self._ends_at = ends_at
        self._ends_as = ends_as
        self._names = names
        self._sink = names.sink()
        self._outputs: deque[Output] = deque()
        self._replies: dict[int, Callable[[AnyReply], None]] = {}
        self._tracks: dict[str, _Track] = {}
        self._consent_needed = observed.room.recording_consent
        self._consented = False
        for participant in observed.participants:
            if participant.identity == wish.participant:
                self._consented = participant.consent is True
                for description in participant.tracks:
                    self._add(description, observed.media.get(description.id, description.id))

    # --- the switchboard's ---

    def poll(self) -> Output | None:
        return self._outputs.popleft() if self._outputs else None

    def next_timeout(self) -> float | None:
        return None if math.isinf(self._ends_at) else self._ends_at

    def settle(self) -> None:
        """Nothing waits for the end of a turn."""

    def on_timeout(self, now: float) -> None:
        if now >= self._ends_at:
            self._close(self._ends_as)

    def on_shutdown(self) -> None:
        self._close("server_shutdown")

    def on_fault(self) -> None:
        self._close("internal")

    def on_room_event(self, event: RoomEvent) -> None:
        if self.state is State.CLOSED:
            return
        match event:
            case ParticipantJoined(participant=participant) if participant.identity == self._wish.participant:
                self._consented = participant.consent is True
                for description in participant.tracks:
                    self._add(description, description.id)
            case ConsentChanged(identity=self._wish.participant, given=given):
                self._consented = given
            case RoomChanged(room=state):
                self._consent_needed = state.recording_consent
                if state.end_to_end_encrypted:
                    self._close("end_to_end_encrypted", "what comes from now on could not be decoded")
            case ParticipantLeft(identity=self._wish.participant):
                for name in list(self._tracks):
                    self._remove(name)
            case TrackPublished(identity=self._wish.participant, track=description):
                self._add(description, description.id)
            case TrackUnpublished(track=name):
                self._remove(name)
            case TrackMuted(track=name, muted=muted) if name in self._tracks:
                self._tracks[name].description = replace(self._tracks[name].description, muted=muted)
                self._report(TapMuted(track=name, muted=muted))
            case MediaMoved(track=name, media=media) if name in self._tracks:
                self._tracks[name].media = media
            case Evicted(code="room_ended" | "room_deleted"):
                self._close("room_ended")
            case Evicted(code=code, reason=reason):
                self._close(code, reason)
        self._tap()

    # --- from whoever taps ---

    def start(self) -> None:
        command = control.OpenSink(call=self._names.call(), room=self.room, sink=self._sink, address=self._address)
        self._call(command, self._on_opened)

    def end_at(self, when: float) -> None:
        """Its key was retired."""
        if self.state is not State.CLOSED:
            self._ends_at = when

    def on_gone(self) -> None:
        """Nobody listens any more."""
        self._close("left")

    # --- from the Worker ---

    def on_reply(self, reply: AnyReply) -> None:
        on_reply = self._replies.pop(reply.call, None)
        if on_reply is not None:
            on_reply(reply)

    def on_notice(self, notice: AnyNotice, now: float) -> None:
        match notice:
            case SinkLost(sink=self._sink):
                self._close("transport_lost", "its socket is not read any more")
            case LayerTapped(sink=self._sink, track=media, layer=layer):
                for track in self._tracks.values():
                    if track.asked == media and track.number is not None:
                        self._report(TapLayer(number=track.number, layer=layer))

    # --- the rest ---

    def _on_opened(self, reply: AnyReply) -> None:
        if self.state is not State.OPENING:
            return
        if isinstance(reply, Failed):
            self._close("transport_lost", reply.reason)
            return
        self.state = State.OPEN
        self._tap()

    def _add(self, description: TrackDescription, media: str | None) -> None:
        if self._wish.covers(description.source) and description.id not in self._tracks:
            self._tracks[description.id] = _Track(description, media)

    def _remove(self, name: str) -> None:
        if self._tracks.pop(name, None) is not None:
            self._report(TapEnded(track=name))

    def _tap(self) -> None:
        """Whatever is there and has not been asked for yet."""
        if self.state is not State.OPEN:
            return
        if self._consent_needed and not self._consented:
            self._untap()
            return
        for track in self._tracks.values():
            if track.media is not None and track.asked != track.media:
                track.asked, track.number, track.call = track.media, None, self._names.call()
                command = control.TapTrack(
                    call=track.call, sink=self._sink, track=track.media, max_layer=self._wish.max_layer
                )
                self._call(command, lambda reply, track=track: self._on_tapped(track, reply))  # type: ignore[misc]

    def _untap(self) -> None:
        """Where a recording would take nothing of somebody, a tap does not either."""
        for track in self._tracks.values():
            if track.asked is not None:
                self._call(control.UntapTrack(call=self._names.call(), sink=self._sink, track=track.asked))
                self._report(TapEnded(track=track.description.id))
                track.asked = track.number = track.call = None

    def _on_tapped(self, track: _Track, reply: AnyReply) -> None:
        if self.state is not State.OPEN or self._tracks.get(track.description.id) is not track:
            return
        if track.call != reply.call:
            return
        if isinstance(reply, TrackTapped):
            track.number = reply.number
            description = track.description
            self._report(
                TapStarted(
                    number=reply.number,
                    track=description.id,
                    source=description.source,
                    kind=description.kind,
                    muted=description.muted,
                    formats=[one for one in reply.formats if one.repairs is None],
                    rids=reply.rids,
                    orientation_id=reply.orientation_id,
                )
            )
        elif isinstance(reply, Failed) and reply.code == "unknown_sink":
            self._close("transport_lost", "the media worker is another one")

    def _report(self, message: AnyTapMessage) -> None:
        self._outputs.append(Tell(message))

    def _call(self, command: AnyCommand, on_reply: Callable[[AnyReply], None] = lambda reply: None) -> None:
        self._replies[command.call] = on_reply
        self._outputs.append(Call(command))

    def _close(self, code: str, reason: str = "") -> None:
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._ends_at = math.inf
        self._call(control.CloseSink(call=self._names.call(), sink=self._sink))
        ws_code = ROOM_ENDED if code == "room_ended" else close_code(code, joined=True)
        self._outputs.append(Close(ws_code or LOST, code, reason))
