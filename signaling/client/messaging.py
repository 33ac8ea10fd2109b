"""Messages of the room over the data channels of the publish connection (`sfu/wire/message.py` has the frames), or over
the WebSocket where these are not to be had (`socket_messages.py`).

open ─► two channels, `reliable` and `lossy`      send ─► one of them      the server's frames ─► on_incoming
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from functools import partial

from sfu.core.types import MessageChannel
from sfu.net.dtls import HandshakeFailed
from sfu.net.sctp import MAX_MESSAGE_BYTES, ChannelClosed, ChannelEvent, ChannelOpened, DataChannels, MessageReceived
from sfu.wire.errors import MalformedMessage
from sfu.wire.message import DeliveredMessage, SentMessage, build_sent, parse_delivered
from signaling.client.changes import Changes
from signaling.client.channel import Channel
from signaling.client.publishing import Publisher
from signaling.client.socket_messages import Incoming as Incoming
from signaling.client.socket_messages import ReceivedMessage as ReceivedMessage
from signaling.client.socket_messages import SocketMessages
from signaling.errors import Refused
from signaling.messages import AnyEvent

logger = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 10.0
# What may wait here for the path: a second or two of a good uplink. Lossy messages would be out of date by then.
RELIABLE_AHEAD_BYTES = 1 << 20
LOSSY_AHEAD_BYTES = 64 << 10


class Messaging:
    """`open` may be called by several at once: they wait for the same channels. `changes` fail when the room does."""

    def __init__(
        self,
        publisher: Publisher,
        channel: Channel,
        on_incoming: Callable[[Incoming], None],
        changes: Changes,
        *,
        data_channels: bool,
    ) -> None:
        self._publisher = publisher
        self._socket = SocketMessages(channel, on_incoming)
        self._data_channels = data_channels
        self._on_incoming = on_incoming
        self._channels: DataChannels | None = None
        self._opened: set[str] = set()
        self._generation = 0  # of the connection
        self._changes = changes
        self._opening = asyncio.Lock()
        self._loop = asyncio.get_running_loop()

    def on_event(self, event: AnyEvent) -> None:
        """Of the server."""
        self._socket.on_event(event)

    async def open(self) -> None:
        """The channels, or else the same over the WebSocket."""
        if not self._data_channels:
            await self._socket.open()
            return
        try:
            await self._open_channels()
        except (HandshakeFailed, TimeoutError):
            await self._socket.open()

    async def _open_channels(self) -> None:
        async with self._opening:
            if self._channels is None:
                self._channels = await self._publisher.open_channels(partial(self._note, self._generation))
                for channel in MessageChannel:
                    self._channels.create(channel, reliable=channel is MessageChannel.RELIABLE)
        await self._changes.until(lambda: len(self._opened) == len(MessageChannel), OPEN_TIMEOUT_S)

    async def rebuild(self) -> None:
        """The connection was reset. Opens the channels again, if they were; what was under way is lost."""
        self._generation += 1
        was_open, self._channels = self._channels is not None, None
        self._opened.clear()
        if was_open:
            await self.open()

    async def send(self, payload: bytes | str, topic: str, to: Collection[str] | None, reliable: bool) -> None:
        is_text = isinstance(payload, str)
        content = payload.encode() if isinstance(payload, str) else bytes(payload)
        frame = build_sent(SentMessage(topic, None if to is None else tuple(to), is_text, content))
        if len(frame) > MAX_MESSAGE_BYTES:
            raise Refused("too_large", f"a message of {len(frame)} bytes; {MAX_MESSAGE_BYTES} is the most")
        if not self._socket.is_open or self._opened:
            await self.open()
        channels = self._channels
        if channels is None or not self._opened:
            await self._socket.send(payload, topic, to, reliable)
        elif reliable:
            await self._changes.until(
                lambda: channels.buffered_bytes(MessageChannel.RELIABLE) < RELIABLE_AHEAD_BYTES, OPEN_TIMEOUT_S
            )
            channels.send(MessageChannel.RELIABLE, frame)
        elif channels.buffered_bytes(MessageChannel.LOSSY) < LOSSY_AHEAD_BYTES:
            channels.send(MessageChannel.LOSSY, frame)

    def _note(self, generation: int, event: ChannelEvent) -> None:
        """In the middle of SCTP's work."""
        self._loop.call_soon(self._on_event, generation, event)

    def _on_event(self, generation: int, event: ChannelEvent) -> None:
        if generation != self._generation:
            return
        match event:
            case MessageReceived(label=label, frame=frame):
                self._on_frame(label, frame)
            case ChannelOpened(label=label):
                self._opened.add(label)
            case ChannelClosed():
                self._changes.fail(ConnectionError("the message channels are closed"))
        self._changes.changed()

    def _on_frame(self, label: str, frame: bytes) -> None:
        try:
            heard = parse_delivered(frame)
        except MalformedMessage as error:
            logger.warning("a message of the server: %s", error)
            return
        if isinstance(heard, DeliveredMessage):
            payload = heard.payload.decode() if heard.text else heard.payload
            reliable = label == MessageChannel.RELIABLE
            self._on_incoming(ReceivedMessage(heard.sender, heard.topic, payload, reliable, heard.direct, heard.age_s))
        else:
            self._on_incoming(heard)
