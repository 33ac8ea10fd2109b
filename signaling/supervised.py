"""A process of ours that is kept running: started, watched, replaced. What is said over its link is its owner's.

    Supervision ◄─ hello, beats, ends, exit ─┐   ┌─► spawn, hang up, abort, kill
                                   SupervisedProcess ═══ Unix socket ═══ process
    owner ◄── frames, beats, lost ───────────┘   └─◄ send, hello, answered

When it is started and when given up is decided in `supervision.py`; how it is executed is in `child.py`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
from typing import Protocol

from sfu.frame_socket import FrameSocket
from signaling.child import execute, exit_of
from signaling.limits import WorkerLimits
from signaling.supervision import Abort, Beat, HangUp, Kill, Lost, Output, Spawn, State, Supervision

logger = logging.getLogger(__name__)


class Owner(Protocol):
    """Whose process it is: what it is told and asked, and what becomes of what it says."""

    def greeting(self) -> bytes:
        """The first frame for a new process. What answers it is `SupervisedProcess.hello`, or `fail`."""

    def beat(self) -> None:
        """Ask it something; `SupervisedProcess.answered` when it answers."""

    def on_frame(self, frame: bytes) -> None:
        """Of the present process, in any state."""

    def on_lost(self, reason: str, served: bool) -> None:
        """What was in it is gone. `served`: it had said hello."""


class SupervisedProcess:
    """`python -m MODULE FD`, for as long as it is wanted. `name` is for the log."""

    def __init__(self, module: str, name: str, owner: Owner, limits: WorkerLimits) -> None:
        self._module = module
        self._name = name
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._supervision = Supervision(limits)
        self._timer: asyncio.TimerHandle | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._frames: FrameSocket | None = None
        self._life: asyncio.Task[None] | None = None
        self._lives = 0

    @property
    def state(self) -> State:
        return self._supervision.state

    @property
    def running(self) -> bool:
        return self._supervision.state is State.RUNNING

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Once, at the beginning."""
        self._supervision.on_start(self._loop.time())
        self._act()

    def stop(self) -> None:
        """For good; `gone` waits for it. Idempotent."""
        self._supervision.on_stop(self._loop.time())
        self._act()

    async def gone(self) -> None:
        """Until the present process has ended: within `WorkerLimits.stop_timeout_s` of `stop`."""
        if self._life is not None:
            await asyncio.wait([self._life])

    def send(self, frame: bytes) -> None:
        """To the present process; nothing, if there is none."""
        if self._frames is not None:
            self._frames.send(frame)

    def hello(self) -> None:
        """It serves from now on."""
        self._supervision.on_hello(self._loop.time())
        self._act()

    def answered(self) -> None:
        """It has answered a beat."""
        self._supervision.on_beat_answered()

    def fail(self, reason: str) -> None:
        """It is of no use, as it has said itself."""
        self._supervision.on_link_end(reason, self._loop.time())
        self._act()

    # --- what the supervision wants ---

    def _act(self) -> None:
        while (output := self._supervision.poll()) is not None:
            self._perform(output)
        when = self._supervision.next_timeout()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if when is None else self._loop.call_at(when, self._on_timer)

    def _perform(self, output: Output) -> None:
        match output:
            case Spawn():
                self._lives += 1
                self._life = self._loop.create_task(self._live(self._lives))
            case Beat():
                self._owner.beat()
            case Lost(reason, served):
                logger.error("%s is lost: %s", self._name, reason)
                if self._frames is not None:
                    self._frames.abort()
                    self._frames = None
                self._owner.on_lost(reason, served)
            case HangUp():
                if self._frames is not None:
                    self._frames.close()
            case Abort():
                self._signal(signal.SIGABRT)
            case Kill():
                self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            logger.error("%s to %s, pid %d", number.name, self._name, self._process.pid)
            self._process.send_signal(number)  # nothing, if it has ended

    def _on_timer(self) -> None:
        self._timer = None
        self._supervision.on_timeout(self._loop.time())
        self._act()

    # --- one process ---

    async def _live(self, life: int) -> None:
        """From exec to exit."""
        try:
            process, pidfd, ours = execute(self._module)
        except OSError as error:
            self._on_exit(f"cannot be executed: {error}")
            return
        self._process = process
        frames = self._frames = await FrameSocket.over(
            ours,
            lambda frame: self._on_frame(life, frame),
            lambda reason: self._on_link_end(life, reason),
            pauses=False,
        )
        if self._supervision.state is State.STARTING:
            frames.send(self._owner.greeting())
        else:  # stopped in this moment
            frames.close()
        reason = await exit_of(process, pidfd)
        self._process = None
        logger.info("%s, pid %d, %s", self._name, process.pid, reason)
        self._on_exit(reason)

    def _on_exit(self, reason: str) -> None:
        self._supervision.on_exit(reason, self._loop.time())
        self._act()

    def _on_link_end(self, life: int, reason: str) -> None:
        if life == self._lives:
            self.fail(f"its link has ended: {reason}")

    def _on_frame(self, life: int, frame: bytes) -> None:
        if life == self._lives and self._frames is not None:  # else of one that was given up
            self._owner.on_frame(frame)
