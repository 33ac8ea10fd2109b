"""The life of one Worker's process: when it is started, when it is given up, when another takes its place. Sans-IO.

    IDLE ─► STARTING ── hello ──► RUNNING ── its link ends, or beats missed ──► ENDING ── exit ──► WAITING ─► STARTING …
               └── its link ends, or too late ──────────────────────────────────► ▲         on_stop: … ENDING ─► STOPPED

A process is followed by another only when the kernel says that it is gone: both use the same port. Whose Transports
were in it is told at once, by `Lost`. Feed with `on_…`, then take outputs by `poll` until there is none.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from signaling.limits import WorkerLimits


class State(Enum):
    IDLE = auto()
    STARTING = auto()
    RUNNING = auto()
    ENDING = auto()  # its exit is waited for
    WAITING = auto()  # until another may be started
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a process, and hand it its configuration."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Ask it for something; `on_beat_answered` when it answers."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What was in it is gone, and its link is of no use any more. `served`: it had said hello."""

    reason: str
    served: bool


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the link when everything said has been read: it takes this as the wish to stop."""


@dataclass(frozen=True, slots=True)
class Abort:
    """End it so that it says where it was (SIGABRT)."""


@dataclass(frozen=True, slots=True)
class Kill:
    """End it, stopped or not (SIGKILL)."""


Output = Spawn | Beat | Lost | HangUp | Abort | Kill


class Supervision:
    def __init__(self, limits: WorkerLimits) -> None:
        self.state = State.IDLE
        self._limits = limits
        self._outputs: deque[Output] = deque()
        self._deadline: float | None = None
        self._stopping = False
        self._running_since = 0.0
        self._unanswered = 0  # beats in a row
        self._failures = 0  # in a row: of processes that did not live for long

    def poll(self) -> Output | None:
        return self._outputs.popleft() if self._outputs else None

    def next_timeout(self) -> float | None:
        return self._deadline

    def on_start(self, now: float) -> None:
        """Once, at the beginning."""
        assert self.state is State.IDLE
        self._spawn(now)

    def on_hello(self, now: float) -> None:
        if self.state is State.STARTING:
            self.state = State.RUNNING
            self._running_since = now
            self._unanswered = 0
            self._deadline = now + self._limits.beat_s

    def on_beat_answered(self) -> None:
        self._unanswered = 0

    def on_link_end(self, reason: str, now: float) -> None:
        """It ends, most likely; else it is of no use without."""
        if self.state in (State.STARTING, State.RUNNING):
            self._lose(reason, now, self._limits.exit_timeout_s)

    def on_exit(self, reason: str, now: float) -> None:
        """The kernel says that it is gone."""
        if self.state in (State.STARTING, State.RUNNING):
            self._lose(reason, now, 0.0)
        if self._stopping:
            self.state, self._deadline = State.STOPPED, None
        else:
            self.state = State.WAITING
            self._deadline = now + self._pause_s()

    def on_stop(self, now: float) -> None:
        """For good."""
        self._stopping = True
        if self.state in (State.STARTING, State.RUNNING):
            self._outputs.append(HangUp())
            self.state, self._deadline = State.ENDING, now + self._limits.stop_timeout_s
        elif self.state is not State.ENDING:
            self.state, self._deadline = State.STOPPED, None

    def on_timeout(self, now: float) -> None:
        if self._deadline is None or now < self._deadline:
            return
        match self.state:
            case State.STARTING:
                self._outputs.append(Kill())
                self._lose(f"no hello within {self._limits.start_timeout_s:g} s", now, self._limits.exit_timeout_s)
            case State.RUNNING:
                self._on_beat_due(now)
            case State.ENDING:
                self._outputs.append(Kill())
                # A process in the middle of a system call goes when that ends; there is nothing more to do about it.
                self._deadline = now + self._limits.exit_timeout_s
            case State.WAITING:
                self._spawn(now)

    def _on_beat_due(self, now: float) -> None:
        """Counted in beats, not in seconds: if it was us who stood still, only one of them was missed."""
        if self._unanswered >= self._limits.beats_missed:
            self._outputs.append(Abort())
            self._lose(f"{self._unanswered} beats not answered", now, self._limits.abort_timeout_s)
            return
        self._unanswered += 1
        self._outputs.append(Beat())
        self._deadline = now + self._limits.beat_s

    def _spawn(self, now: float) -> None:
        self._outputs.append(Spawn())
        self.state, self._deadline = State.STARTING, now + self._limits.start_timeout_s

    def _lose(self, reason: str, now: float, kill_after_s: float) -> None:
        served = self.state is State.RUNNING
        if served and now - self._running_since >= self._limits.steady_after_s:
            self._failures = 0
        self._failures += 1
        self._outputs.append(Lost(reason, served))
        self.state, self._deadline = State.ENDING, now + kill_after_s

    def _pause_s(self) -> float:
        """None after a first failure: people wait. Then longer each time, for what fails will fail again."""
        if self._failures <= 1:
            return 0.0
        return float(min(self._limits.pause_s * 2 ** min(self._failures - 2, 16), self._limits.longest_pause_s))
