"""One WHIP or WHEP session: a POST, then PATCHes and a DELETE. Sans-IO, and used like `ClientSession`.

    NEW ── Post ──► ENTERING ── on_entered ──► ANSWERING ──► LIVE ── Delete, its Transport gone, replaced, … ──► CLOSED
     └── bad token or offer ──► CLOSED ◄── on_refused ──┘          Created        Taken, Restarted

In the room it is a participant like any other. An offer that cannot be answered is refused before the room is entered,
as entering may put out another session of the same identity. PATCHes are carried out one after the other, each looked
at when its turn comes: which ICE session it means depends on those before (RFC 9725 §4.3.1).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from hashlib import sha256
from hmac import compare_digest
from typing import Literal, Protocol

from sfu import control
from sfu.control import AnyNotice, AnyReply, IceParameters, TransportOpened
from sfu.core.types import TransportState
from signaling import closing, sdp, sdp_transport
from signaling.auth import Grant
from signaling.errors import ProtocolError, Refused
from signaling.lane import Lane, Procedure, Steps, answered
from signaling.limits import SessionLimits
from signaling.messages import Explanation, LeaveReason, ParticipantChanged, ParticipantState
from signaling.names import Names
from signaling.outputs import Announce, Call, Close, Depart, Enter, Output, Send
from signaling.rate import Rate
from signaling.room_events import Entered, Evicted, Permit, RoomEvent, Together, Transfer
from signaling.whip.egress import Egress
from signaling.whip.exchange import Created, Declined, Delete, Ended, Patch, Post, Request, Response, Restarted, Taken
from signaling.whip.ingestion import Ingestion

logger = logging.getLogger(__name__)

Direction = Literal["whip", "whep"]


class Content(Protocol):
    """What the session is for. Made from an offer; raises then what is wrong with it."""

    @property
    def transport(self) -> str | None: ...

    def begin(self) -> Steps[str]:
        """Returns the answer."""

    def explanation(self) -> Steps[Explanation]: ...

    def is_restart(self, ice: IceParameters) -> bool: ...

    def restart_ice(self, ice: IceParameters) -> Steps[TransportOpened]: ...

    def on_entered(self, entered: Entered) -> None: ...

    def on_room_event(self, event: RoomEvent) -> None: ...

    def settle(self) -> None: ...

    def on_gone(self) -> None: ...

    def close(self) -> None: ...


class State(Enum):
    NEW = auto()
    ENTERING = auto()
    ANSWERING = auto()
    LIVE = auto()
    CLOSED = auto()


class HttpSession:
    """`participant`: whom to watch; None: whoever published first. `authenticate(token, room)` gives the Grant or
    raises ProtocolError."""

    def __init__(
        self,
        direction: Direction,
        *,
        room: str,
        participant: str | None,
        names: Names,
        authenticate: Callable[[str, str], Grant],
        limits: SessionLimits,
        now: float,
    ) -> None:
        self.room = room
        self.state = State.NEW
        self.grant: Grant | None = None
        self.client = ""
        self._direction = direction
        self._participant = participant
        self._names = names
        self._authenticate = authenticate
        self._limits = limits
        self._rate = Rate(limits.messages_per_s, limits.messages_burst, now)
        self._outputs: deque[Output] = deque()
        self._lane = Lane(lambda command: self._outputs.append(Call(command)), self._decline, limits.max_waiting)
        self._content: Content | None = None
        self._opened_by = b""  # digest of the token
        self._waiting: set[int] = set()  # requests without a response
        self._post = 0  # the first of them
        self._answer = ""
        self._entity_tag = ""
        self._reconnecting = False

    def poll(self) -> Output | None:
        return self._outputs.popleft() if self._outputs else None

    def next_timeout(self) -> float | None:
        """Nothing is waited for here: the Worker ends a Transport that is never connected, or silent."""
        return None

    def settle(self) -> None:
        if self.state is State.LIVE and self._content is not None:
            self._content.settle()

    # --- from the client ---

    def on_request(self, request: Request, now: float) -> None:
        self._waiting.add(request.request)
        try:
            match request:
                case Post():
                    self._on_post(request)
                case Patch():
                    self._on_patch(request, now)
                case Delete():
                    self._on_delete(request)
        except (ProtocolError, Refused) as error:
            self._decline(request.request, error)

    # --- from the room ---

    def on_entered(self, entered: Entered) -> None:
        if self.state is State.ENTERING:
            assert self._content is not None
            if self._direction == "whep" and not entered.grants.subscribe:
                self._decline(self._post, Refused("not_granted", "watching is not permitted any more"))
                return
            self.state = State.ANSWERING
            self._content.on_entered(entered)
            self._lane.start(self._begin(self._content), self._post)

    def on_waiting(self) -> None:
        """A POST is answered now or not at all."""
        if self.state is State.ENTERING:
            self._decline(self._post, Refused("lobby", "the room has a lobby, where this way in cannot wait"))

    def on_refused(self, error: Refused) -> None:
        if self.state is State.ENTERING:
            self._decline(self._post, error)

    def on_room_event(self, event: RoomEvent) -> None:
        if self.state not in (State.ANSWERING, State.LIVE):
            return
        assert self._content is not None
        if isinstance(event, Evicted):
            self._end(event.departure, event.code, event.reason)
        elif isinstance(event, Transfer):
            self._end("moved", "moved", f"moved to {event.grant.room}")
        elif isinstance(event, Permit) and self._direction == "whep" and not event.grants.subscribe:
            self._end("removed", "not_granted", "watching is not permitted any more")
        else:
            for one in event.events if isinstance(event, Together) else (event,):
                self._content.on_room_event(one)

    # --- from the Worker ---

    def on_reply(self, reply: AnyReply) -> None:
        self._lane.on_reply(reply)

    def on_notice(self, notice: AnyNotice, now: float) -> None:
        if self._content is None or not isinstance(notice, control.TransportChanged):
            return
        if self.state is State.CLOSED or notice.transport != self._content.transport:
            return
        state = TransportState(notice.state)
        if state is TransportState.GONE:
            self._content.on_gone()
            # RFC 9725 §4.2: closing DTLS is a way to end the session.
            reasons: dict[str, LeaveReason] = {"silent": "timeout", "closed_by_remote": "left"}
            self._end(reasons.get(notice.reason, "disconnected"), "transport_lost", notice.reason)
        elif self._reconnecting != (state is TransportState.RECONNECTING):
            assert self.grant is not None
            self._reconnecting = state is TransportState.RECONNECTING
            seen: ParticipantState = "reconnecting" if self._reconnecting else "connected"
            self._outputs.append(Announce(ParticipantChanged(identity=self.grant.identity, state=seen)))

    # --- from the shell ---

    def on_timeout(self, now: float) -> None:
        """See `next_timeout`."""

    def ask(self, question: object, tell: Callable[[Refused], None]) -> None:
        tell(Refused("conflict", "who publishes or watches by HTTP says nothing of what it is to receive"))

    def explain(self, tell: Callable[[Explanation | Refused], None]) -> None:
        """Why its viewer receives what it does."""
        if self.state is State.LIVE and self._content is not None:
            self._lane.start(answered(self._content.explanation(), tell))
        else:
            tell(Refused("unavailable", "the connection is not there yet"))

    def on_shutdown(self) -> None:
        self._end("server_shutdown", "server_shutdown", "the server stops")

    def on_fault(self) -> None:
        """A bug of ours was met on the way; this session pays for it, no other."""
        self._end("disconnected", "internal", "an error of the server")

    # --- requests ---

    def _on_post(self, request: Post) -> None:
        assert self.state is State.NEW, "a session begins once"
        self._post = request.request
        self.client = request.client
        self.grant = self._authenticate(_present(request.token), self.room)
        self._opened_by = _digest(_present(request.token))
        if self._direction == "whip":
            self._content = Ingestion(
                self.grant,
                request.offer,
                names=self._names,
                limits=self._limits,
                emit=self._outputs.append,
                lane=self._lane,
            )
        else:
            self._content = Egress(
                self.grant,
                request.offer,
                self._participant,
                names=self._names,
                emit=self._outputs.append,
                lane=self._lane,
            )
        self.state = State.ENTERING
        self._outputs.append(Enter(self.grant))

    def _on_patch(self, request: Patch, now: float) -> None:
        self._authorize(request.token)
        if not self._rate.allows(now):
            raise Refused("rate", f"more than {self._limits.messages_per_s:g} requests per second")
        if request.if_match is None:
            raise Refused("precondition_required", "If-Match has to name the ICE session, or be * to restart it")
        ice = sdp_transport.read_fragment(sdp.parse_fragment(request.fragment))
        self._lane.start(self._patch(request.request, request.if_match, ice), request.request)

    def _on_delete(self, request: Delete) -> None:
        self._authorize(request.token)
        self._respond(Ended(request.request))
        self._end("left", "left", "the session has ended")

    def _authorize(self, token: str | None) -> None:
        """The token that opened the session stays good for it, also when it has expired; any other of the same
        identity will do too."""
        if self.state is not State.LIVE:
            raise Refused("unknown_session", "the session has not begun")
        assert self.grant is not None
        token = _present(token)
        if compare_digest(_digest(token), self._opened_by):
            return
        if self._authenticate(token, self.room).identity != self.grant.identity:
            raise Refused("not_granted", "this session is another participant's")

    # --- procedures ---

    def _begin(self, content: Content) -> Procedure:
        answer = yield from content.begin()
        self._answer = answer
        self._entity_tag = _entity_tag(sdp_transport.read_fragment(sdp.parse(answer)))
        self.state = State.LIVE
        self._respond(Created(self._post, answer, self._entity_tag))

    def _patch(self, request: int, if_match: str, ice: IceParameters | None) -> Procedure:
        assert self._content is not None
        tags = [tag.strip() for tag in if_match.split(",")]
        if tags != ["*"] and self._entity_tag not in tags:
            raise Refused("precondition_failed", "this ICE session is over: restart it with If-Match: *")
        if ice is None or not self._content.is_restart(ice):
            # An ICE-lite agent learns its remote's addresses from its checks, and needs no candidates.
            self._respond(Taken(request))
            return
        local = yield from self._content.restart_ice(ice)
        self._entity_tag = _entity_tag(local.ice)
        fragment = sdp.write(sdp_transport.write_fragment(sdp.parse(self._answer), local))
        self._respond(Restarted(request, fragment, self._entity_tag))

    # --- the rest ---

    def _decline(self, request: int | None, error: Refused | ProtocolError) -> None:
        if request is None:
            logger.warning("room=%s: %s", self.room, error)
        elif self.state in (State.CLOSED, State.LIVE):
            self._respond(Declined(request, error.code, error.reason))
        else:
            self._end("disconnected", error.code, error.reason)

    def _end(self, departure: LeaveReason, code: str, reason: str) -> None:
        """Close for good; whoever still waits for a response is told why."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        # Who still asks for something of a session that its client has ended is too late, and that is all.
        told = "unknown_session" if departure == "left" else code
        for request in sorted(self._waiting):
            self._respond(Declined(request, told, reason))
        self._lane.close()
        if self._content is not None:
            self._content.close()
        self._outputs.append(Depart(departure))
        self._outputs.append(Close(closing.NORMAL_CLOSE, code, reason))

    def _respond(self, response: Response) -> None:
        if response.request in self._waiting:
            self._waiting.discard(response.request)
            self._outputs.append(Send(response))


def _present(token: str | None) -> str:
    if token is None:
        raise ProtocolError("token_missing", "Authorization: Bearer TOKEN is missing")
    return token


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="surrogateescape")).digest()


def _entity_tag(ice: IceParameters | None) -> str:
    """Strong (RFC 9110 §8.8.3). A username fragment is random, public, and names the ICE session as it is."""
    assert ice is not None, "our answers have credentials"
    return f'"{ice.username_fragment}"'
