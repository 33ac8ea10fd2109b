"""What the tests of HTTP sessions share: a session to send requests to. A Worker's Replies and a room's answers are
plain values."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from sfu import control
from sfu.control import AnyCommand, AnyReply, Done, Failed, IceParameters, SlotAdded, TransportOpened
from signaling.auth import Grant
from signaling.errors import ProtocolError
from signaling.limits import SessionLimits
from signaling.messages import Grants, Participant
from signaling.names import Names
from signaling.outputs import Announce, Call, Close, Depart, Enter, Send
from signaling.room_events import Change
from signaling.whip.exchange import Created, Declined, Delete, Patch, Post, Response
from signaling.whip.session import Direction, HttpSession
from tests.signaling.conversations import entered
from tests.signaling.descriptions import LOCAL, audio, described, video

SENT = described(audio("0"), video("1"))
RECEIVED = described(audio("0", "a=recvonly"), video("1", "a=recvonly"))
NEW_ICE = "a=ice-ufrag:newer\r\na=ice-pwd:newernewernewernewernewer\r\n"
SAME_ICE = "a=ice-ufrag:remote\r\na=ice-pwd:remoteremoteremoteremote\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"


def authenticate(token: str, room: str) -> Grant:
    """`identity[-grant…]`, where a grant is left out; `bad` is no token at all."""
    if token == "bad":
        raise ProtocolError("token_invalid", "because")
    identity, *missing = token.split("-")
    grants: dict[str, Any] = {"create": True, "publish": True, "subscribe": True} | dict.fromkeys(missing, False)
    return Grant(identity, identity.title(), room, Grants(**grants))


class Exchange:
    """One session and what it said."""

    def __init__(
        self,
        direction: Direction = "whip",
        participant: str | None = None,
        limits: SessionLimits | None = None,
        authenticate: Callable[[str, str], Grant] = authenticate,
    ) -> None:
        self._requests = count(1)
        self._tracks = count(1)
        self._ssrcs = count(1000)
        self._restarts = count(1)
        self.session = HttpSession(
            direction,
            room="demo",
            participant=participant,
            names=Names(7, count(1), lambda: f"TR_{next(self._tracks)}"),
            authenticate=authenticate,
            limits=limits or SessionLimits(),
            now=0.0,
        )
        self.responses: list[Response] = []
        self.calls: list[AnyCommand] = []  # not answered yet
        self.served: list[AnyCommand] = []
        self.changes: list[Change] = []
        self.entering: Grant | None = None
        self.departed: str | None = None
        self.closed: Close | None = None

    # --- from the client

    def post(self, offer: str, token: str | None = "ada") -> list[Response]:
        return self._ask(lambda number: Post(number, token, offer, "test"))

    def patch(self, if_match: str | None, fragment: str, token: str | None = "ada", now: float = 0.0) -> list[Response]:
        return self._ask(lambda number: Patch(number, token, if_match, fragment), now)

    def delete(self, token: str | None = "ada") -> list[Response]:
        return self._ask(lambda number: Delete(number, token))

    def _ask(self, make: Callable[[int], Any], now: float = 0.0) -> list[Response]:
        return self.do(lambda session: session.on_request(make(next(self._requests)), now))

    def begin(self, *others: Participant, offer: str | None = None, token: str = "ada") -> Exchange:
        """All that has to go well does."""
        self.post(offer or (SENT if self.session._direction == "whip" else RECEIVED), token)
        self.enter(*others)
        self.serve()
        assert isinstance(self.responses[-1], Created), self.responses
        return self

    # --- from the room and the Worker

    def enter(self, *others: Participant) -> list[Response]:
        return self.do(lambda session: session.on_entered(entered(*others)))

    def serve(self) -> list[Response]:
        """Answer all calls, and those that follow, as a Worker to whom all is well."""
        responses: list[Response] = []
        while self.calls:
            responses += self.reply(self._done(self.calls[0]))
        return responses

    def done(self) -> list[Response]:
        return self.reply(self._done(self.calls[0]))

    def refuse(self, code: str) -> list[Response]:
        return self.reply(Failed(call=self.calls[0].call, code=code, reason="because"))

    def reply(self, reply: AnyReply) -> list[Response]:
        self.served.append(self.calls.pop(0))
        return self.do(lambda session: session.on_reply(reply))

    def notice(self, state: str, reason: str = "") -> None:
        assert self.session._content is not None and self.session._content.transport is not None
        changed = control.TransportChanged(transport=self.session._content.transport, state=state, reason=reason)
        self.do(lambda session: session.on_notice(changed, 0.0))

    def _done(self, command: AnyCommand) -> AnyReply:
        if isinstance(command, control.OpenTransport | control.RestartIce):
            ice = LOCAL.ice
            if isinstance(command, control.RestartIce):
                ice = IceParameters(f"restarted{next(self._restarts)}", LOCAL.ice.password)
            return TransportOpened(
                call=command.call, ice=ice, fingerprints=LOCAL.fingerprints, candidates=LOCAL.candidates
            )
        if isinstance(command, control.AddSlot):
            rtx = next(self._ssrcs) if command.kind == "video" else None
            return SlotAdded(call=command.call, ssrc=next(self._ssrcs), rtx_ssrc=rtx)
        return Done(call=command.call)

    # --- what came of it

    def do(self, feed: Callable[[HttpSession], None]) -> list[Response]:
        """Feed it, let it settle, take its outputs; returns its responses."""
        feed(self.session)
        self.session.settle()
        responses: list[Response] = []
        while (output := self.session.poll()) is not None:
            assert self.closed is None, "Close is the last output"
            match output:
                case Send(message):
                    responses.append(message)  # type: ignore[arg-type]
                case Call(command):
                    self.calls.append(command)
                case Announce(change):
                    self.changes.append(change)
                case Enter(grant):
                    self.entering = grant
                case Depart(reason):
                    self.departed = reason
                case Close():
                    self.closed = output
        self.responses += responses
        return responses

    @property
    def called(self) -> list[str]:
        """The names of the Commands that wait for an answer."""
        return [type(command).__name__ for command in self.calls]

    @property
    def tag(self) -> str:
        """The ICE session as the client knows it."""
        return [
            one.entity_tag for one in self.responses if not isinstance(one, Declined) and hasattr(one, "entity_tag")
        ][-1]


def code(responses: list[Response]) -> str:
    """Of the one refusal."""
    (declined,) = responses
    assert isinstance(declined, Declined), declined
    return declined.code
