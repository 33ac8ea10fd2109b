"""One client's session: what may come when, and what follows. Sans-IO.

    JOINING ── join ──► ENTERING ── on_entered ──► JOINED ── leave, an error that closes, … ──► CLOSED
       ▲  │                └─ on_waiting ─► WAITING ─┘ (admitted) │ ▲
       │  └─ resume ─► TAKING_UP ── another goes on ─► (gone)     │ │
       └── on_refused ─────┘                         socket lost ─┘ └─ on_resumed, within 30 s

What a message does is in the tables; a message that is not in them for the present state breaks the protocol. Feed with
`on_…`, then `settle`, then take outputs by `poll` until there is none. Every request is answered once, by its answer
or by `error`. Publishing and subscribing are two connections, and two lanes: see `publishing.py` and `subscribing.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from sfu import control
from sfu.control import AnyNotice, AnyReply
from sfu.core.types import TransportState
from signaling import closing, procedures
from signaling.auth import Grant
from signaling.correspondence import Correspondence
from signaling.errors import ProtocolError, Refused
from signaling.expiry import Expiry, another_grant, not_refreshed, soonest
from signaling.lane import Lane, answered
from signaling.limits import SessionLimits
from signaling.messages import (
    Ack,
    AnyClientMessage,
    AnyRequest,
    Closing,
    ConnectionName,
    Error,
    IceServer,
    Join,
    Leave,
    LeaveReason,
    Ok,
    ParticipantChanged,
    Ping,
    Refresh,
    RequestReset,
    Reset,
    Resume,
    Resumed,
    ResumeTicket,
    TokenExpiring,
    TransportChanged,
)
from signaling.moderation_messages import AnyModeration, InLobby, Moved
from signaling.names import Names
from signaling.outgoing import Outgoing
from signaling.outputs import Announce, Attend, Call, Close, Depart, Enter, Moderate, Output, Renew, TakeUp
from signaling.presence import Presence
from signaling.publishing import Publishing
from signaling.rate import Pace
from signaling.room_events import Entered, Evicted, RoomEvent, Transfer
from signaling.session_state import State
from signaling.subprotocols import Frame, Subprotocol
from signaling.subscribing import Subscribing

logger = logging.getLogger(__name__)


class ClientSession:
    """`authenticate(token, room)` gives the Grant or raises ProtocolError; `mint(grant)` gives a token for it."""

    def __init__(
        self,
        *,
        room: str,
        subprotocol: Subprotocol,
        names: Names,
        authenticate: Callable[[str, str], Grant],
        mint: Callable[[Grant], str],
        limits: SessionLimits,
        ice_servers: Callable[[str], tuple[IceServer, ...]],
        now: float,
    ) -> None:
        self.room = room
        self.subprotocol = subprotocol
        self.state = State.JOINING
        self.grant: Grant | None = None
        self.client = ""  # what the client says it is, for logs
        self._names = names
        self._authenticate = authenticate
        self._mint = mint
        self._limits = limits
        self._ice_servers = ice_servers
        self._pace = Pace(limits, now)
        self._join_by = now + limits.join_timeout_s
        self._outgoing = Outgoing(limits.replay)
        self._presence = Presence(limits)
        self._expiry = Expiry(limits.token_grace_s)
        self._last_request = 0
        self._said_before = 0  # up to here the client may say again what it said on its last socket
        self._reset_seq = 0  # of the last `reset` of the publish connection
        self._join: Join | None = None
        lanes = [Lane(self._call, self._decline, limits.max_waiting) for _ in range(3)]
        self._publish_lane, self._subscribe_lane, self._message_lane = self._lanes = lanes
        self._publishing: Publishing | None = None
        self._subscribing: Subscribing | None = None
        self._correspondence: Correspondence | None = None

    def poll(self) -> Output | None:
        return self._outgoing.poll()

    def next_timeout(self) -> float | None:
        if self.state in (State.JOINING, State.TAKING_UP):
            return self._join_by
        if self.state is not State.JOINED:
            return None
        return soonest(self._presence.next_timeout(), self._expiry.next_timeout())

    def settle(self) -> None:
        """To be called when all that came at once has been fed, before the last `poll`."""
        if self.state is not State.JOINED:
            return
        # While nobody can answer offers, none are made, nor Transports that would wait for the answer.
        if not self._presence.away:
            assert self._subscribing is not None
            self._subscribing.settle()
        for name, connection in self._connections.items():
            if connection.transport is not None:
                self._presence.on_rebuilding(name)
            elif not connection.needed:
                self._presence.on_not_needed(name)
        self._tell_presence()

    # --- from the client ---

    def on_frame(self, frame: Frame, now: float) -> None:
        """A WebSocket frame, whatever is in it."""
        if self.state is State.CLOSED:
            return
        try:
            self._pace.check(len(frame), now)
            message = self.subprotocol.read_request(frame)
        except ProtocolError as error:
            self._decline(None, error)
        else:
            self.on_message(message, now)

    def on_message(self, message: AnyClientMessage, now: float) -> None:
        request = None if isinstance(message, Ack) else message.id
        try:
            if isinstance(message, Ack):
                self._on_ack(message)
            elif message.id > self._last_request:
                self._last_request = message.id
                self._on_request(message, now)
            elif not 0 < message.id <= self._said_before:
                raise ProtocolError("unexpected", f"id {message.id} after {self._last_request}")
        except (ProtocolError, Refused) as error:
            self._decline(request, error)

    def on_disconnected(self, now: float, *, leaving: bool) -> None:
        """The WebSocket is gone. `leaving`: closed in good order, by a page that was left, say."""
        if leaving or self.state is not State.JOINED:
            self._end("disconnected", None)
        elif not self._presence.away:
            self._presence.on_socket_lost(now)
            self._outgoing.on_socket_lost()
            self._outgoing.emit(Attend(away=True))

    def on_resumed(self, request: Resume, token: str, subprotocol: Subprotocol, present: Entered, now: float) -> None:
        """The client is here, on another socket; the last one, if it is still there, is not heard any more."""
        assert self.state is State.JOINED and self._subscribing and self._publishing and self._correspondence
        self.subprotocol = subprotocol
        self._said_before = self._last_request
        resumed = Resumed(id=request.id, resume=self._ticket(token), handled=self._last_request)
        if not self._outgoing.resume(request.received, resumed):
            resynced = procedures.resynchronised(resumed, present)
            self._outgoing.resync(request.received, resynced, self._subscribing.outstanding())
            self._publishing.say_encodings()
            self._subscribing.say_slots()
            if rebuilding := self._presence.rebuilding():
                self._say_reset(rebuilding)
        self._correspondence.on_acknowledged(self._outgoing.acknowledged)
        self._presence.on_socket_back(now)
        self._outgoing.emit(Attend(away=False))

    # --- from the room ---

    def on_entered(self, entered: Entered, token: str) -> None:
        """`token`: for `resume`."""
        if self.state not in (State.ENTERING, State.WAITING):
            return
        assert self.grant is not None and self._join is not None
        self.state = State.JOINED
        self._publishing, self._subscribing, self._correspondence = procedures.connections(
            entered,
            self.grant,
            automatic=self._join.auto_subscribe,
            names=self._names,
            limits=self._limits,
            emit=self._outgoing.emit,
            lane=self._subscribe_lane,
            send=self._outgoing.send,
        )
        ice_servers = self._ice_servers(self.grant.identity)
        self._outgoing.send(procedures.welcome(self._join.id, self.room, entered, ice_servers, self._ticket(token)))
        self._outgoing.begin_numbering()
        self._subscribing.on_entered(entered)

    def on_waiting(self) -> None:
        """In the lobby: the answer to `join` comes when somebody has decided."""
        if self.state is State.ENTERING:
            self.state = State.WAITING
            self._outgoing.send(InLobby(room=self.room))

    def on_refused(self, error: Refused | ProtocolError) -> None:
        """What was asked by Enter or TakeUp."""
        if self.state is State.ENTERING:
            assert self._join is not None
            self._decline(self._join.id, error)
        elif self.state is State.TAKING_UP:
            self.state = State.JOINING  # which may still be said on this socket
            self._decline(self._last_request, error)

    def on_room_event(self, event: RoomEvent) -> None:
        if isinstance(event, Evicted) and self.state is State.WAITING:
            assert self._join is not None
            self._decline(self._join.id, Refused(event.code, event.reason))
        elif self.state is not State.JOINED:
            return
        elif isinstance(event, Evicted):
            self._end(event.departure, (event.code, event.reason))
        elif isinstance(event, Transfer):
            self._outgoing.send(Moved(room=event.grant.room, token=self._mint(event.grant)))
            self._end("moved", ("moved", f"moved to {event.grant.room}"))
        else:
            assert self._subscribing and self._publishing and self._correspondence
            if procedures.hear(event, self._publishing, self._subscribing, self._outgoing):
                self._publish_lane.start(self._publishing.enforce())
                self._message_lane.start(self._correspondence.permit(self._publishing.may_send_messages))

    def on_renewed(self, request: int, grant: Grant, refused: Refused | None, now: float) -> None:
        """What was asked by Renew."""
        if refused is None:
            self.grant = grant
            self._expiry.renew(now, grant.valid_for_s)
        self._outgoing.send(procedures.verdict(request, refused and not_refreshed(refused)))

    def on_moderated(self, request: AnyModeration, refused: Refused | None) -> None:
        """What was asked by Moderate. A refusal is about somebody else: it never ends this session."""
        self._outgoing.send(procedures.verdict(request.id, refused))

    def ask(self, question: procedures.Question, tell: Callable[[Any], None]) -> None:
        if self._subscribing is not None:
            self._subscribe_lane.start(answered(question(self._subscribing), tell))

    # --- from the Worker, and from the shell ---

    def on_reply(self, reply: AnyReply) -> None:
        for lane in self._lanes:
            lane.on_reply(reply)

    def on_notice(self, notice: AnyNotice, now: float) -> None:
        if self.state is not State.JOINED:
            return
        assert self._subscribing and self._publishing and self._correspondence
        if isinstance(notice, control.LayerChanged):
            self._subscribing.on_layer(notice)
        elif isinstance(notice, control.MessageHeard):
            self._correspondence.on_heard(notice)
        elif isinstance(notice, control.MessagesGone):
            self._message_lane.abort(Refused("connection_reset", "the media worker is gone"))
            self._message_lane.start(self._correspondence.on_gone(notice))
        elif isinstance(notice, control.LayersWanted):
            self._publishing.on_layers_wanted(notice)
        elif isinstance(notice, control.TransportChanged):
            for name, connection in self._connections.items():
                if notice.transport == connection.transport:
                    self._on_transport(name, notice, now)
                    return

    def on_timeout(self, now: float) -> None:
        if self.state in (State.JOINING, State.TAKING_UP) and now >= self._join_by:
            self._end("disconnected", ("join_timeout", f"no join within {self._limits.join_timeout_s:g} s"))
        if self.state is not State.JOINED:
            return
        self._presence.on_timeout(now)
        if (in_s := self._expiry.take_warning(now)) is not None:
            self._outgoing.send(TokenExpiring(in_s=round(in_s, 3)))
        if (end := self._presence.end(now) or self._expiry.end(now)) is not None:
            self._end(*end)

    def on_shutdown(self) -> None:
        self._end("server_shutdown", ("server_shutdown", "the server stops"))

    def on_fault(self) -> None:
        """A bug of ours was met on the way; this client pays for it, nobody else."""
        self._end("disconnected", ("internal", "an error of the server"))

    # --- requests ---

    def _on_request(self, request: AnyRequest, now: float) -> None:
        kind = type(request)
        if self.state is State.JOINED and kind in procedures.PUBLISHING:
            if self._outgoing.acknowledged < self._reset_seq:
                raise Refused("connection_reset", "said before `reset` was acknowledged")
            self._publish_lane.start(procedures.PUBLISHING[kind](self._publishing, request), request.id)
        elif self.state is State.JOINED and kind in procedures.SUBSCRIBING:
            self._subscribe_lane.start(procedures.SUBSCRIBING[kind](self._subscribing, request), request.id)
        elif self.state is State.JOINED and kind in procedures.CORRESPONDING:
            self._message_lane.start(procedures.CORRESPONDING[kind](self._correspondence, request), request.id)
        elif self.state is State.JOINED and kind in procedures.WISHES:
            procedures.WISHES[kind](self._subscribing, request)
        elif self.state is State.JOINED and isinstance(request, AnyModeration):
            self._outgoing.emit(Moderate(request))
        elif (self.state, kind) in _AT_ONCE:
            _AT_ONCE[self.state, kind](self, request, now)
        else:
            raise ProtocolError("unexpected", f"{kind.__struct_config__.tag} while {self.state.name.lower()}")

    def _on_ack(self, message: Ack) -> None:
        if self.state is not State.JOINED:
            raise ProtocolError("unexpected", f"ack while {self.state.name.lower()}")
        self._outgoing.acknowledge(message.received)
        assert self._correspondence is not None
        self._correspondence.on_acknowledged(message.received)

    def _on_join(self, request: Join, now: float) -> None:
        self.grant = self._authenticate(request.token, self.room)
        self._expiry.renew(now, self.grant.valid_for_s)
        self._join = request
        if request.client is not None:
            self.client = f"{request.client.name} {request.client.version}"
        self.state = State.ENTERING
        self._outgoing.emit(Enter(self.grant))

    def _on_request_reset(self, request: RequestReset, now: float) -> None:
        self._outgoing.send(Ok(id=request.id))
        if self._connections[request.connection].transport is not None:
            self._reset(request.connection, now)

    # --- the rest ---

    @property
    def _connections(self) -> dict[ConnectionName, Publishing | Subscribing]:
        assert self._publishing is not None and self._subscribing is not None
        return {"publish": self._publishing, "subscribe": self._subscribing}

    def _on_transport(self, name: ConnectionName, notice: control.TransportChanged, now: float) -> None:
        state = TransportState(notice.state)
        self._outgoing.send(TransportChanged(connection=name, state=state))
        if state is not TransportState.GONE:
            self._presence.on_transport(name, state)
            self._tell_presence()
            return
        self._connections[name].on_gone()
        if self._presence.may_be_rebuilt(name, notice.reason):
            self._reset(name, now)
        else:
            self._end("disconnected", ("transport_lost", f"{name}: {notice.reason}"))

    def _reset(self, name: ConnectionName, now: float) -> None:
        """The Transport is gone, or is to go; the participant and its tracks stay."""
        lane = self._publish_lane if name == "publish" else self._subscribe_lane
        lane.abort(Refused("connection_reset", f"the {name} connection is to be built anew"))
        self._connections[name].reset()
        if name == "publish" and self._publishing is not None:
            self._publish_lane.start(self._publishing.enforce())  # should that have been under way
        self._presence.on_reset(name, now)
        self._say_reset((name,))

    def _say_reset(self, names: tuple[ConnectionName, ...]) -> None:
        seq = self._outgoing.send(Reset(connections=names))
        if "publish" in names:
            self._reset_seq = seq

    def _tell_presence(self) -> None:
        change = self._presence.change()
        if change is not None:
            assert self.grant is not None
            self._outgoing.emit(Announce(ParticipantChanged(identity=self.grant.identity, state=change)))

    def _decline(self, request: int | None, error: Refused | ProtocolError) -> None:
        """The one place where errors become messages: `error`, and `closing` where the code says so."""
        if self.state is State.CLOSED:
            return
        if request is not None:
            self._outgoing.send(Error(id=request, code=error.code, reason=error.reason))
        joined = self.state is State.JOINED
        if closing.close_code(error.code, joined=joined) is not None:
            self._end("disconnected", (error.code, error.reason))
        elif request is None:
            logger.warning("room=%s: %s", self.room, error)

    def _end(self, departure: LeaveReason, farewell: tuple[str, str] | None) -> None:
        """Close for good. `farewell`: code and reason told to the client; None: by its own wish."""
        if self.state is State.CLOSED:
            return
        code, reason = farewell or ("left", "")
        ws_code = closing.close_code(code, joined=self.state is State.JOINED) or closing.NORMAL_CLOSE
        if farewell is not None:
            self._outgoing.send(Closing(code=code, reason=reason))
        self.state = State.CLOSED
        for lane in self._lanes:
            lane.close()
        for part in (self._publishing, self._subscribing, self._correspondence):
            if part is not None:
                part.close()
        self._outgoing.emit(Depart(departure))
        self._outgoing.emit(Close(ws_code, code, reason))

    def _ticket(self, token: str) -> ResumeTicket:
        return ResumeTicket(token=token, within_s=self._limits.resume_within_s)

    def _call(self, command: control.AnyCommand) -> None:
        self._outgoing.emit(Call(command))


def _on_ping(session: ClientSession, request: Ping, now: float) -> None:
    session._outgoing.send(Ok(id=request.id))


def _on_leave(session: ClientSession, request: Leave, now: float) -> None:
    session._outgoing.send(Ok(id=request.id))
    session._end("left", None)


def _on_refresh(session: ClientSession, request: Refresh, now: float) -> None:
    assert session.grant is not None
    session._outgoing.emit(Renew(request.id, another_grant(session._authenticate, request.token, session.grant)))


def _on_resume(session: ClientSession, request: Resume, now: float) -> None:
    session.state = State.TAKING_UP
    session._outgoing.emit(TakeUp(request))


# What concerns the session itself.
_AT_ONCE: Final[dict[tuple[State, type], Callable[[ClientSession, Any, float], None]]] = {
    (State.JOINING, Join): ClientSession._on_join,
    (State.JOINING, Resume): _on_resume,
    (State.JOINED, RequestReset): ClientSession._on_request_reset,
    (State.JOINED, Refresh): _on_refresh,
    (State.JOINED, Ping): _on_ping,
    (State.WAITING, Ping): _on_ping,
    (State.JOINED, Leave): _on_leave,
    (State.WAITING, Leave): _on_leave,
}
