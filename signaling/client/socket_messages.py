"""Messages of the room by way of the WebSocket, for as long as there are no data channels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from sfu.wire.message import MessageError
from sfu.wire.message import MessagesLost as MessagesLost
from signaling.client.channel import Channel
from signaling.correspondence_messages import MessageArrived, OpenMessages, SendMessage, content_of
from signaling.correspondence_messages import MessagesLost as LostEvent
from signaling.errors import Refused
from signaling.messages import AnyEvent

# The server hands out some 64 short messages per acknowledgement, which otherwise comes once a second.
ACKNOWLEDGE_EVERY: Final = 16
# What a message may be declined for; anything else is about the connection.
_REFUSALS: Final = frozenset({"not_granted", "malformed", "too_large", "rate", "unknown_participant"})


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """`sender` is an identity, empty for the app's own. `payload` is a string if one was sent. `direct`: not for
    everybody. `age_s`: it was sent so long before we came."""

    sender: str
    topic: str
    payload: bytes | str
    reliable: bool
    direct: bool
    age_s: float | None = None


# A message; why one of ours was declined; how many reliable ones we were too slow for.
Incoming = ReceivedMessage | MessageError | MessagesLost


class SocketMessages:
    def __init__(self, channel: Channel, on_incoming: Callable[[Incoming], None]) -> None:
        self._channel = channel
        self._on_incoming = on_incoming
        self._unacknowledged = 0
        self._acknowledging: asyncio.Task[None] | None = None
        self.is_open = False

    async def open(self) -> None:
        """Again does no harm. Raises Refused, RoomClosed, TimeoutError."""
        await self._channel.request(lambda number: OpenMessages(id=number))
        self.is_open = True

    async def send(self, payload: bytes | str, topic: str, to: Collection[str] | None, reliable: bool) -> None:
        """What the server declines is heard as from a data channel."""
        text, data = (payload, None) if isinstance(payload, str) else (None, bytes(payload))
        receivers = None if to is None else tuple(to)
        try:
            await self._channel.request(
                lambda number: SendMessage(
                    id=number, text=text, data=data, topic=topic, to=receivers, reliable=reliable
                )
            )
        except Refused as refused:
            if refused.code not in _REFUSALS:
                raise
            self._on_incoming(MessageError(refused.code, refused.reason, topic))

    def on_event(self, event: AnyEvent) -> None:
        if isinstance(event, LostEvent):
            self._on_incoming(MessagesLost(event.count))
        if not isinstance(event, MessageArrived) or (content := content_of(event)) is None:
            return
        payload = content.payload.decode() if content.is_text else content.payload
        self._on_incoming(
            ReceivedMessage(event.sender, event.topic, payload, event.reliable, event.direct, event.age_s)
        )
        self._unacknowledged += 1
        if self._unacknowledged >= ACKNOWLEDGE_EVERY:
            self._unacknowledged = 0
            self._acknowledging = asyncio.create_task(self._channel.acknowledge())
