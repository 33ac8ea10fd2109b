"""What a server says again to a client that may not have heard it: every event once, and in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.limits import ReplayLimits, SessionLimits
from signaling.messages import (
    Ack,
    AnyServerMessage,
    Error,
    LayerChanged,
    Offer,
    Ok,
    Ping,
    Published,
    Resume,
    Resumed,
    TrackMuted,
)
from signaling.replay import Replay
from signaling.subprotocols import MSGPACK
from tests.signaling.conversations import Conversation, entered

ALONE = entered()
EVENT = LayerChanged(track="TR_1", rid="q")
SMALL = ReplayLimits(messages=3, octets=10_000, answers=2)


def seqs(messages: list[AnyServerMessage] | None) -> list[int] | None:
    return None if messages is None else [message.seq for message in messages]


# --- what is said again ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "acknowledged", "received", "again"),
    [
        (0, 0, 0, []),
        (2, 0, 0, [1, 2]),
        (2, 0, 1, [2]),
        (2, 0, 2, []),
        (2, 1, 1, [2]),
        (3, 2, 2, [3]),
        (5, 0, 2, [3, 4, 5]),
        (5, 0, 1, None),  # the second is not kept any more
        (5, 4, 3, None),  # nor what was acknowledged, whatever the client says now
        (5, 0, 6, None),  # never said
        (5, 9, 5, []),
    ],
)
def test_what_was_missed_is_said_again_or_not_kept(
    said: int, acknowledged: int, received: int, again: list[int] | None
) -> None:
    kept = Replay(SMALL)
    for _ in range(said):
        kept.number(EVENT)
    kept.acknowledge(acknowledged)
    assert seqs(kept.since(received)) == again


def test_large_messages_are_forgotten_sooner() -> None:
    kept = Replay(SMALL)
    for _ in range(2):
        kept.number(Offer(offer=1, sdp="x" * 6000, slots=()))
    assert kept.since(0) is None
    assert seqs(kept.since(1)) == [2]
    kept.number(Offer(offer=1, sdp="x" * 20_000, slots=()))
    assert kept.since(2) is None, "not even one is kept that is too large alone"


def test_answers_are_kept_when_events_are_not() -> None:
    kept = Replay(SMALL)
    kept.number(Ok(id=1))
    kept.number(Error(id=2, code="unknown_track", reason=""))
    for _ in range(10):
        kept.number(EVENT)
    assert kept.since(0) is None
    answers = kept.answers_since(1)
    assert answers == [Error(id=2, code="unknown_track", reason="", seq=13)]
    assert kept.since(12) == answers, "and can be missed once more"


def test_only_so_many_answers_are_kept() -> None:
    kept = Replay(SMALL)
    for number in range(5):
        kept.number(Ok(id=number + 1))
    assert [answer.id for answer in kept.answers_since(0) if isinstance(answer, Ok)] == [4, 5]


@dataclass
class Wire:
    """A client at the far end of sockets that are lost at any time. What it heard, it heard in order and once."""

    heard: list[Any] = field(default_factory=list)
    received: int = 0
    answers: list[int] = field(default_factory=list)

    def take(self, messages: list[Any]) -> None:
        for message in messages:
            if not message.seq:
                continue
            assert message.seq == self.received + 1, "none is missing, none comes twice"
            self.received = message.seq
            if isinstance(message, Ok | Error | Published):
                self.answers.append(message.id)
            else:
                self.heard.append(message)


STEPS = st.lists(
    st.sampled_from(["event", "event", "request", "drop", "lose one", "lose two", "resume", "ack"]), max_size=60
)


@given(steps=STEPS)
def test_every_event_is_heard_once_and_in_order_whatever_is_lost(steps: list[str]) -> None:
    conversation, wire = Conversation(limits=SessionLimits(messages_burst=10**6)).join(), Wire()
    connected, said, asked, handled = True, 0, 1, 1
    underway: list[Any] = []  # said, and not yet with the client
    conversation.numbered.clear()

    def deliver(lost: int = 0) -> None:
        wire.take(underway[: len(underway) - lost] if lost else underway)
        underway.clear()

    def do(feed: Any) -> None:
        conversation.feed(feed)
        underway.extend(conversation.numbered)
        conversation.numbered.clear()

    for step in [*steps, "resume", "ack"]:
        match step:
            case "event":
                said += 1
                event = TrackMuted(identity="bob", track=f"TR_{said}", muted=True)
                do(lambda session, event=event: session.on_room_event(event))
            case "request" if connected:
                asked += 1
                do(lambda session, number=asked: session.on_message(Ping(id=number), 0.0))
                handled = asked
            case "drop" | "lose one" | "lose two" if connected:
                deliver({"drop": 0, "lose one": 1, "lose two": 2}[step])
                connected = False
                do(lambda session: session.on_disconnected(0.0, leaving=False))
            case "resume":
                if not connected:
                    underway.clear()
                request = Resume(id=999, token="t", received=wire.received)
                if connected:
                    deliver()
                    request = replace_received(request, wire.received)
                do(lambda session, request=request: session.on_resumed(request, "n", MSGPACK, ALONE, 0.0))
                first = underway.pop(0)
                assert isinstance(first, Resumed) and first.handled == handled
                connected = True
                deliver()
            case "ack" if connected:
                deliver()
                do(lambda session: session.on_message(Ack(received=wire.received), 0.0))
    assert [event.track for event in wire.heard] == [f"TR_{number + 1}" for number in range(said)]
    assert wire.answers == list(range(2, asked + 1))


def replace_received(request: Resume, received: int) -> Resume:
    return Resume(id=request.id, token=request.token, received=received)
