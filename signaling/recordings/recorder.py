"""The recorder's process as signaling sees it: started when there is something to record, watched, replaced. A shell.

    Recordings ── orders ──► Recorder ═══ Unix socket ═══ recorder/process.py
               ◄─ words ───     │
    Supervision ◄─ beats, exit ─┘ ─► spawn, kill

When it is lost, whoever has recordings in it is told, and begins them again in the next one. When that is, and what
becomes of one that hangs, is decided as for Workers (`supervision.py`).
"""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
from collections.abc import Callable

from recorder import control
from recorder.control import AnyOrder, AnyWord, Ping, Pong
from sfu.control import MalformedFrame
from sfu.frame_socket import FrameSocket
from signaling.child import execute, exit_of
from signaling.limits import WorkerLimits
from signaling.supervision import Abort, Beat, HangUp, Kill, Lost, Output, Spawn, State, Supervision

logger = logging.getLogger(__name__)


class Recorder:
    """`on_lost()` comes once for each process that is lost; orders given meanwhile wait for the next."""

    def __init__(self, on_word: Callable[[AnyWord], None], on_lost: Callable[[], None], limits: WorkerLimits) -> None:
        self.pid: int | None = None
        self.restarts = 0
        self._on_word = on_word
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._supervision = Supervision(limits)
        self._timer: asyncio.TimerHandle | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._frames: FrameSocket | None = None
        self._life: asyncio.Task[None] | None = None
        self._lives = 0
        self._waiting: list[AnyOrder] = []

    def tell(self, order: AnyOrder) -> None:
        if self._frames is not None and self._supervision.state is State.RUNNING:
            self._frames.send(control.encode(order))
            return
        self._waiting.append(order)
        if self._supervision.state is State.IDLE:
            self._supervision.on_start(self._loop.time())
            self._act()

    async def close(self) -> None:
        """Journals are flushed as they are. Idempotent."""
        self._supervision.on_stop(self._loop.time())
        self._act()
        if self._life is not None:
            await asyncio.wait([self._life])

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
                if self._frames is not None:
                    self._frames.send(control.encode(Ping()))
            case Lost(reason, _):
                self._lose(reason)
            case HangUp():
                if self._frames is not None:
                    self._frames.close()
            case Abort():
                self._signal(signal.SIGABRT)
            case Kill():
                self._signal(signal.SIGKILL)

    def _lose(self, reason: str) -> None:
        logger.error("the recorder is lost: %s", reason)
        if self._frames is not None:
            self._frames.abort()
            self._frames = None
        self.pid = None
        self.restarts += 1
        self._waiting.clear()  # said again by who begins anew
        self._on_lost()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)  # nothing, if it has ended

    def _on_timer(self) -> None:
        self._timer = None
        self._supervision.on_timeout(self._loop.time())
        self._act()

    # --- one process ---

    async def _live(self, life: int) -> None:
        """From exec to exit."""
        try:
            process, pidfd, ours = execute("recorder.process")
        except OSError as error:
            self._on_exit(f"cannot be executed: {error}")
            return
        self._process, self.pid = process, process.pid
        frames = self._frames = await FrameSocket.over(
            ours,
            lambda frame: self._on_frame(life, frame),
            lambda reason: self._on_link_end(life, reason),
            pauses=False,
        )
        if self._supervision.state is State.STARTING:
            frames.send(control.encode(Ping()))  # its answer is the hello
        else:  # stopped in this moment
            frames.close()
        reason = await exit_of(process, pidfd)
        self._process = None
        logger.info("the recorder, pid %d, %s", process.pid, reason)
        self._on_exit(reason)

    def _on_exit(self, reason: str) -> None:
        self._supervision.on_exit(reason, self._loop.time())
        self._act()

    def _on_link_end(self, life: int, reason: str) -> None:
        if life == self._lives:
            self._supervision.on_link_end(f"its link has ended: {reason}", self._loop.time())
            self._act()

    def _on_frame(self, life: int, frame: bytes) -> None:
        if life != self._lives or self._frames is None:
            return  # of one that was given up
        try:
            word: AnyWord = control.decode(frame, control.AnyWord)
        except MalformedFrame:
            logger.exception("what the recorder says cannot be read")
            return
        if isinstance(word, Pong):
            self._on_pong()
        else:
            self._on_word(word)

    def _on_pong(self) -> None:
        if self._supervision.state is not State.STARTING:
            self._supervision.on_beat_answered()
            return
        self._supervision.on_hello(self._loop.time())
        self._act()
        logger.info("the recorder runs, pid %s", self.pid)
        waiting, self._waiting = self._waiting, []
        for order in waiting:
            self.tell(order)
