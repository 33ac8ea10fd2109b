"""Messages through a Worker with its sockets: remotes over loopback with ICE, DTLS and SCTP of aiortc."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from sfu.config import WorkerConfig
from sfu.control import ConnectTransport, Done, OpenTransport, PermitMessages, TransportChanged, TransportOpened
from sfu.core.messages import MessageDrop, MessageLimits
from sfu.core.types import MessageChannel
from sfu.net.sctp import SCTP_PORT
from sfu.wire.message import DeliveredMessage, MessageError, MessagesLost, parse_delivered
from sfu.worker import Worker, open_worker
from tests.support.ice import PATIENCE_S, RemoteAgent, RemoteEnd, until

LIMITS = MessageLimits(reliable_queue_bytes=70_000, lossy_queue_bytes=20_000)


class Person:
    """A remote with data channels, and what it has heard on them."""

    def __init__(self, end: RemoteEnd) -> None:
        self.end = end
        self.sctp = RTCSctpTransport(end.session.association, 5000)
        self.channels: dict[str, RTCDataChannel] = {}
        self.heard: list[DeliveredMessage | MessageError | MessagesLost] = []

    async def open(self, label: str, **parameters: Any) -> None:
        channel = RTCDataChannel(self.sctp, RTCDataChannelParameters(label=label, **parameters))
        channel.on("message", lambda frame: self.heard.append(parse_delivered(frame)))
        self.channels[label] = channel
        await until(lambda: channel.readyState == "open")

    def send(self, payload: bytes, label: str = "reliable", **header: object) -> None:
        self.channels[label].send(json.dumps(header).encode() + b"\n" + payload)

    def payloads(self) -> list[bytes]:
        return [one.payload for one in self.heard if isinstance(one, DeliveredMessage)]

    async def close(self) -> None:
        await self.sctp.stop()
        await self.end.close()
        await self.end.agent.close()


class Running:
    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.people: list[Person] = []

    async def join(self, name: str, *, room: str = "room", may_send: bool = True) -> Person:
        opened = self.worker.on_command(
            OpenTransport(call=1, room=room, participant=name, transport=name, may_send_messages=may_send)
        )
        assert isinstance(opened, TransportOpened)
        (candidate,) = opened.candidates
        agent = await RemoteAgent.open(candidate.host, (candidate.host, candidate.port))
        end = RemoteEnd(agent, opened.fingerprints, is_client=True)
        self.worker.on_command(ConnectTransport(call=2, transport=name, remote=end.parameters(sctp_port=5000)))
        await agent.check(opened.ice, nominate=True)
        await end.session.handshake(PATIENCE_S)
        person = Person(end)
        self.people.append(person)
        await person.sctp.start(RTCSctpCapabilities(maxMessageSize=65536), SCTP_PORT)
        await person.open("reliable")
        await person.open("lossy", ordered=False, maxRetransmits=0)
        return person


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    notices: list[object] = []
    worker = await open_worker(WorkerConfig(addresses=("127.0.0.1",), messages=LIMITS), notices.append)
    running = Running(worker)
    yield running
    for person in running.people:
        await person.close()
    await worker.aclose()
    assert worker.router.counters.internal_errors == 0
    assert all(isinstance(notice, TransportChanged) for notice in notices)


@pytest.mark.parametrize("label", MessageChannel)
async def test_messages_reach_all_or_some_and_only_in_the_room(running: Running, label: str) -> None:
    ada, bob, cid = [await running.join(name) for name in ("ada", "bob", "cid")]
    dan = await running.join("dan", room="elsewhere")
    ada.send(b"Hello", label, topic="chat", text=True)
    bob.send(b"\x00\x01", label, to=["cid"])
    await until(lambda: len(cid.heard) == 2 and len(bob.heard) == 1)
    hello = DeliveredMessage("ada", "chat", direct=False, text=True, payload=b"Hello")
    assert bob.heard == [hello]
    assert sorted(cid.payloads()) == [b"\x00\x01", b"Hello"]
    assert ada.heard == dan.heard == []


async def test_a_sender_hears_why_and_others_hear_nothing(running: Running) -> None:
    ada, bob = await running.join("ada", may_send=False), await running.join("bob")
    ada.send(b"not granted")
    bob.channels["reliable"].send("no header")
    bob.send(bytes(60 * 1024 + 1))
    bob.send(b"nobody", to=["eve"], topic="x")
    await until(lambda: len(ada.heard) == 1 and len(bob.heard) == 3)
    assert [one.code for one in ada.heard if isinstance(one, MessageError)] == ["not_granted"]
    codes = [one.code for one in bob.heard if isinstance(one, MessageError)]
    assert codes == ["malformed", "too_large", "unknown_participant"]


async def test_the_largest_message_passes(running: Running) -> None:
    ada, bob = await running.join("ada"), await running.join("bob")
    ada.send(bytes(60 * 1024), topic="x" * 64)
    ada.send(bytes(15 * 1024), "lossy")
    await until(lambda: sorted(map(len, bob.payloads())) == [15 * 1024, 60 * 1024])


async def test_a_receiver_that_reads_nothing_delays_nobody_and_is_told_what_it_missed(running: Running) -> None:
    ada, bob, cid = [await running.join(name) for name in ("ada", "bob", "cid")]
    hear = cid.end.agent.on_datagram
    cid.end.agent.on_datagram = lambda datagram: None  # alive for ICE, deaf for everything else
    loop = asyncio.get_running_loop()
    delays_s: list[float] = []
    for index in range(60):
        sent_at = loop.time()
        label = ("reliable", "lossy")[index % 2]
        ada.send(index.to_bytes().ljust(4000), label)
        await until(lambda: len(bob.heard) == len(delays_s) + 1)
        delays_s.append(loop.time() - sent_at)
    # Milliseconds, but for what else the machine does; who waits for a deaf one waits for retransmissions of seconds.
    assert sorted(delays_s)[30] < 1.0
    dropped = running.worker.router.registry.messages.counters.dropped[MessageDrop.QUEUE_FULL]
    assert cid.heard == [] and dropped > 0

    cid.end.agent.on_datagram = hear
    await until(lambda: any(isinstance(one, MessagesLost) for one in cid.heard))
    ada.send(b"after the gap")
    await until(lambda: b"after the gap" in cid.payloads())
    (gap,) = (index for index, one in enumerate(cid.heard) if isinstance(one, MessagesLost))
    numbers = [
        one.payload[0] for one in cid.heard[:gap] if isinstance(one, DeliveredMessage) and not one.payload[0] % 2
    ]
    lost = cid.heard[gap]
    assert isinstance(lost, MessagesLost)
    assert numbers == list(range(0, 60 - 2 * lost.count, 2)), "every reliable message up to the gap, in order"


async def test_nothing_of_a_participant_stays(running: Running) -> None:
    ada, bob = await running.join("ada"), await running.join("bob")
    await bob.close()
    running.people.remove(bob)
    messages = running.worker.router.registry.messages
    await until(lambda: len(messages._parties) == 1)
    ada.send(b"Hello", to=["bob"])
    await until(lambda: len(ada.heard) == 1)


async def test_the_grant_to_send_changes_while_the_channel_is_open(running: Running) -> None:
    ada, bob = await running.join("ada"), await running.join("bob")
    for may_send in (False, True):
        reply = running.worker.on_command(PermitMessages(call=9, transport="ada", may_send_messages=may_send))
        assert isinstance(reply, Done)
        ada.send(b"x")
        await until(lambda: bool(ada.heard))
    await until(lambda: bool(bob.heard))
    assert [one.code for one in ada.heard if isinstance(one, MessageError)] == ["not_granted"]
    assert bob.payloads() == [b"x"]
