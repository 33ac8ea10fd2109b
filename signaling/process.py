"""A Worker in a process of its own: starts it, watches it, starts another in its place. Its end is `sfu/process.py`.

    Link ◄── frames ──► FrameSocket ═══ Unix socket ═══ process
    Supervision ◄─ hello, beats, ends, exit      ─► spawn, ask, hang up, abort, kill

How a process is executed is in `child.py`, when in `supervision.py`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace

from sfu import startup
from sfu.config import WorkerConfig
from sfu.control import AnyNotice, AnyReply, Load, MalformedFrame, ReadLoad
from sfu.frame_socket import FrameSocket
from sfu.logs import LogFormat
from sfu.startup import Hello, NotStarted, Start
from signaling.child import execute, exit_of
from signaling.limits import WorkerLimits
from signaling.link import Link
from signaling.placement import WorkerLoad
from signaling.supervision import Abort, Beat, HangUp, Kill, Lost, Output, Spawn, State, Supervision

logger = logging.getLogger(__name__)

# Of a Notice that a Transport is gone.
LOST_REASON = "worker_lost"
# How much of a second's load counts against what was known: a burst of one second says little.
_LOAD_WEIGHT = 0.3


class CannotOpen(Exception):
    """The first process of this Worker could not start; the message says why."""


class WorkerProcess:
    """`link` is all that sessions use. `on_unavailable()` comes before those whose Transports were in it are told: a
    process could not start, so that its rooms had better live elsewhere."""

    def __init__(
        self,
        config: WorkerConfig,
        *,
        log_level: str,
        log_format: LogFormat,
        on_notice: Callable[[AnyNotice], None],
        on_unavailable: Callable[[], None],
        limits: WorkerLimits,
        reply_timeout_s: float,
    ) -> None:
        self.index = config.worker_index
        self.link = Link(None, on_notice, reply_timeout_s)
        self.hello: Hello | None = None  # the last process's
        self.restarts = 0
        self._config = config
        self._log_level = log_level
        self._log_format: LogFormat = log_format
        self._on_unavailable = on_unavailable
        self._loop = asyncio.get_running_loop()
        self._supervision = Supervision(limits)
        self._timer: asyncio.TimerHandle | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._frames: FrameSocket | None = None
        self._life: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._lives = 0
        self._load_read: tuple[float, int] | None = None  # when, and what it was
        self._forwarded_pps = 0.0

    @property
    def running(self) -> bool:
        return self._supervision.state is State.RUNNING

    @property
    def load(self) -> WorkerLoad:
        return WorkerLoad(self.running, self._forwarded_pps, self.link.transport_count)

    @property
    def plane_name(self) -> str:
        return self._known.plane

    @property
    def udp_port(self) -> int:
        return self._known.udp_port

    @property
    def addresses(self) -> tuple[str, ...]:
        return self._known.addresses

    async def open(self) -> None:
        """Until it runs. Raises CannotOpen; then only `close` is left to do."""
        self._supervision.on_start(self._loop.time())
        self._act()
        await self._opened

    async def close(self) -> None:
        """In order if it can be had, and within WorkerLimits.stop_timeout_s in any case. Idempotent."""
        self.link.close()
        self._opened.cancel()
        self._supervision.on_stop(self._loop.time())
        self._act()
        if self._life is not None:
            await asyncio.wait([self._life])

    @property
    def _known(self) -> Hello:
        assert self.hello is not None, "not opened"
        return self.hello

    # --- what the supervision wants ---

    def _act(self) -> None:
        while (output := self._supervision.poll()) is not None:
            self._perform(output)
        self._arm()

    def _perform(self, output: Output) -> None:
        match output:
            case Spawn():
                self._lives += 1
                self._life = self._loop.create_task(self._live(self._lives))
            case Beat():
                self.link.ask(lambda call: ReadLoad(call=call), self._on_load)
            case Lost(reason, served):
                self._lose(reason, served)
            case HangUp():
                if self._frames is not None:
                    self._frames.close()
            case Abort():
                self._signal(signal.SIGABRT)
            case Kill():
                self._signal(signal.SIGKILL)

    def _lose(self, reason: str, served: bool) -> None:
        logger.error("Worker %d is lost: %s", self.index, reason)
        self._forwarded_pps, self._load_read = 0.0, None
        if self._frames is not None:
            self._frames.abort()
            self._frames = None
        if not self._opened.done():
            self._opened.set_exception(CannotOpen(f"Worker {self.index}: {reason}"))
            self._supervision.on_stop(self._loop.time())
        if not served:
            self._on_unavailable()
        self.link.lose(LOST_REASON)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            logger.error("%s to Worker %d, pid %d", number.name, self.index, self._process.pid)
            self._process.send_signal(number)  # nothing, if it has ended

    def _arm(self) -> None:
        when = self._supervision.next_timeout()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if when is None else self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._supervision.on_timeout(self._loop.time())
        self._act()

    # --- one process ---

    async def _live(self, life: int) -> None:
        """From exec to exit."""
        try:
            process, pidfd, ours = execute("sfu.process")
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
            start = Start(config=self._config, log_level=self._log_level, log_format=self._log_format)
            frames.send(startup.encode(start))
        else:  # stopped in this moment
            frames.close()
        reason = await exit_of(process, pidfd)
        self._process = None
        logger.info("Worker %d, pid %d, %s", self.index, process.pid, reason)
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
        if self._supervision.state is not State.STARTING:
            self.link.on_frame(frame)
            return
        try:
            answer: Hello | NotStarted = startup.decode(frame, startup.Answer)
        except MalformedFrame as error:
            answer = NotStarted(reason=f"its first frame cannot be read: {error}")
        if isinstance(answer, Hello):
            self._on_hello(answer, self._frames)
        else:
            self._supervision.on_link_end(answer.reason, self._loop.time())
        self._act()

    def _on_hello(self, hello: Hello, frames: FrameSocket) -> None:
        self._supervision.on_hello(self._loop.time())
        if self.hello is not None:
            self.restarts += 1
        self.hello = hello
        # A port that was free on all addresses is what its clients and firewalls know from now on.
        self._config = replace(self._config, udp_port=hello.udp_port)
        logger.info("Worker %d runs, pid %d, UDP port %d", self.index, hello.pid, hello.udp_port)
        self.link.open(frames.send)
        if not self._opened.done():
            self._opened.set_result(None)

    def _on_load(self, reply: AnyReply) -> None:
        if not isinstance(reply, Load):
            return
        self._supervision.on_beat_answered()
        now = self._loop.time()
        if self._load_read is not None:
            at, forwarded = self._load_read
            pps = (reply.forwarded - forwarded) / max(now - at, 1e-3)
            self._forwarded_pps += _LOAD_WEIGHT * (pps - self._forwarded_pps)
        self._load_read = now, reply.forwarded
