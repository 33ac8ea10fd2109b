"""Many sessions at once, in random order, against a Worker that minds the contract: in the end everybody has what he
should, nothing is left of who went, and no Command was ever out of place."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import count
from typing import Any
from unittest.mock import patch

from sfu.control import Failed
from signaling.auth import Grant, mint
from signaling.limits import RoomLimits, SessionLimits
from signaling.messages import (
    Ack,
    Answer,
    Closing,
    Error,
    Explain,
    Grants,
    Join,
    Joined,
    Layout,
    Leave,
    LimitLayer,
    Mute,
    Offer,
    Ok,
    ParticipantLeft,
    Publish,
    Published,
    Reset,
    Resume,
    Resumed,
    SlotsChanged,
    Source,
    Subscribe,
    Tile,
    TrackToPublish,
    Unpublish,
    Unsubscribe,
)
from signaling.moderation_messages import Remove, RoomChanged, SetRoom
from signaling.subprotocols import JSON, Frame
from signaling.switchboard import Switchboard
from tests.signaling.conversations import answer_to
from tests.signaling.descriptions import audio, described, video
from tests.signaling.strict_worker import StrictWorker
from tests.support.ice import until

SECRET = "s" * 32
CAMERA = ("a=sendonly", "a=rid:q send", "a=rid:f send", "a=simulcast:send q;f")
# What may be asked in vain, because the track ended while the Command was under way.
RACES = {"unknown_track", "unknown_subscription", "connection_reset"}


class Wire:
    """One WebSocket of a client; what comes by an old one is not for it any more."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def send(self, frame: Frame) -> None:
        assert self._client.wire is self, "nothing by a socket that is lost"
        self._client.send(frame)

    def close(self, ws_code: int, reason: str) -> None:
        if self._client.wire is self:
            self._client.close(ws_code, reason)


class Client:
    """One participant, and what its page would know."""

    def __init__(self, switchboard: Switchboard, identity: str, automatic: bool) -> None:
        self.identity = identity
        self.automatic = automatic
        self.closed: tuple[int, str] | None = None
        self.offers: list[Offer] = []
        self.answered = 0
        self.carried: dict[str, str] = {}  # mid → track
        self.live: dict[str, str] = {}  # our tracks by mid
        self.lines: list[list[str]] = []
        self.others: dict[str, str] = {}  # tracks of the others, and whose
        self.open: set[int] = set()  # requests without an answer
        self._switchboard = switchboard
        self._requests = count(1)
        self._said: dict[int, Any] = {}  # requests without an answer
        self._ticket = ""
        self._received = 0
        self.away = False
        self._connect()

    def _connect(self) -> None:
        self.wire = Wire(self)
        self.number = self._switchboard.connect("demo", JSON, self.wire, "-")

    def lose_socket(self) -> None:
        self.away = True
        self._switchboard.on_disconnected(self.number, leaving=False)

    def come_back(self, *, half_open: bool = False) -> None:
        """`half_open`: the server has not noticed that the last socket is lost."""
        assert self.away or half_open
        self._connect()
        self.away = False
        resume = Resume(id=10**9, token=self._ticket, received=self._received)
        self.open.add(resume.id)
        self._switchboard.on_frame(self.number, JSON.encode(resume))

    # Connection
    def send(self, frame: Frame) -> None:
        assert self.closed is None, "nothing after the end"
        message = JSON.read_server_message(frame)
        if message.seq:
            assert message.seq == self._received + 1, "each message once, and in order"
            self._received = message.seq
        number = getattr(message, "id", None)
        if number is not None:
            self.open.remove(number)
            request = self._said.pop(number, None)
            if isinstance(request, Unpublish) and isinstance(message, Ok):
                self.live = {mid: track for mid, track in self.live.items() if track != request.track}
        self._note(message)

    def close(self, ws_code: int, reason: str) -> None:
        assert self.closed is None
        self.closed = (ws_code, reason)

    def _note(self, message: Any) -> None:
        match message:
            case Resumed(resume=ticket, handled=handled):
                self._ticket = ticket.token
                for number, request in list(self._said.items()):
                    if number > handled:
                        self._switchboard.on_frame(self.number, JSON.encode(request))
            case Reset(connections=connections):
                self._rebuild(connections)
            case Joined(participants=participants, resume=ticket):
                self._ticket = ticket.token
                for one in participants:
                    self.others |= {track.id: one.identity for track in one.tracks}
            case Offer():
                assert not self.offers or self.answered == self.offers[-1].offer, "one offer at a time"
                self.offers.append(message)
                self.carried = {slot.mid: slot.track for slot in message.slots}
            case SlotsChanged(slots=slots, freed=freed):
                self.carried = {mid: track for mid, track in self.carried.items() if mid not in freed}
                self.carried |= {slot.mid: slot.track for slot in slots}
            case Published(tracks=tracks):
                self.live = {track.mid: track.track for track in tracks}
            case ParticipantLeft(identity=identity):
                self.others = {track: whose for track, whose in self.others.items() if whose != identity}
            case Error(code=code):
                assert code in RACES | {"unknown_offer", "resume_invalid", "replaced"}, message
                if code == "resume_invalid":
                    self.closed = (1006, code)
            case Closing(code=code):
                assert code in ("replaced", "server_shutdown", "join_timeout"), message
            case _:
                tag = message.__struct_config__.tag
                if tag == "track_published":
                    assert message.track.id not in self.others
                    self.others[message.track.id] = message.identity
                elif tag == "track_unpublished":
                    del self.others[message.track]

    def say(self, type: Any, **fields: Any) -> None:
        request = type(id=next(self._requests), **fields)
        self.open.add(request.id)
        self._said[request.id] = request
        if not self.away:
            self._switchboard.on_frame(self.number, JSON.encode(request))

    def _rebuild(self, connections: Sequence[str]) -> None:
        self._switchboard.on_frame(self.number, JSON.encode(Ack(received=self._received)))
        if "subscribe" in connections:
            self.offers.clear()
            self.carried = {}
        if "publish" in connections and self.live:
            tracks = tuple(
                TrackToPublish(mid=mid, source="camera" if int(mid) % 2 else "microphone", track=track)
                for mid, track in self.live.items()
            )
            self.say(Publish, sdp=described(*self.lines), tracks=tracks)

    def join(self, *, administer: bool = False) -> None:
        grants = Grants(create=True, publish=True, subscribe=True, administer=administer)
        grant = Grant(self.identity, "", "demo", grants)
        token = mint(grant, key_id="a", secret=SECRET, now=time.time(), valid_for_s=60)
        self.say(Join, token=token, auto_subscribe=self.automatic)

    def publish(self) -> None:
        mid = str(len(self.lines))
        is_video = len(self.lines) % 2
        self.lines.append(video(mid, *CAMERA) if is_video else audio(mid))
        source: Source = "camera" if is_video else "microphone"
        self.say(Publish, sdp=described(*self.lines), tracks=(TrackToPublish(mid=mid, source=source),))

    def answer(self) -> None:
        if self.offers and self.answered < self.offers[-1].offer:
            self.answered = self.offers[-1].offer
            self.say(Answer, offer=self.answered, sdp=answer_to(self.offers[-1].sdp))


