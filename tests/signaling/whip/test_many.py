"""Many HTTP sessions at once, in random order, against a Worker that minds the contract: in the end every viewer
receives whom he should, nothing is left of who went, every request has one response, and no Command was ever out of
place."""

from __future__ import annotations

import random
import time
from itertools import count

from sfu import control
from sfu.control import AnyCommand, AnyReply, IceParameters, TransportOpened
from signaling.auth import Grant, mint
from signaling.limits import RoomLimits, SessionLimits
from signaling.messages import Grants
from signaling.switchboard import Switchboard
from signaling.whip.exchange import Created, Declined, Delete, Patch, Post, Request, Response
from signaling.whip.session import Direction
from tests.signaling.descriptions import LOCAL, audio, described, video
from tests.signaling.strict_worker import StrictWorker
from tests.signaling.test_switchboard import SECRET
from tests.signaling.whip.exchanges import NEW_ICE

SENDS = [
    described(audio("0"), video("1")),
    described(audio("0")),
    described(video("0")),
    described(video("0"), video("1")),
]
RECEIVES = described(audio("0", "a=recvonly"), video("1", "a=recvonly"))
PUBLISHERS, VIEWERS = "abc", "xyz"


class RestartingWorker(StrictWorker):
    def _execute(self, command: AnyCommand) -> AnyReply:
        if isinstance(command, control.RestartIce):
            assert command.transport in self.transports
            ice = IceParameters(f"restart{command.call}", LOCAL.ice.password)
            return TransportOpened(
                call=command.call, ice=ice, fingerprints=LOCAL.fingerprints, candidates=LOCAL.candidates
            )
        return super()._execute(command)


class Session:
    """One address over HTTP, and what was asked there."""

    def __init__(self, switchboard: Switchboard, direction: Direction, identity: str, participant: str | None) -> None:
        self.direction = direction
        self.identity = identity
        self.participant = participant
        self.answer: Created | None = None
        self.closed = False
        self._switchboard = switchboard
        self._requests = count(1)
        self._open: dict[int, Request] = {}
        grant = Grant(identity, "", "demo", Grants(create=True, publish=True, subscribe=True))
        self._token = mint(grant, key_id="a", secret=SECRET, now=time.time(), valid_for_s=60)
        self.number = switchboard.admit(direction, "demo", participant, self, "-")

    # Exchange
    def respond(self, response: Response) -> None:
        assert not self.closed
        request = self._open.pop(response.request)
        if isinstance(request, Post):
            assert isinstance(response, Created | Declined)
            self.answer = response if isinstance(response, Created) else None
        if isinstance(response, Declined):
            assert response.code in ("replaced", "unknown_session"), response

    def close(self, ws_code: int, reason: str) -> None:
        assert not self.closed and not self._open, "every request has its response before the end"
        self.closed = True

    def post(self, offer: str) -> None:
        self._ask(Post(next(self._requests), self._token, offer, ""))

    def patch(self, fragment: str) -> None:
        self._ask(Patch(next(self._requests), self._token, "*", fragment))

    def delete(self) -> None:
        self._ask(Delete(next(self._requests), self._token))

    def _ask(self, request: Request) -> None:
        self._open[request.request] = request
        self._switchboard.on_request(self.number, request)


def begin(source: random.Random, switchboard: Switchboard) -> Session:
    if source.random() < 0.5:
        session = Session(switchboard, "whip", source.choice(PUBLISHERS), None)
        session.post(source.choice(SENDS))
    else:
        participant = source.choice((None, *PUBLISHERS))
        session = Session(switchboard, "whep", source.choice(VIEWERS), participant)
        session.post(RECEIVES)
    return session


def flowing(worker: StrictWorker, viewer: Session) -> dict[str, str]:
    """mid → track"""
    return {
        worker.slots[one.slot].mid: one.track
        for one in worker.subscriptions.values()
        if worker.transports[worker.slots[one.slot].transport] == viewer.identity
    }


def expected(worker: StrictWorker, identity: str) -> dict[str, str]:
    """What a viewer of this participant should receive: the first of its audio and of its video."""
    theirs = [one for one in worker.tracks.values() if worker.transports[one.transport] == identity]
    found: dict[str, str] = {}
    for one in theirs:
        found.setdefault("0" if one.kind == "audio" else "1", one.track)
    return found


async def test_every_viewer_ends_up_with_whom_he_should_see(seed: int) -> None:
    source = random.Random(seed)
    worker = RestartingWorker()
    limits = SessionLimits(messages_per_s=1e9, messages_burst=10**9)
    switchboard = Switchboard({"a": SECRET}, RoomLimits(), limits)
    switchboard.attach(worker)
    sessions: list[Session] = []
    for turn in range(600):
        live = [session for session in sessions if session.answer is not None and not session.closed]
        choice = source.random()
        if choice < 0.6:
            worker.step()
        elif choice < 0.75 or not live:
            sessions.append(begin(source, switchboard))
        elif choice < 0.85:
            source.choice(live).patch(NEW_ICE.replace("ufrag:newer", f"ufrag:new{turn}"))
        elif choice < 0.9:
            source.choice(live).delete()
    while worker.step():
        pass
    live = [session for session in sessions if not session.closed]
    assert all(session.answer is not None for session in live)
    assert sorted(worker.transports.values()) == sorted(session.identity for session in live), "and nobody twice"
    publishing = [session.identity for session in live if session.direction == "whip"]
    for viewer in (session for session in live if session.direction == "whep"):
        seen = flowing(worker, viewer)
        if viewer.participant is not None:
            assert seen == expected(worker, viewer.participant)
        else:
            assert seen in [expected(worker, identity) for identity in publishing] or not (seen or publishing)
    assert set(switchboard.counters.closed) <= {"left", "replaced"}
    switchboard.shut_down()
    while worker.step():
        pass
    assert worker.transports == {} and worker.tracks == {} and worker.slots == {} and worker.subscriptions == {}
    assert switchboard.counters.sessions == 0 and all(session.closed for session in sessions)
