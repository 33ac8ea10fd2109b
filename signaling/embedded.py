"""A Worker in this process, at the other end of a Link. Frames pass between them as they would through a socket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sfu import control
from sfu.config import WorkerConfig
from sfu.control import AnyCommand, AnyNotice, MalformedFrame
from sfu.worker import Worker, open_worker
from signaling.link import Link
from signaling.placement import WorkerLoad

logger = logging.getLogger(__name__)


class EmbeddedWorker:
    """`link` is all that sessions use; the rest is for whoever starts and watches Workers, as in `WorkerProcess`."""

    restarts = 0

    def __init__(self, config: WorkerConfig, on_notice: Callable[[AnyNotice], None], reply_timeout_s: float) -> None:
        self.index = config.worker_index
        self._config = config
        self.link = Link(self._to_worker, on_notice, reply_timeout_s)
        self._loop = asyncio.get_running_loop()
        self._worker: Worker | None = None

    async def open(self) -> None:
        """Raises OSError when the port is taken, ValueError for addresses that cannot be used."""
        self._worker = await open_worker(self._config, self._on_notice)

    @property
    def running(self) -> bool:
        return self._worker is not None

    @property
    def load(self) -> WorkerLoad:
        return WorkerLoad(self.running, 0.0, self.link.transport_count)

    @property
    def plane_name(self) -> str:
        return self._running.plane.name

    @property
    def udp_port(self) -> int:
        return self._running.plane.port

    @property
    def addresses(self) -> tuple[str, ...]:
        return self._running.plane.addresses

    async def close(self) -> None:
        self.link.close()
        if self._worker is not None:
            await self._worker.aclose()

    @property
    def _running(self) -> Worker:
        assert self._worker is not None, "not opened"
        return self._worker

    def _to_worker(self, frame: bytes) -> None:
        self._loop.call_soon(self._serve, frame)

    def _serve(self, frame: bytes) -> None:
        """The Worker's end: what a socket server would do for each frame."""
        try:
            command: AnyCommand = control.decode(frame, AnyCommand)
        except MalformedFrame:
            logger.exception("a Command cannot be read")
            return
        self._to_link(control.encode(self._running.on_command(command)))

    def _on_notice(self, notice: AnyNotice) -> None:
        self._to_link(control.encode(notice))

    def _to_link(self, frame: bytes) -> None:
        self._loop.call_soon(self.link.on_frame, frame)