class Call:
    """The room, its Worker, and people who do things at random."""

    def __init__(self, source: random.Random) -> None:
        self.worker = StrictWorker()
        limits = SessionLimits(messages_burst=10**9, bytes_burst=10**9, max_tracks=1000)
        self.switchboard = Switchboard({"a": SECRET}, RoomLimits(), limits)
        self.switchboard.attach(self.worker)
        self._source = source
        self.clients: list[Client] = []

    def present(self) -> list[Client]:
        return [client for client in self.clients if client.closed is None]

    def act(self) -> None:
        choice = self._source.random()
        present = self.present()
        if choice < 0.35:
            self.worker.step()
        elif choice < 0.4:
            self._flow()
        elif choice < 0.41:
            self._lose_worker()
        elif choice < 0.5 or not present:
            if len(present) < 5:
                identity = self._source.choice("abcdef")
                self.clients.append(Client(self.switchboard, identity, self._source.random() < 0.8))
                self.clients[-1].join()
        else:
            self._act_as(self._source.choice(present))

    def _flow(self) -> bool:
        notice = self.worker.flow()
        if notice is not None:
            self.switchboard.on_notice(notice)
        return notice is not None

    def _lose_worker(self) -> None:
        """As a Link does, when there is another Worker in its place."""
        told, refused = self.worker.die()
        for notice in told:
            self.switchboard.on_notice(notice)
        for command, on_reply in refused:
            on_reply(Failed(call=command.call, code="closed", reason="worker_lost"))

    def _act_as(self, client: Client) -> None:
        choice = self._source.random()
        if client.away:
            if choice < 0.3:
                client.come_back()
            return
        mine, others = list(client.live.values()), list(client.others)
        if choice < 0.35:
            client.answer()
        elif choice < 0.55 and len(client.lines) < 6:
            client.publish()
        elif choice < 0.65 and mine:
            client.say(Unpublish, track=self._source.choice(mine))
        elif choice < 0.75 and mine:
            client.say(Mute, track=self._source.choice(mine), muted=self._source.random() < 0.5)
        elif choice < 0.95 and others:
            wish = self._source.choice((Subscribe, Unsubscribe, Subscribe, LimitLayer, Layout, Explain))
            track = self._source.choice(others)
            if wish is Layout:
                client.say(Layout, tiles=(Tile(track=track, width=640, height=360),))
            elif wish is Explain:
                client.say(Explain)
            else:
                client.say(wish, track=track, **({"rid": None} if wish is LimitLayer else {}))
        elif choice > 0.988:
            client.say(Leave)
        elif choice > 0.976 and client._ticket:
            client.lose_socket()
        elif choice > 0.97 and client._ticket:
            client.come_back(half_open=True)
        elif choice > 0.96:
            theirs = [name for name, whose in self.worker.transports.items() if whose == client.identity]
            if theirs:
                self.switchboard.on_notice(self.worker.lose(self._source.choice(theirs)))
        elif choice > 0.955:
            self.switchboard.on_disconnected(client.number, leaving=True)
            client.closed = client.closed or (1006, "")

    def settle(self) -> None:
        """Until everybody is back and has answered everything."""
        for client in self.present():
            if client.away:
                client.come_back()
        busy = True
        while busy:
            busy = self.worker.step() or self._flow()
            for client in self.present():
                waiting = bool(client.offers) and client.answered < client.offers[-1].offer
                client.answer()
                busy = busy or waiting


