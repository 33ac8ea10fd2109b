"""The subscribe connection: answers the server's offers, and hands packets to whoever listens to an m-line.

offer ─► Reception per m-line (its SSRC never changes) ─► answer ─► first time: connect
             `content` says whose track it carries now, `None` when the Slot is free ◄─ slots_changed
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from sfu.core.types import Codec, Kind
from sfu.net.dtls import HandshakeFailed
from signaling.client import description
from signaling.client.channel import Channel
from signaling.client.endpoint import Endpoint
from signaling.client.receiving import ReceivedPacket, ReceivedStream
from signaling.errors import Refused
from signaling.messages import Answer, Offer, SlotContent, SlotsChanged


@dataclass(slots=True)
class Reception:
    """One m-line on which we receive. `on_packet` gets its packets in order, from the moment it is set."""

    mid: str
    kind: Kind
    stream: ReceivedStream
    codecs: dict[int, Codec]  # by payload type
    endpoint: Endpoint = field(repr=False)
    content: SlotContent | None = None
    on_packet: Callable[[ReceivedPacket], None] = lambda _: None

    def request_key_frame(self) -> None:
        """A PLI. Leaves with the next turn of the endpoint, at once when called from `on_packet`."""
        self.endpoint.session.request_key_frame(self.stream)


class Subscriber:
    """`on_reception` is called once per m-line, before anything arrives on it."""

    def __init__(self, channel: Channel, endpoint: Endpoint, on_reception: Callable[[Reception], None]) -> None:
        self._channel = channel
        self._endpoint = endpoint
        self._on_reception = on_reception
        self._connected = False
        self._turn = asyncio.Lock()
        self.receptions: dict[str, Reception] = {}

    async def on_offer(self, message: Offer) -> None:
        """Answer it; connects the first time. Raises Refused, ConnectionError, HandshakeFailed, ProtocolError."""
        async with self._turn:
            endpoint = self._endpoint
            try:
                await self._answer(message, endpoint)
            except (ConnectionError, HandshakeFailed, Refused) as error:
                out_of_date = isinstance(error, Refused) and error.code in ("connection_reset", "unknown_offer")
                if endpoint is self._endpoint and not out_of_date:
                    raise

    async def on_slots_changed(self, message: SlotsChanged) -> None:
        """After what was offered before it."""
        async with self._turn:
            contents = dict.fromkeys(message.freed) | {content.mid: content for content in message.slots}
            for mid, content in contents.items():
                if mid in self.receptions:
                    self.receptions[mid].content = content

    def rebuild(self, endpoint: Endpoint) -> None:
        """The connection was reset: the next offer is for this one, and its m-lines are new."""
        self._endpoint = endpoint
        self._connected = False
        self.receptions.clear()

    async def _answer(self, message: Offer, endpoint: Endpoint) -> None:
        offer = description.read_offer(message.sdp)
        endpoint.session.receive_extensions = offer.extensions
        for line in offer.lines:
            self._on_line(line)
        contents = {content.mid: content for content in message.slots}
        for mid, reception in self.receptions.items():
            reception.content = contents.get(mid)
        local = description.LocalEndpoint(endpoint.ice, endpoint.fingerprint, endpoint.session.ssrc)
        answer = description.write_answer(local, message.offer, offer)
        await self._channel.request(lambda number: Answer(id=number, offer=message.offer, sdp=answer))
        if not self._connected:
            await endpoint.connect(offer.remote)
            self._connected = endpoint is self._endpoint

    def reception_of(self, track: str) -> Reception | None:
        """Where a track of somebody else arrives now."""
        for reception in self.receptions.values():
            if reception.content is not None and reception.content.track == track:
                return reception
        return None

    def _on_line(self, line: description.ReceivedLine) -> None:
        if line.mid in self.receptions or line.ssrcs is None:
            return
        clock_rate = line.formats[0].clock_rate if line.formats else 90_000
        stream = ReceivedStream(line.ssrcs.ssrc, line.kind, clock_rate, rtx_ssrc=line.ssrcs.rtx_ssrc)
        codecs = {one.payload_type: one.codec for one in line.formats}
        reception = Reception(line.mid, line.kind, stream, codecs, self._endpoint)
        self.receptions[line.mid] = reception
        self._endpoint.session.add_received(stream, lambda packet: reception.on_packet(packet))
        self._on_reception(reception)
