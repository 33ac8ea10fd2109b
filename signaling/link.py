"""Our end of the link to a Worker: Commands go out as frames, Replies and Notices come in as frames.

    Switchboard ── call ──► Link ── frame ──► Worker
                ◄─ reply, notice ─ Link ◄── frame ──

Frames are all that passes, also to a Worker in this process, so that what works embedded works across a socket.
A Link outlives the Worker: while there is none its calls wait for the next, and what was open in the last is said to be
gone in the Worker's own words, so that nobody here needs to know of two ways in which a Transport can end.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from sfu import control
from sfu.control import (
    AnyCommand,
    AnyNotice,
    AnyReply,
    CloseMessages,
    CloseTransport,
    Failed,
    MalformedFrame,
    MessagesGone,
    OpenMessages,
    OpenTransport,
    TransportChanged,
)
from sfu.core.types import TransportState

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=AnyReply | AnyNotice)


@dataclass(slots=True)
class _Pending:
    command: AnyCommand
    on_reply: Callable[[AnyReply], None]
    deadline: float  # infinite while it waits for a Worker

    @property
    def name(self) -> str:
        return type(self.command).__name__


class Link:
    """Frames leave by `send`, and arrive by `on_frame`. Every call is answered exactly once: by the Worker's Reply,
    or by Failed with `timeout` or `closed`."""

    def __init__(
        self, send: Callable[[bytes], None] | None, on_notice: Callable[[AnyNotice], None], reply_timeout_s: float
    ) -> None:
        """`send`: to the Worker, if there is one already; else see `open`."""
        self._send = send
        self._on_notice = on_notice
        self._timeout_s = reply_timeout_s
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, _Pending] = {}  # by call; the oldest first, as all wait equally long
        self._transports: dict[str, None] = {}  # open, or about to be; an ordered set
        self._correspondents: dict[str, None] = {}  # likewise
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._own_calls = count(-1, -1)

    @property
    def transport_count(self) -> int:
        return len(self._transports)

    def call(self, command: AnyCommand, on_reply: Callable[[AnyReply], None]) -> None:
        """Commands arrive in the order of these calls. `on_reply` is never called before this returns."""
        pending = self._pending[command.call] = _Pending(command, on_reply, math.inf)
        if self._closed:
            self._loop.call_soon(self._answer, Failed(call=command.call, code="closed", reason="the link is closed"))
            return
        if isinstance(command, OpenTransport):
            self._transports[command.transport] = None
        elif isinstance(command, CloseTransport):
            self._transports.pop(command.transport, None)
        elif isinstance(command, OpenMessages):
            self._correspondents[command.correspondent] = None
        elif isinstance(command, CloseMessages):
            self._correspondents.pop(command.correspondent, None)
        if self._send is not None:
            pending.deadline = self._loop.time() + self._timeout_s
            self._send(control.encode(command))
            self._arm()

    def ask(self, command: Callable[[int], AnyCommand], on_reply: Callable[[AnyReply], None]) -> None:
        """A call that no session makes: its number is below zero."""
        self.call(command(next(self._own_calls)), on_reply)

    def on_frame(self, frame: bytes) -> None:
        message: AnyReply | AnyNotice
        try:
            message = control.decode(frame, AnyReply | AnyNotice)
        except MalformedFrame:
            logger.exception("a frame of the Worker cannot be read")
            return
        if isinstance(message, AnyNotice):
            if isinstance(message, TransportChanged) and message.state == TransportState.GONE.value:
                self._transports.pop(message.transport, None)
            self._tell(self._on_notice, message)
        else:
            self._answer(message)

    def open(self, send: Callable[[bytes], None]) -> None:
        """There is a Worker. Calls that have waited go to it, and have as long as any from now on."""
        self._send = send
        for pending in self._pending.values():
            pending.deadline = self._loop.time() + self._timeout_s
            send(control.encode(pending.command))
        self._arm()

    def lose(self, reason: str) -> None:
        """The Worker is gone, or is not to be had. First everybody hears that his Transports are gone, and gives up
        what he was about; then the calls that were about these are answered `closed`. What is called meanwhile waits.
        """
        self._send = None
        calls, transports = [*self._pending], self._transports
        self._transports = {}
        for transport in transports:
            self._tell(
                self._on_notice, TransportChanged(transport=transport, state=TransportState.GONE.value, reason=reason)
            )
        correspondents, self._correspondents = self._correspondents, {}
        for correspondent in correspondents:
            self._tell(self._on_notice, MessagesGone(correspondent=correspondent))
        for call in calls:
            self._answer(Failed(call=call, code="closed", reason=reason))

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for call in list(self._pending):
            self._answer(Failed(call=call, code="closed", reason="the link is closed"))

    def _answer(self, reply: AnyReply) -> None:
        pending = self._pending.pop(reply.call, None)
        if pending is None:
            logger.warning("%s for call %d, which waits no more", type(reply).__name__, reply.call)
            return
        if isinstance(reply, Failed) and isinstance(pending.command, OpenTransport):
            self._transports.pop(pending.command.transport, None)
        if isinstance(reply, Failed) and isinstance(pending.command, OpenMessages):
            self._correspondents.pop(pending.command.correspondent, None)
        self._tell(pending.on_reply, reply)

    def _tell(self, listener: Callable[[M], None], message: M) -> None:
        """Whoever listens: the others are told all the same."""
        try:
            listener(message)
        except Exception:
            logger.exception("%s was not taken", type(message).__name__)

    def _arm(self) -> None:
        if self._timer is None and self._send is not None and self._pending:
            self._timer = self._loop.call_at(next(iter(self._pending.values())).deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._loop.time()
        for call, pending in [item for item in self._pending.items() if item[1].deadline <= now]:
            logger.error("no Reply to %s within %g s", pending.name, self._timeout_s)
            self._answer(Failed(call=call, code="timeout", reason=f"no Reply to {pending.name}"))
        self._arm()
