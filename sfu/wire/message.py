"""Messages between participants, as they travel over data channels: a line of JSON, then the payload.

    {"topic":"chat","to":["bob"],"text":true}␊Hello     participant → server
    {"from":"ada","topic":"chat","text":true}␊Hello     server → participant
    {"error":"rate","reason":"…","topic":"chat"}␊       server → participant
    {"from":"ada","topic":"chat","text":true,"age_s":9.5}␊Hello   the same, to who came later
    {"lost":12}␊                                        server → participant

The payload is never looked into, so bytes stay bytes, and a page needs `JSON.parse` and `subarray`, no library. JSON
never has a raw line feed when it is written on one line, so the first one ends the header. Unknown keys are ignored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sfu.wire.errors import MalformedMessage

_LINE_FEED = b"\n"


@dataclass(frozen=True, slots=True)
class SentMessage:
    """`to` are identities; None: everybody else. `text`: the payload is UTF-8, and its receivers get a string."""

    topic: str
    to: tuple[str, ...] | None
    text: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class DeliveredMessage:
    """`sender` is empty for the app's own. `direct`: it was not sent to everybody. `age_s`: it was sent so long ago,
    and is said again to who came later."""

    sender: str
    topic: str
    direct: bool
    text: bool
    payload: bytes
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class MessageError:
    """A message that was not delivered, or not to all. `code` is stable, `reason` for people."""

    code: str
    reason: str
    topic: str


@dataclass(frozen=True, slots=True)
class MessagesLost:
    """So many reliable messages were given up here: this receiver did not keep up."""

    count: int


def parse_sent(frame: bytes) -> SentMessage:
    """What a participant sends. Raises MalformedMessage."""
    header, payload = _split(frame)
    to = header.get("to")
    if to is not None and not (isinstance(to, list) and to and all(isinstance(one, str) for one in to)):
        raise MalformedMessage("`to` is a list of identities, or absent for everybody")
    return SentMessage(_string(header, "topic"), None if to is None else tuple(to), _text(header, payload), payload)


def build_sent(message: SentMessage) -> bytes:
    header: dict[str, Any] = {"topic": message.topic, "text": message.text}
    if message.to is not None:
        header["to"] = list(message.to)
    return _join(header, message.payload)


def parse_delivered(frame: bytes) -> DeliveredMessage | MessageError | MessagesLost:
    """What the server sends. Raises MalformedMessage."""
    header, payload = _split(frame)
    lost = header.get("lost")
    if isinstance(lost, int):
        return MessagesLost(lost)
    topic = _string(header, "topic")
    if "error" in header:
        return MessageError(_string(header, "error"), _string(header, "reason"), topic)
    return DeliveredMessage(
        _string(header, "from"), topic, _flag(header, "direct"), _text(header, payload), payload, _age(header)
    )


def build_delivered(message: DeliveredMessage) -> bytes:
    header: dict[str, Any] = {"from": message.sender, "topic": message.topic, "text": message.text}
    if message.direct:
        header["direct"] = True
    if message.age_s is not None:
        header["age_s"] = round(message.age_s, 1)
    return _join(header, message.payload)


def build_error(error: MessageError) -> bytes:
    return _join({"error": error.code, "reason": error.reason, "topic": error.topic}, b"")


def build_lost(lost: MessagesLost) -> bytes:
    return _join({"lost": lost.count}, b"")


def _split(frame: bytes) -> tuple[dict[str, Any], bytes]:
    end = frame.find(_LINE_FEED)
    if end < 0:
        raise MalformedMessage("no line feed ends the header")
    try:
        header = json.loads(frame[:end].decode())
    except (ValueError, RecursionError) as error:  # the former also for what is not UTF-8, and for endless numbers
        raise MalformedMessage("the header is not JSON") from error
    if not isinstance(header, dict):
        raise MalformedMessage("the header is not an object")
    return header, frame[end + 1 :]


def _string(header: dict[str, Any], key: str) -> str:
    value = header.get(key, "")
    if not isinstance(value, str):
        raise MalformedMessage(f"`{key}` is not a string")
    return value


def _flag(header: dict[str, Any], key: str) -> bool:
    value = header.get(key, False)
    if not isinstance(value, bool):
        raise MalformedMessage(f"`{key}` is neither true nor false")
    return value


def _age(header: dict[str, Any]) -> float | None:
    value = header.get("age_s")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise MalformedMessage("`age_s` is not a number")
    return value


def _text(header: dict[str, Any], payload: bytes) -> bool:
    """Whether the payload is text; then it has to be."""
    is_text = _flag(header, "text")
    if is_text:
        try:
            payload.decode()
        except UnicodeDecodeError as error:
            raise MalformedMessage("the payload is not UTF-8") from error
    return is_text


def _join(header: dict[str, Any], payload: bytes) -> bytes:
    # ASCII, with escapes: half a surrogate pair, which JSON may hold, has no UTF-8.
    return json.dumps(header, separators=(",", ":")).encode() + _LINE_FEED + payload
