"""Messages between participants by way of the WebSocket, for clients that have no data channel: values only."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from signaling.message_values import Request, ServerMessage


class OpenMessages(Request, frozen=True, kw_only=True):
    """From now on we are told messages here, as long as we have no data channel open for them."""


class SendMessage(Request, frozen=True, kw_only=True):
    """`text`, or bytes as `data` (Base64 in JSON)."""

    text: str | None = None
    data: bytes | None = None
    topic: str = ""
    to: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    reliable: bool = True


class MessageArrived(ServerMessage, frozen=True, kw_only=True):
    """`sender` is an identity; empty: the app itself. `direct`: not to everybody. `age_s`: said so long ago."""

    sender: str = field(name="from")
    topic: str = ""
    text: str | None = None
    data: bytes | None = None
    reliable: bool = True
    direct: bool = False
    age_s: float | None = None


class MessagesLost(ServerMessage, frozen=True, kw_only=True):
    """So many reliable ones that came faster than this client took them."""

    count: int


AnyCorrespondence = OpenMessages | SendMessage
AnyCorrespondenceEvent = MessageArrived | MessagesLost


class Content(Struct, frozen=True):
    """Of a message, as it travels otherwise."""

    payload: bytes
    is_text: bool


def content_of(message: SendMessage | MessageArrived) -> Content | None:
    """None: it has neither text nor bytes, or both."""
    if message.text is not None and message.data is None:
        return Content(message.text.encode(errors="replace"), True)
    if message.data is not None and message.text is None:
        return Content(message.data, False)
    return None
