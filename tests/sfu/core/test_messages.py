"""Who gets a message, what is refused, and that a receiver that does not keep up costs nobody else."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from sfu.core.errors import Refused
from sfu.core.messages import MessageDrop, MessageLimits, MessageRefusal, Messages
from sfu.core.types import MessageChannel
from sfu.wire.message import DeliveredMessage, MessageError, MessagesLost, SentMessage, parse_delivered

Heard = DeliveredMessage | MessageError | MessagesLost
RELIABLE, LOSSY = MessageChannel.RELIABLE, MessageChannel.LOSSY
ADA, BOB, CID, DAN, EVE = 1, 2, 3, 4, 5
LIMITS = MessageLimits(
    reliable_bytes=1000,
    lossy_bytes=100,
    topic_length=10,
    recipients=3,
    messages_per_s=10,
    messages_burst=20,
    packets_per_s=30,
    packets_burst=60,
    room_packets_per_s=40,
    room_packets_burst=80,
    errors_per_s=1,
    errors_burst=3,
    reliable_queue_bytes=3000,
    lossy_queue_bytes=1000,
    ahead_bytes=200,
)


class Rooms:
    """Ada, Bob and Cid in one room, Dan in another; all with both channels open. Cid may not send."""

    def __init__(self, limits: MessageLimits = LIMITS) -> None:
        self.messages = Messages(limits)
        self.inboxes: dict[int, list[Heard]] = defaultdict(list)
        for transport, room, name, may_send in (
            (ADA, "room", "ada", True),
            (BOB, "room", "bob", True),
            (CID, "room", "cid", False),
            (DAN, "elsewhere", "dan", True),
        ):
            self.messages.add(transport, room, name, may_send=may_send)
            for channel in MessageChannel:
                self.messages.on_opened(transport, channel, 0.0)

    def send(
        self,
        sender: int,
        payload: bytes = b"x",
        channel: MessageChannel = RELIABLE,
        now: float = 0.0,
        *,
        drain: bool = True,
        **header: object,
    ) -> None:
        frame = json.dumps({"topic": "t", **header}).encode() + b"\n" + payload
        self.messages.on_message(sender, channel, frame, now)
        self.collect(drain=drain)

    def collect(self, *, drain: bool) -> None:
        """Take what comes out; with `drain` the transports send it at once."""
        while (output := self.messages.poll()) is not None:
            self.inboxes[output.transport].append(parse_delivered(output.frame))
            if drain:
                self.messages.on_drained(output.transport, output.channel)

    def payloads(self, receiver: int) -> list[bytes]:
        return [one.payload for one in self.inboxes[receiver] if isinstance(one, DeliveredMessage)]

    def errors(self, receiver: int) -> list[str]:
        return [one.code for one in self.inboxes[receiver] if isinstance(one, MessageError)]


@pytest.mark.parametrize("channel", MessageChannel)
def test_everybody_else_in_the_room_gets_it(channel: MessageChannel) -> None:
    rooms = Rooms()
    rooms.send(ADA, b"Hello", channel, text=True)
    expected = DeliveredMessage("ada", "t", direct=False, text=True, payload=b"Hello")
    assert rooms.inboxes == {BOB: [expected], CID: [expected]}
    assert rooms.messages.counters.received[channel] == 1
    assert rooms.messages.counters.sent[channel] == 2


def test_only_those_who_are_named_get_it_and_see_that_it_is_direct() -> None:
    rooms = Rooms()
    rooms.send(ADA, to=["cid"])
    assert rooms.inboxes == {CID: [DeliveredMessage("ada", "t", direct=True, text=False, payload=b"x")]}


def test_only_those_who_have_opened_that_channel_get_it() -> None:
    rooms = Rooms()
    rooms.messages.on_closed(BOB, LOSSY)
    rooms.send(ADA, channel=LOSSY)
    assert list(rooms.inboxes) == [CID]
    rooms.send(ADA, channel=RELIABLE)
    assert list(rooms.inboxes) == [CID, BOB]


def test_a_second_transport_of_the_sender_does_not_hear_it_and_one_of_a_receiver_does() -> None:
    rooms = Rooms()
    for transport, name in ((EVE, "ada"), (EVE + 1, "bob")):
        rooms.messages.add(transport, "room", name, may_send=False)
        rooms.messages.on_opened(transport, RELIABLE, 0.0)
    rooms.send(ADA, to=["ada", "bob"])
    assert set(rooms.inboxes) == {ADA, BOB, EVE + 1}
    assert rooms.errors(ADA) == ["unknown_participant"]


@pytest.mark.parametrize(
    ("sender", "header", "size", "channel", "code", "topic"),
    [
        (CID, {}, 1, RELIABLE, "not_granted", ""),
        (ADA, {"topic": 1}, 1, RELIABLE, "malformed", ""),
        (ADA, {"to": []}, 1, RELIABLE, "malformed", ""),
        (ADA, {}, 1001, RELIABLE, "too_large", ""),
        (ADA, {"padding": "x" * 65536}, 1, RELIABLE, "too_large", ""),
        (ADA, {}, 101, LOSSY, "too_large", ""),
        (ADA, {"topic": "eleven char"}, 1, RELIABLE, "too_large", ""),
        (ADA, {"to": ["b", "c", "d", "e"]}, 1, RELIABLE, "too_large", ""),
        (ADA, {"to": ["dan"]}, 1, RELIABLE, "unknown_participant", "t"),
        (ADA, {"to": ["ada"]}, 1, LOSSY, "unknown_participant", "t"),
    ],
)
def test_what_is_refused_is_told_to_the_sender_alone(
    sender: int, header: dict[str, Any], size: int, channel: MessageChannel, code: str, topic: str
) -> None:
    rooms = Rooms()
    rooms.send(sender, bytes(size), channel, **header)
    assert list(rooms.inboxes) == [sender]
    (error,) = rooms.inboxes[sender]
    assert isinstance(error, MessageError) and (error.code, error.topic) == (code, topic) and error.reason
    assert rooms.messages.counters.refused[MessageRefusal(code)] == 1


def test_those_who_are_there_get_it_when_others_who_were_named_are_not() -> None:
    rooms = Rooms()
    rooms.send(ADA, to=["bob", "nobody", "dan"])
    assert rooms.payloads(BOB) == [b"x"]
    (error,) = rooms.inboxes[ADA]
    assert isinstance(error, MessageError) and "dan, nobody" in error.reason


def test_a_sender_has_a_burst_and_then_a_rate_of_messages() -> None:
    rooms = Rooms()
    for _ in range(25):
        rooms.send(ADA, to=["bob"])
    assert len(rooms.payloads(BOB)) == 20
    assert rooms.errors(ADA) == ["rate"] * 3, "and no more errors than a client needs"
    assert rooms.messages.counters.refused[MessageRefusal.RATE] == 5
    rooms.send(ADA, now=0.1, to=["bob"])
    assert len(rooms.payloads(BOB)) == 21
    rooms.send(BOB, now=0.1, to=["ada"])
    assert rooms.payloads(ADA) == [b"x"], "one sender's rate is not another's"


def test_what_a_sender_costs_is_packets_times_receivers_and_large_ones_are_possible_on_credit() -> None:
    rooms = Rooms(MessageLimits(packets_per_s=10, packets_burst=5))
    rooms.send(ADA, bytes(11_000))  # 11 packets to each of two: beyond what is there, yet taken
    assert len(rooms.payloads(BOB)) == 1
    rooms.send(ADA, now=1.0)
    assert rooms.errors(ADA) == ["rate"]
    rooms.send(ADA, now=2.0)
    assert len(rooms.payloads(BOB)) == 2


def test_a_room_has_a_limit_of_its_own_and_another_room_does_not_feel_it() -> None:
    rooms = Rooms(MessageLimits(room_packets_per_s=10, room_packets_burst=8))
    rooms.messages.add(EVE, "elsewhere", "eve", may_send=True)
    rooms.messages.on_opened(EVE, RELIABLE, 0.0)
    for sender in (ADA, BOB, ADA, BOB, ADA):
        rooms.send(sender)
    assert rooms.errors(ADA) == ["rate"] and len(rooms.payloads(CID)) == 4
    rooms.send(DAN)
    assert rooms.payloads(EVE) == [b"x"]
    rooms.send(BOB, now=0.2)
    assert len(rooms.payloads(CID)) == 5


def test_lossy_messages_give_way_to_newer_ones_at_a_receiver_that_is_slow() -> None:
    rooms = Rooms()
    for index in range(20):
        rooms.send(ADA, bytes([index]) * 90, LOSSY, drain=False, to=["bob"])
    before = len(rooms.payloads(BOB))
    rooms.messages.on_drained(BOB, LOSSY)
    rooms.collect(drain=True)
    late = rooms.payloads(BOB)[before:]
    assert late[-1] == bytes([19]) * 90, "the newest came"
    dropped = rooms.messages.counters.dropped[MessageDrop.QUEUE_FULL]
    assert dropped == 20 - before - len(late) > 0


def test_a_receiver_that_lags_is_told_how_many_reliable_messages_it_lost_and_nobody_else_notices() -> None:
    rooms = Rooms()
    for index in range(10):
        rooms.messages.on_message(ADA, RELIABLE, b"{}\n" + bytes([index]) * 900, now=index)
        while (output := rooms.messages.poll()) is not None:
            rooms.inboxes[output.transport].append(parse_delivered(output.frame))
            if output.transport == CID:  # keeps up; Bob does not
                rooms.messages.on_drained(CID, RELIABLE)
    assert [payload[0] for payload in rooms.payloads(CID)] == list(range(10))
    assert [payload[0] for payload in rooms.payloads(BOB)] == [0], "one with the transport, three wait"
    assert rooms.messages.counters.dropped[MessageDrop.QUEUE_FULL] == 6

    rooms.messages.on_drained(BOB, RELIABLE)
    rooms.collect(drain=True)
    assert rooms.inboxes[BOB][1:] == [
        *(DeliveredMessage("ada", "", direct=False, text=False, payload=bytes([index]) * 900) for index in (1, 2, 3)),
        MessagesLost(6),
    ]
    rooms.send(ADA, b"and on", now=11)
    assert rooms.payloads(BOB)[-1] == b"and on"


def test_a_channel_opened_again_begins_empty() -> None:
    rooms = Rooms()
    for index in range(3):
        rooms.send(ADA, bytes([index]) * 500, drain=False)
    rooms.messages.on_opened(BOB, RELIABLE, 0.0)
    rooms.inboxes.clear()
    rooms.send(ADA, b"new")
    assert rooms.payloads(BOB) == [b"new"]
    assert rooms.messages.counters.dropped[MessageDrop.RECEIVER_CLOSED] == 2


def test_who_left_gets_nothing_and_says_nothing() -> None:
    rooms = Rooms()
    for _ in range(3):
        rooms.send(ADA, bytes(500), drain=False)
    rooms.messages.remove(BOB)
    rooms.messages.remove(BOB)
    rooms.inboxes.clear()
    rooms.messages.on_drained(BOB, RELIABLE)
    rooms.messages.on_opened(BOB, RELIABLE, 0.0)
    rooms.messages.on_closed(BOB, RELIABLE)
    rooms.send(BOB)
    rooms.send(ADA)
    assert BOB not in rooms.inboxes and rooms.errors(ADA) == []


def test_nothing_is_left_of_a_room_that_everybody_left() -> None:
    rooms = Rooms()
    for transport in (ADA, BOB, CID, DAN):
        rooms.messages.remove(transport)
    assert not rooms.messages._rooms and not rooms.messages._parties


def test_whatever_happens_nobody_gets_what_is_not_theirs_and_queues_stay_bounded(seed: int) -> None:
    """Random participants, channels, sizes and drains; the payloads tell whom they were for, and in which order."""
    random = Random(seed)
    rooms = Rooms(MessageLimits(reliable_queue_bytes=2000, lossy_queue_bytes=900, ahead_bytes=300))
    members = {ADA: "ada", BOB: "bob", CID: "cid"}
    newest: dict[tuple[int, MessageChannel], int] = {}
    for number in range(2000):
        channel = random.choice(list(MessageChannel))
        who = random.choice(list(members))
        match random.randrange(6):
            case 0:
                rooms.messages.on_drained(who, channel)
            case 1 if random.random() < 0.2:
                rooms.messages.on_opened(who, channel, 0.0)
            case 2 if random.random() < 0.1:
                rooms.messages.on_closed(who, channel)
            case _:
                to = random.choice([None, ["bob"], ["ada", "cid"], ["dan"]])
                payload = json.dumps([number, to]).encode().ljust(random.randrange(20, 400))
                frame = json.dumps({"to": to}).encode() + b"\n" + payload
                rooms.messages.on_message(who, channel, frame, now=number / 10)
        while (output := rooms.messages.poll()) is not None:
            message = parse_delivered(output.frame)
            if isinstance(message, DeliveredMessage):
                sent_at, to = json.loads(message.payload)
                receiver = members[output.transport]
                assert message.sender != receiver and (to is None or receiver in to)
                assert message.direct == (to is not None)
                assert newest.get((output.transport, output.channel), -1) < sent_at, "in order, and once"
                newest[output.transport, output.channel] = sent_at
        for party in rooms.messages._parties.values():
            for box in party.outboxes.values():
                assert box._waiting_bytes == sum(map(len, box._waiting)) <= 2000
    assert {channel for _, channel in newest} == set(MessageChannel)


def test_who_may_send_can_change() -> None:
    rooms = Rooms()
    rooms.messages.permit(ADA, may_send=False)
    rooms.send(ADA, b"no")
    assert rooms.errors(ADA) == [MessageRefusal.NOT_GRANTED] and rooms.payloads(BOB) == []
    rooms.messages.permit(ADA, may_send=True)
    rooms.send(ADA, b"yes")
    assert rooms.payloads(BOB) == [b"yes"]
    rooms.messages.permit(EVE, may_send=True)


def test_who_comes_later_hears_what_the_room_keeps_once_and_in_order() -> None:
    rooms = Rooms()
    for transport, name in ((ADA, "ada"), (BOB, "bob")):
        rooms.messages.remove(transport)
        rooms.messages.add(transport, "room", name, may_send=True, keeps=2)
        rooms.messages.on_opened(transport, RELIABLE, 0.0)
    for number, at in ((1, 1.0), (2, 2.0), (3, 3.0)):
        rooms.send(ADA, b"%d" % number, now=at)
    rooms.send(ADA, b"for bob alone", now=4.0, to=["bob"])
    rooms.messages.add(EVE, "room", "eve", may_send=True, keeps=2, replays=True)
    rooms.messages.on_opened(EVE, RELIABLE, 10.0)
    rooms.collect(drain=True)
    heard = rooms.inboxes[EVE]
    assert [(one.payload, one.age_s) for one in heard if isinstance(one, DeliveredMessage)] == [
        (b"2", 8.0),
        (b"3", 7.0),
    ]
    rooms.messages.on_opened(EVE, RELIABLE, 11.0)
    rooms.collect(drain=True)
    assert len(heard) == 2, "not again when the channel is opened anew"


def test_what_is_kept_is_bounded() -> None:
    rooms = Rooms(replace(LIMITS, history_bytes=100, history_messages=50))
    rooms.messages.add(EVE, "room", "eve", may_send=True, keeps=1000)
    for _ in range(5):
        rooms.send(ADA, bytes(40))
    rooms.messages.add(6, "room", "joe", may_send=False, keeps=1000, replays=True)
    rooms.messages.on_opened(6, RELIABLE, 1.0)
    rooms.collect(drain=True)
    assert rooms.payloads(6) == [bytes(40)] * 2


def test_the_app_speaks_to_all_or_some_and_is_told_who_is_not_there() -> None:
    rooms = Rooms()
    rooms.messages.post("room", "", RELIABLE, SentMessage("t", None, False, b"all"), 0.0)
    rooms.messages.post("room", "", LOSSY, SentMessage("t", ("bob",), False, b"bob"), 0.0)
    rooms.collect(drain=True)
    assert (rooms.payloads(ADA), rooms.payloads(BOB), rooms.payloads(DAN)) == ([b"all"], [b"all", b"bob"], [])
    for refused, message in (
        ("unknown_participant", SentMessage("t", ("eve",), False, b"")),
        ("too_large", SentMessage("t", None, False, bytes(1001))),
    ):
        with pytest.raises(Refused, match=refused):
            rooms.messages.post("room", "", RELIABLE, message, 0.0)


def test_a_spare_hears_only_while_no_transport_of_its_participant_does() -> None:
    rooms = Rooms()
    spare = EVE
    rooms.messages.add(spare, "room", "bob", may_send=True, is_spare=True)
    for channel in MessageChannel:
        rooms.messages.on_opened(spare, channel, 0.0)
    rooms.send(ADA, b"by his channel")
    rooms.messages.on_closed(BOB, RELIABLE)
    rooms.send(ADA, b"by the spare")
    rooms.send(ADA, b"by his channel still", LOSSY)
    assert rooms.payloads(BOB) == [b"by his channel", b"by his channel still"]
    assert rooms.payloads(spare) == [b"by the spare"]
    rooms.messages.on_opened(BOB, RELIABLE, 0.0)
    rooms.messages.remove(spare)
    rooms.send(ADA, b"again")
    assert rooms.payloads(BOB)[-1] == b"again"


def test_a_spare_is_told_at_once_what_is_declined_and_is_handed_little_ahead() -> None:
    rooms = Rooms()
    rooms.messages.add(EVE, "room", "eve", may_send=True, is_spare=True)
    rooms.messages.on_opened(EVE, RELIABLE, 0.0)
    with pytest.raises(Refused, match="nobody"):
        rooms.messages.say(EVE, RELIABLE, b'{"to":["nobody"]}\nx', 0.0)
    rooms.messages.say(EVE, RELIABLE, b"{}\nhello", 0.0)
    rooms.collect(drain=True)
    assert rooms.payloads(ADA) == [b"hello"] and not rooms.errors(EVE)
    for number in range(100):
        rooms.send(ADA, b"%d" % number, now=float(number), drain=False, to=["eve"])
    limits = MessageLimits()
    ahead = limits.spare_ahead_bytes // limits.spare_least_bytes
    assert len(rooms.payloads(EVE)) == ahead < 100
    rooms.messages.on_drained(EVE, RELIABLE)
    rooms.collect(drain=False)
    assert rooms.payloads(EVE) == [b"%d" % number for number in range(100)]
