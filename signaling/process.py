"""A Worker in a process of its own, as signaling sees it. Its end is `sfu/process.py`.

    Link ◄── frames ──► SupervisedProcess ═══ Unix socket ═══ process

How it is kept running is in `supervised.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from sfu import startup
from sfu.config import WorkerConfig
from sfu.control import AnyNotice, AnyReply, Load, MalformedFrame, ReadLoad
from sfu.logs import LogFormat
from sfu.startup import Hello, NotStarted, Start
from signaling.limits import WorkerLimits
from signaling.link import Link
from signaling.placement import WorkerLoad
from signaling.supervised import SupervisedProcess
from signaling.supervision import State

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
        self._process = SupervisedProcess("sfu.process", f"Worker {self.index}", self, limits)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._load_read: tuple[float, int] | None = None  # when, and what it was
        self._forwarded_pps = 0.0

    @property
    def running(self) -> bool:
        return self._process.running

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
        self._process.start()
        await self._opened

    async def close(self) -> None:
        """In order if it can be had, and within WorkerLimits.stop_timeout_s in any case. Idempotent."""
        self.link.close()
        self._opened.cancel()
        self._process.stop()
        await self._process.gone()

    @property
    def _known(self) -> Hello:
        assert self.hello is not None, "not opened"
        return self.hello

    # --- what its process wants ---

    def greeting(self) -> bytes:
        return startup.encode(Start(config=self._config, log_level=self._log_level, log_format=self._log_format))

    def beat(self) -> None:
        self.link.ask(lambda call: ReadLoad(call=call), self._on_load)

    def on_lost(self, reason: str, served: bool) -> None:
        self._forwarded_pps, self._load_read = 0.0, None
        if not self._opened.done():
            self._opened.set_exception(CannotOpen(f"Worker {self.index}: {reason}"))
            self._process.stop()
        if not served:
            self._on_unavailable()
        self.link.lose(LOST_REASON)

    def on_frame(self, frame: bytes) -> None:
        if self._process.state is not State.STARTING:
            self.link.on_frame(frame)
            return
        try:
            answer: Hello | NotStarted = startup.decode(frame, startup.Answer)
        except MalformedFrame as error:
            answer = NotStarted(reason=f"its first frame cannot be read: {error}")
        if isinstance(answer, Hello):
            self._on_hello(answer)
        else:
            self._process.fail(answer.reason)

    def _on_hello(self, hello: Hello) -> None:
        self._process.hello()
        if self.hello is not None:
            self.restarts += 1
        self.hello = hello
        # A port that was free on all addresses is what its clients and firewalls know from now on.
        self._config = replace(self._config, udp_port=hello.udp_port)
        logger.info("Worker %d runs, pid %d, UDP port %d", self.index, hello.pid, hello.udp_port)
        self.link.open(self._process.send)
        if not self._opened.done():
            self._opened.set_result(None)

    def _on_load(self, reply: AnyReply) -> None:
        if not isinstance(reply, Load):
            return
        self._process.answered()
        now = self._loop.time()
        if self._load_read is not None:
            at, forwarded = self._load_read
            pps = (reply.forwarded - forwarded) / max(now - at, 1e-3)
            self._forwarded_pps += _LOAD_WEIGHT * (pps - self._forwarded_pps)
        self._load_read = now, reply.forwarded
