"""What the switchboard needs of those around it: Workers, sockets and requests, and books that are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from sfu.control import AnyCommand, AnyReply
from signaling.records import Record, Stored
from signaling.subprotocols import Frame
from signaling.whip.exchange import Response


class Caller(Protocol):
    """What a Link offers to the switchboard."""

    def call(self, command: AnyCommand, on_reply: Callable[[AnyReply], None]) -> None: ...


class Callees(Protocol):
    """The Workers, by the rooms they have. A room keeps its Worker until it is released."""

    def link_of(self, room: str) -> Caller: ...

    def release(self, room: str) -> None: ...


class Book(Protocol):
    """What is kept like the rooms are, and is no part of them: webhooks, keys."""

    def restore(self, kept: Iterable[Stored]) -> None: ...

    def poll_record(self) -> Record | None: ...


class Connection(Protocol):
    """A WebSocket as seen from here. Neither method waits, and neither calls back."""

    def send(self, frame: Frame) -> None: ...

    def close(self, ws_code: int, reason: str) -> None: ...


class Exchange(Protocol):
    """The HTTP requests of one session, likewise."""

    def respond(self, response: Response) -> None: ...

    def close(self, ws_code: int, reason: str) -> None: ...
