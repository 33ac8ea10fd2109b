"""Procedures that talk with the Worker, one after the other.

A procedure is a generator: it yields Commands and is resumed with their Replies, so that a request of several steps
reads from top to bottom. A session has two lanes, for its two connections; in a lane the next procedure starts when
the one before has ended, so none of them meets another half done. No I/O: Commands leave through `call`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sfu.control import AnyCommand, AnyReply, Failed
from signaling.errors import ProtocolError, Refused

T = TypeVar("T")
Steps = Generator[Sequence[AnyCommand], Sequence[AnyReply], T]
Procedure = Steps[None]

# Codes of the Worker that mean something to a client. Any other is a fault between us and it.
_PASSED_ON = {
    "limit": "limit",
    "unknown_track": "unknown_track",
    "unknown_subscription": "unknown_track",  # the track ended, and its Subscriptions with it
    "unknown_transport": "connection_reset",  # and the Notice of it is under way
    "closed": "connection_reset",  # the Worker is gone, and the server may be about to stop
}

R = TypeVar("R")


def expect(reply: AnyReply, kind: type[R]) -> R:
    """The Reply as it should be. Raises Refused for Failed."""
    if isinstance(reply, Failed):
        code = _PASSED_ON.get(reply.code, "internal")
        raise Refused(code, reply.reason if code != "internal" else f"the media worker answered {reply.code}")
    assert isinstance(reply, kind), f"{type(reply).__name__} instead of {kind.__name__}"
    return reply


def answered(steps: Steps[T], tell: Callable[[T | Refused], None]) -> Procedure:
    """Who asks is told in any case, also when this is cut short."""
    told: T | Refused = Refused("unavailable", "the connection is being built anew")
    try:
        told = yield from steps
    except Refused as error:
        told = error
    finally:
        tell(told)


@dataclass(slots=True)
class _Job:
    request: int | None
    procedure: Procedure


class Lane:
    """`decline(request, error)` is told when a procedure ends by Refused or ProtocolError; `request` is None for
    those that nobody asked for."""

    def __init__(
        self,
        call: Callable[[AnyCommand], None],
        decline: Callable[[int | None, Refused | ProtocolError], None],
        max_waiting: int,
    ) -> None:
        self._call = call
        self._decline = decline
        self._max_waiting = max_waiting
        self._current: _Job | None = None
        self._waiting: deque[_Job] = deque()
        self._replies: dict[int, AnyReply | None] = {}  # of the current step, in the order of its Commands
        self._closed = False

    def start(self, procedure: Procedure, request: int | None = None) -> None:
        """Raises ProtocolError when too many requests wait already."""
        if request is not None and len(self._waiting) >= self._max_waiting:
            raise ProtocolError("rate", f"{self._max_waiting} requests are waiting already")
        self._waiting.append(_Job(request, procedure))
        if self._current is None:
            self._run()

    def on_reply(self, reply: AnyReply) -> None:
        """Replies of others are not ours to answer."""
        if reply.call not in self._replies:
            return
        self._replies[reply.call] = reply
        replies = [reply for reply in self._replies.values() if reply is not None]
        if len(replies) == len(self._replies):
            self._replies.clear()
            self._run(replies)

    def abort(self, error: Refused) -> None:
        """All that runs or waits is declined, half done as it is; what comes next begins afresh."""
        jobs = [self._current, *self._waiting] if self._current is not None else [*self._waiting]
        self._current = None
        self._waiting.clear()
        self._replies.clear()
        for job in jobs:
            job.procedure.close()
            if job.request is not None:
                self._decline(job.request, error)

    def close(self) -> None:
        """Nothing runs any more, and no Reply is waited for."""
        self._closed = True
        self._waiting.clear()
        self._replies.clear()

    def _run(self, replies: Sequence[AnyReply] | None = None) -> None:
        """Until a procedure waits for Replies, or none is left."""
        while not self._closed:
            if self._current is None:
                if not self._waiting:
                    return
                self._current, replies = self._waiting.popleft(), None
            commands = self._advance(self._current, replies)
            if commands is None:
                self._current = None
            elif commands:
                self._replies = {command.call: None for command in commands}
                for command in commands:
                    self._call(command)
                return
            else:
                replies = ()

    def _advance(self, job: _Job, replies: Sequence[AnyReply] | None) -> Sequence[AnyCommand] | None:
        try:
            return next(job.procedure) if replies is None else job.procedure.send(replies)
        except StopIteration:
            return None
        except (Refused, ProtocolError) as error:
            self._decline(job.request, error)
            return None