def public(track: str) -> str:
    """A track that has moved to another Transport is known to the Worker by another name."""
    return track.partition("/")[0]


async def test_everybody_ends_up_with_what_he_should(seed: int) -> None:
    call = Call(random.Random(seed))
    for _ in range(600):
        call.act()
    call.settle()
    worker, present = call.worker, call.present()
    # An assertion of a Client that fails is, to the switchboard, an error of ours.
    assert set(call.switchboard.counters.closed) <= {"left", "replaced"}
    identities = [client.identity for client in present]
    assert len(set(identities)) == len(identities)
    for client in present:
        assert client.open == set(), "every request is answered"
        assert set(client.others.values()) <= set(identities)
        mine = [
            public(name)
            for name, track in worker.tracks.items()
            if worker.transports[track.transport] == client.identity
        ]
        flowing = [
            public(one.track)
            for one in worker.subscriptions.values()
            if worker.transports[worker.slots[one.slot].transport] == client.identity
        ]
        assert len(set(flowing)) == len(flowing)
        carried = list(client.carried.values())
        assert len(set(carried)) == len(carried)
        assert set(flowing) == set(carried) <= set(client.others)
        assert set(mine) & set(client.others) == set()
    published = {track for client in present for track in client.others} | {
        public(name) for name, track in worker.tracks.items() if worker.transports[track.transport] in identities
    }
    assert published == {public(name) for name in worker.tracks}, "nothing is left of who went"
    assert set(worker.transports.values()) <= set(identities)
    call.switchboard.shut_down()
    call.settle()
    assert worker.transports == {} and worker.tracks == {} and worker.subscriptions == {}
    assert call.switchboard.counters.sessions == 0


async def test_who_receives_automatically_receives_everything(seed: int) -> None:
    source = random.Random(seed)
    call = Call(source)
    for identity in "abcd":
        client = Client(call.switchboard, identity, automatic=True)
        call.clients.append(client)
        client.join()
        client.publish()
        client.publish()
        for _ in range(source.randrange(6)):
            call.worker.step()
    call.settle()
    for client in call.clients:
        assert len(client.others) == 6
        assert set(client.carried.values()) == set(client.others)
    assert len(call.worker.subscriptions) == 24


async def test_two_tracks_published_together_make_one_offer() -> None:
    call = Call(random.Random(1))
    for identity in "ab":
        call.clients.append(Client(call.switchboard, identity, automatic=True))
        call.clients[-1].join()
    publisher, subscriber = call.clients
    publisher.lines = [audio("0"), video("1", *CAMERA)]
    wishes = (TrackToPublish(mid="0", source="microphone"), TrackToPublish(mid="1", source="camera"))
    publisher.say(Publish, sdp=described(*publisher.lines), tracks=wishes)
    call.settle()
    assert [len(offer.slots) for offer in subscriber.offers] == [2]
    call.switchboard.on_disconnected(publisher.number, leaving=True)
    call.settle()
    assert len(subscriber.offers) == 1 and subscriber.carried == {}


async def test_a_moderator_is_told_what_he_changed_before_he_is_answered() -> None:
    call = Call(random.Random(1))
    moderator = Client(call.switchboard, "a", automatic=True)
    moderator.join(administer=True)
    call.settle()
    heard: list[Any] = []
    with patch.object(moderator, "_note", heard.append):
        moderator.say(SetRoom, lobby=True)
        moderator.say(Remove, participant="a")
    told, answered, gone, _ = heard
    assert isinstance(told, RoomChanged) and told.room.lobby
    assert isinstance(answered, Ok)
    assert isinstance(gone, Ok), "who removes himself is answered, too"
    assert moderator.closed is not None


async def test_one_timer_wakes_whoever_waits() -> None:
    switchboard = Switchboard({"a": SECRET}, RoomLimits(departure_timeout_s=0.03), SessionLimits(join_timeout_s=0.02))
    switchboard.attach(StrictWorker())
    silent, joining = (Client(switchboard, identity, automatic=True) for identity in "ab")
    joining.join()
    switchboard.on_disconnected(joining.number, leaving=True)
    assert switchboard.counters.rooms == 1
    await until(lambda: not switchboard.counters.rooms and not switchboard.counters.sessions)
    assert silent.closed == (4408, "join_timeout")
