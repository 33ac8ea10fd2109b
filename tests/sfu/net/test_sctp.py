"""Data channels against aiortc as the remote."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import SCTP_DATA_FIRST_FRAG, DataChunk, RTCSctpTransport, tsn_plus_one

from sfu.net.config import TransportConfig
from sfu.net.sctp import (
    SCTP_PORT,
    ChannelClosed,
    ChannelDrained,
    ChannelEvent,
    ChannelOpened,
    DataChannels,
    MessageReceived,
)
from tests.support.dtls import Pair
from tests.support.ice import until

CONFIG = TransportConfig(data_channels=3, data_streams=40, data_unread_bytes=1_200_000)


class Ends:
    """Ours at the DTLS server's end, aiortc's own at the client's; both started."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.events: list[ChannelEvent] = []
        self.ours = DataChannels(pair.server.session, CONFIG, self.events.append)
        self.theirs = RTCSctpTransport(pair.client.session.association, port=6000)

    async def start(self) -> None:
        await self.ours.open(6000)
        await self.theirs.start(RTCSctpTransport.getCapabilities(), SCTP_PORT)
        await until(lambda: {self.ours.state, self.theirs.state} == {"connected"})

    def channel(self, label: str) -> RTCDataChannel:
        return RTCDataChannel(self.theirs, RTCDataChannelParameters(label=label))


@pytest_asyncio.fixture
async def ends() -> AsyncIterator[Ends]:
    pair = Pair()
    assert await pair.handshake() == [None, None]
    ends = Ends(pair)
    await ends.start()
    yield ends
    ends.ours.close()
    await ends.theirs.stop()
    await pair.close()
    await asyncio.sleep(0)  # for what aiortc had already scheduled


async def test_a_channel_opens_and_what_it_sends_is_acknowledged(ends: Ends) -> None:
    channel = ends.channel("chat")
    await until(lambda: channel.readyState == "open")
    for _ in range(50):
        channel.send(bytes(20_000))
    await until(lambda: not ends.theirs._sent_queue and not ends.theirs._outbound_queue and not channel.bufferedAmount)
    assert ends.ours.state == "connected"


async def test_messages_pass_both_ways_and_what_happens_is_told_in_order(ends: Ends) -> None:
    channel = ends.channel("chat")
    heard: list[bytes | str] = []
    channel.on("message", heard.append)
    await until(lambda: channel.readyState == "open")
    channel.send(b"bytes")
    channel.send("a string, ü")
    await until(lambda: len(ends.events) == 3)
    ends.ours.send("chat", b"Hello")
    ends.ours.send("no such channel", b"is lost")
    await until(lambda: heard == [b"Hello"])
    channel.close()
    await until(lambda: ChannelClosed("chat") in ends.events)
    ends.ours.send("chat", b"is lost")
    assert ends.events == [
        ChannelOpened("chat"),
        MessageReceived("chat", b"bytes"),
        MessageReceived("chat", "a string, ü".encode()),
        ChannelDrained("chat"),
        ChannelClosed("chat"),
    ]


async def test_we_open_channels_as_reliable_as_asked(ends: Ends) -> None:
    channels: list[RTCDataChannel] = []
    ends.theirs.on("datachannel", channels.append)
    ends.ours.create("reliable", reliable=True)
    ends.ours.create("lossy", reliable=False)
    await until(lambda: ends.events == [ChannelOpened("reliable"), ChannelOpened("lossy")])
    seen = [(one.label, one.ordered, one.maxRetransmits, one.maxPacketLifeTime) for one in channels]
    assert seen == [("reliable", True, None, None), ("lossy", False, 0, None)]


async def test_drained_is_told_when_all_has_left(ends: Ends) -> None:
    channel = ends.channel("chat")
    await until(lambda: channel.readyState == "open")
    for _ in range(20):
        ends.ours.send("chat", bytes(10_000))
    assert ends.ours.buffered_bytes("chat") == 200_000 and ChannelDrained("chat") not in ends.events
    await until(lambda: ChannelDrained("chat") in ends.events)
    assert ends.ours.buffered_bytes("chat") == ends.ours.buffered_bytes("no such channel") == 0


async def test_of_two_channels_with_one_name_the_newer_is_sent_on(ends: Ends) -> None:
    first, second = ends.channel("chat"), ends.channel("chat")
    heard: list[bytes] = []
    second.on("message", heard.append)
    await until(lambda: ends.events == [ChannelOpened("chat")] * 2)
    ends.ours.send("chat", b"Hello")
    await until(lambda: heard == [b"Hello"])
    first.close()
    await until(lambda: first.readyState == "closed")
    assert ChannelClosed("chat") not in ends.events


async def test_nothing_is_told_after_close(ends: Ends) -> None:
    channel = ends.channel("chat")
    await until(lambda: channel.readyState == "open")
    ends.ours.close()
    assert ends.events == [ChannelOpened("chat")]


async def test_too_many_channels_end_the_association_but_not_dtls(ends: Ends, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "sfu.net.sctp"):
        for index in range(4):
            ends.channel(str(index))
        await until(lambda: ends.theirs.state == "closed")
    assert ends.ours.state == "closed"
    assert "4 channels" in caplog.text
    assert ends.pair.server.session.connected


def received(ends: Ends, stream: int, size: int, flags: int) -> DataChunk:
    """The next chunk our end could receive."""
    assert ends.ours._last_received_tsn is not None
    chunk = DataChunk(flags=flags)
    chunk.tsn = tsn_plus_one(ends.ours._last_received_tsn)
    chunk.stream_id = stream
    chunk.protocol = 51
    chunk.user_data = bytes(size)
    return chunk


@pytest.mark.parametrize(
    ("chunks", "size", "flags", "complaint"),
    [(1100, 1100, SCTP_DATA_FIRST_FRAG, "bytes of unfinished messages"), (41, 1, 0x03, "41 streams")],
    ids=["messages without end", "many streams"],
)
async def test_memory_that_a_remote_can_take_is_bounded(
    ends: Ends, caplog: pytest.LogCaptureFixture, chunks: int, size: int, flags: int, complaint: str
) -> None:
    for index in range(chunks):
        await ends.ours._receive_chunk(received(ends, index if size == 1 else 1, size, flags))
    with caplog.at_level(logging.WARNING, "sfu.net.sctp"):
        ends.channel("any packet more")
        await until(lambda: ends.ours.state == ends.theirs.state == "closed")
    assert complaint in caplog.text
    assert ends.pair.server.session.connected


async def test_closing_leaves_no_timer_behind(ends: Ends) -> None:
    ends.ours.close()
    assert (ends.ours._t1_handle, ends.ours._t2_handle, ends.ours._t3_handle) == (None, None, None)
    assert ends.ours.state == "closed"
