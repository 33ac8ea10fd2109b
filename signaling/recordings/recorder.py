"""The recorder's process as signaling sees it: started when there is something to record, kept running from then on.

    Recordings ── orders ──► Recorder ─► SupervisedProcess ═══ Unix socket ═══ recorder/process.py
               ◄─ words ───     │

When it is lost, whoever has recordings in it is told, and begins them again in the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from recorder import control
from recorder.control import AnyOrder, AnyWord, Ping, Pong
from sfu.control import MalformedFrame
from signaling.limits import WorkerLimits
from signaling.supervised import SupervisedProcess
from signaling.supervision import State

logger = logging.getLogger(__name__)


class Recorder:
    """`on_lost()` comes once for each process that is lost; orders given meanwhile wait for the next."""

    def __init__(self, on_word: Callable[[AnyWord], None], on_lost: Callable[[], None], limits: WorkerLimits) -> None:
        self.restarts = 0
        self._on_word = on_word
        self._on_process_lost = on_lost
        self._process = SupervisedProcess("recorder.process", "the recorder", self, limits)
        self._waiting: list[AnyOrder] = []

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def tell(self, order: AnyOrder) -> None:
        if self._process.running:
            self._process.send(control.encode(order))
            return
        self._waiting.append(order)
        if self._process.state is State.IDLE:
            self._process.start()

    async def close(self) -> None:
        """Journals are flushed as they are. Idempotent."""
        self._process.stop()
        await self._process.gone()

    # --- what its process wants ---

    def greeting(self) -> bytes:
        return control.encode(Ping())  # its answer is the hello

    def beat(self) -> None:
        self._process.send(control.encode(Ping()))

    def on_lost(self, reason: str, served: bool) -> None:
        self.restarts += 1
        self._waiting.clear()  # said again by who begins anew
        self._on_process_lost()

    def on_frame(self, frame: bytes) -> None:
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
        if self._process.state is not State.STARTING:
            self._process.answered()
            return
        self._process.hello()
        logger.info("the recorder runs, pid %s", self.pid)
        waiting, self._waiting = self._waiting, []
        for order in waiting:
            self.tell(order)
