"""What the tests of sessions share: a session to talk to. A Worker's Replies and a room's answers are plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from msgspec.structs import replace

from sfu import control
from sfu.control import AnyCommand, AnyReply, Done, Failed, SlotAdded, TransportOpened
from signaling.auth import Grant
from signaling.errors import ProtocolError
from signaling.limits import SessionLimits
from signaling.messages import (
    KIND_OF_SOURCE,
    Answer,
    AnyRequest,
    Grants,
    IceServer,
    Join,
    Participant,
    Publish,
    Resume,
    ResumeTicket,
    Source,
    TrackDescription,
    TrackToPublish,
)
from signaling.moderation_messages import AnyModeration, RoomState
from signaling.names import Names
from signaling.negotiation import Answerer
from signaling.outputs import Announce, Attend, Call, Close, Depart, Enter, Moderate, Send, TakeUp
from signaling.room_events import Change, Entered, RoomEvent
from signaling.session import ClientSession
from signaling.subprotocols import JSON, MSGPACK
from signaling.whip.exchange import Response
from tests.signaling.descriptions import LOCAL, audio, described, video

TOKEN = "resume-me"
TICKET = ResumeTicket(token=TOKEN, within_s=30.0)
ICE_SERVERS = (IceServer(urls=("stun:stun.example.org",)),)
ALL = Grants(create=True, publish=True, subscribe=True, message=True)
ROOM = RoomState(max_participants=100, version=1)
TWO_TRACKS = described(audio("0"), video("1", "a=sendonly", "a=rid:q send", "a=rid:f send", "a=simulcast:send q;f"))


def track(name: str, source: Source = "camera", rids: tuple[str, ...] = ()) -> TrackDescription:
    return TrackDescription(id=name, kind=KIND_OF_SOURCE[source], source=source, muted=False, rids=rids)


def participant(identity: str, *tracks: TrackDescription) -> Participant:
    return Participant(identity=identity, name=identity.title(), state="connected", tracks=tracks)


def answer_to(offer: str) -> str:
    """What a client answers that takes everything."""
    answerer = Answerer()
    read = answerer.on_offer(offer)
    return answerer.answer(LOCAL, receive=[media.mid for media in read.media if media.sends])


def entered(
    *others: Participant, grants: Grants = ALL, media: Mapping[str, str | None] | None = None, **more: Any
) -> Entered:
    """How Ada finds the room."""
    return Entered(participant("ada"), others, grants, ROOM, media or {}, **more)


class Conversation:
    """One session and what it said. `token` in `join` is not looked at: `grants` are what it would permit."""

    def __init__(
        self,
        grants: Grants = ALL,
        limits: SessionLimits | None = None,
        authenticate: Callable[[str, str], Grant] | None = None,
    ) -> None:
        self._grants = grants
        self._requests = count(1)
        self._tracks = count(1)
        self._ssrcs = count(1000, 2)
        self.session = ClientSession(
            ice_servers=lambda identity: ICE_SERVERS,
            room="demo",
            subprotocol=JSON,
            names=Names(7, count(1), lambda: f"TR_{next(self._tracks)}"),
            mint=lambda grant: f"token for {grant.room}",
            authenticate=authenticate or (lambda token, room: Grant("ada", "Ada", room, grants)),
            limits=limits or SessionLimits(),
            now=0.0,
        )
        self.now = 0.0
        self.away: bool | None = None
        self.numbered: list[Any] = []  # what was sent, as it was
        self.seqs: list[int] = []  # of all that was sent; the messages themselves are kept without
        self.sent: list[Any] = []
        self.calls: list[AnyCommand] = []  # not answered yet
        self.said: list[AnyCommand] = []  # to the Worker, ever
        self.subscriptions: dict[str, str] = {}  # that the Worker has, by its name of the track
        self.opened: list[str] = []  # Transports, as named to the Worker
        self.changes: list[Change] = []
        self.departed: str | None = None
        self.closed: Close | None = None
        self.entering: Enter | None = None
        self.moderating: AnyModeration | None = None
        self.taking_up: Resume | None = None

    # --- from the client

    def say(self, request: Callable[[int], AnyRequest]) -> list[Any]:
        """A request with the next id; returns what is sent at once."""
        return self.do(lambda session: session.on_message(request(next(self._requests)), self.now))

    def join(self, *others: Participant, auto_subscribe: bool = True) -> Conversation:
        return self.enter(entered(*others, grants=self._grants), auto_subscribe=auto_subscribe)

    def enter(self, found: Entered, *, auto_subscribe: bool = True) -> Conversation:
        self.say(lambda number: Join(id=number, token="", auto_subscribe=auto_subscribe))
        self.do(lambda session: session.on_entered(found, TOKEN))
        return self

    def publish(self, sdp: str = TWO_TRACKS, **sources: Source) -> list[Any]:
        """`_0="microphone"` names mid 0. All that the Worker is asked it does."""
        wishes = tuple(TrackToPublish(mid=mid[1:], source=source) for mid, source in sources.items())
        sent = self.say(lambda number: Publish(id=number, sdp=sdp, tracks=wishes))
        return sent + self.serve()

    def answer(self, number: int | None = None, sdp: str | None = None) -> list[Any]:
        """Answer the last offer, taking everything; and let the Worker do what follows."""
        offer = self.last("offer")
        text = sdp or answer_to(offer.sdp)
        sent = self.say(lambda id: Answer(id=id, offer=number or offer.offer, sdp=text))
        return sent + self.serve()

    def lose_socket(self) -> Conversation:
        self.do(lambda session: session.on_disconnected(self.now, leaving=False))
        return self

    def resume(self, received: int, present: Entered | None = None) -> list[Any]:
        """On a new socket, msgpack this time. `present`: who is there."""
        request = Resume(id=500, token=TOKEN, received=received)
        found = present or entered(grants=self._grants)
        return self.do(lambda session: session.on_resumed(request, "next", MSGPACK, found, self.now))

    # --- from the room

    def hear(self, event: RoomEvent) -> list[Any]:
        return self.do(lambda session: session.on_room_event(event))

    # --- from the Worker

    def notice(self, transport: str, state: str, reason: str = "") -> list[Any]:
        message = control.TransportChanged(transport=transport, state=state, reason=reason)
        return self.do(lambda session: session.on_notice(message, self.now))

    def serve(self) -> list[Any]:
        """Answer all calls, and those that follow, as a Worker to whom all is well."""
        sent: list[Any] = []
        while self.calls:
            sent += self.reply(self._done(self.calls[0]))
        return sent

    def refuse(self, code: str) -> list[Any]:
        return self.reply(Failed(call=self.calls[0].call, code=code, reason="because"))

    def reply(self, reply: AnyReply) -> list[Any]:
        """To the oldest call."""
        command = self.calls.pop(0)
        assert command.call == reply.call
        return self.do(lambda session: session.on_reply(reply))

    def done(self) -> list[Any]:
        return self.reply(self._done(self.calls[0]))

    def _done(self, command: AnyCommand) -> AnyReply:
        if isinstance(command, control.OpenTransport | control.RestartIce):
            return TransportOpened(
                call=command.call, ice=LOCAL.ice, fingerprints=LOCAL.fingerprints, candidates=LOCAL.candidates
            )
        if isinstance(command, control.AddSlot):
            ssrc = next(self._ssrcs)
            return SlotAdded(call=command.call, ssrc=ssrc, rtx_ssrc=ssrc + 1 if command.kind == "video" else None)
        if isinstance(command, control.Subscribe):
            self.subscriptions[command.track] = command.subscription
        if isinstance(command, control.Unsubscribe):
            names = self.subscriptions.items()
            self.subscriptions = {track: name for track, name in names if name != command.subscription}
        return Done(call=command.call)

    # --- what came of it

    def do(self, feed: Callable[[ClientSession], None]) -> list[Any]:
        """Feed it, let it settle, take its outputs; returns the messages it sends."""
        return self.feed(feed)

    def feed(self, feed: Callable[[ClientSession], Any]) -> list[Any]:
        feed(self.session)
        self.session.settle()
        sent = []
        while (output := self.session.poll()) is not None:
            assert self.closed is None, "Close is the last output"
            match output:
                case Send(message):
                    assert not isinstance(message, Response)
                    self.seqs.append(message.seq)
                    self.numbered.append(message)
                    sent.append(replace(message, seq=0))
                case Call(command):
                    self.calls.append(command)
                    self.said.append(command)
                    if isinstance(command, control.OpenTransport):
                        self.opened.append(command.transport)
                case Announce(change):
                    self.changes.append(change)
                case Attend(away):
                    self.away = away
                case TakeUp(resume):
                    self.taking_up = resume
                case Depart(reason):
                    self.departed = reason
                case Close():
                    self.closed = output
                case Moderate(request):
                    self.moderating = request
                case Enter():
                    self.entering = output
        self.sent += sent
        return sent

    def last(self, tag: str) -> Any:
        return [message for message in self.sent if message.__struct_config__.tag == tag][-1]

    @property
    def end(self) -> tuple[int, str] | None:
        """WebSocket close code and code, once it is closed."""
        return (self.closed.ws_code, self.closed.code) if self.closed is not None else None

    @property
    def called(self) -> list[str]:
        """The names of the Commands that wait for an answer."""
        return [type(command).__name__ for command in self.calls]


def tags(messages: Sequence[Any]) -> list[str]:
    return [message.__struct_config__.tag for message in messages]


def refusing(code: str) -> Callable[[str, str], Grant]:
    def authenticate(token: str, room: str) -> Grant:
        raise ProtocolError(code, "because")

    return authenticate
