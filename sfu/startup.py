"""What passes between signaling and a Worker's process before any Command: what it is told, and how it began.

signaling ── Start ──► process        over the socket it inherits, so that nothing of it shows in `ps`
signaling ◄── Hello ── process        Commands may come
signaling ◄── NotStarted ──           and the process ends
"""

from __future__ import annotations

from typing import Any

import msgpack
import msgspec
from msgspec import Struct

from sfu.config import WorkerConfig
from sfu.control import MalformedFrame
from sfu.logs import LogFormat


class Start(Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    config: WorkerConfig
    log_level: str  # of Python's logging: "INFO"
    log_format: LogFormat = "text"


class Hello(Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    pid: int
    udp_port: int
    addresses: tuple[str, ...]
    plane: str


class NotStarted(Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    reason: str  # for whoever started the server


Answer = Hello | NotStarted


def encode(message: Start | Answer) -> bytes:
    frame: bytes = msgpack.packb(msgspec.to_builtins(message))
    return frame


def decode(frame: bytes, expected: Any) -> Any:
    """A frame back to `Start` or `Answer`. Raises MalformedFrame."""
    try:
        return msgspec.convert(msgpack.unpackb(frame), expected)
    except (ValueError, msgpack.UnpackException, msgspec.ValidationError) as error:
        raise MalformedFrame(str(error)) from error
