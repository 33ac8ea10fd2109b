"""A process of the recorder's as signaling sees it: started when it has something to do, kept running from then on.

    Recordings ── orders ──► RecorderProcess ─► SupervisedProcess ═══ Unix socket ═══ recorder/process.py
    Uploading  ◄─ words ───        │                                                  recorder/uploads/process.py

When it is lost, whoever has something in it is told, and begins that again in the next one.
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


class RecorderProcess:
    """`module` is what is run, `name` for the log. `greeting`: what each process is told first; it answers with Pong.
    `on_lost()` comes once for each process that is lost; orders given meanwhile wait for the next."""

    def __init__(
        self,
        module: str,
        name: str,
        greeting: AnyOrder,
        on_word: Callable[[AnyWord], None],
        on_lost: Callable[[], None],
        limits: WorkerLimits,
    ) -> None:
        self._name = name
        self._greeting = greeting
        self._on_word = on_word
        self._on_process_lost = on_lost
        self._process = SupervisedProcess(module, name, self, limits)
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
        """What it does is broken off in good order: journals are flushed as they are. Idempotent."""
        self._process.stop()
        await self._process.gone()

    # --- what its process wants ---

    def greeting(self) -> bytes:
        return control.encode(self._greeting)

    def beat(self) -> None:
        self._process.send(control.encode(Ping()))

    def on_lost(self, reason: str, served: bool) -> None:
        self._waiting.clear()  # said again by who begins anew
        self._on_process_lost()

    def on_frame(self, frame: bytes) -> None:
        try:
            word: AnyWord = control.decode(frame, control.AnyWord)
        except MalformedFrame:
            logger.exception("what %s says cannot be read", self._name)
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
        logger.info("%s runs, pid %s", self._name, self.pid)
        waiting, self._waiting = self._waiting, []
        for order in waiting:
            self.tell(order)
