"""A Worker on an event loop: the Router, the plane's events, one timer for everybody, and an orderly end.

on_command ─┐                            ┌─► on_notice(notice), in order
plane ──────┼─► Router ─► drain, re-arm ─┤
timer ──────┘                            └─► loop.call_at(router.next_timeout())
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from math import inf
from random import Random, SystemRandom
from time import monotonic, process_time, time
from typing import TextIO

from sfu.config import WorkerConfig
from sfu.control import AnyCommand, AnyNotice, AnyReply
from sfu.core.reports import ServerClock
from sfu.net.addresses import candidates, local_addresses, parse_announced
from sfu.net.certificate import CertificateStore
from sfu.plane import open_plane
from sfu.plane.interface import Event, Plane
from sfu.router import Router

logger = logging.getLogger(__name__)


async def open_worker(config: WorkerConfig, on_notice: Callable[[AnyNotice], None]) -> Worker:
    """A running Worker in this process. Raises ValueError for an address that cannot be announced, and OSError
    when the port is taken."""
    addresses = config.addresses or tuple(local_addresses(loopback=config.loopback))
    plane = open_plane(addresses, config.udp_port, config.plane)
    worker = Worker(config, plane, CertificateStore(), on_notice)
    worker.start()
    return worker


class Worker:
    def __init__(
        self,
        config: WorkerConfig,
        plane: Plane,
        certificate: CertificateStore,
        on_notice: Callable[[AnyNotice], None],
        random: Random | None = None,
    ) -> None:
        """`on_notice` is called on the loop, after the Reply of the Command that caused it was returned or later."""
        self.config = config
        self.plane = plane
        self._announced = [parse_announced(text).of_worker(config.worker_index) for text in config.announce]
        self._on_notice = on_notice
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._trace: TextIO | None = None
        if config.trace_estimates:  # whole lines, for whoever looks while it runs
            path = f"{config.trace_estimates}.{config.worker_index}"
            self._trace = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115  closed with the Worker
        self.router = Router(
            config,
            plane,
            candidates=[],
            certificate=certificate,
            clock=ServerClock(unix_at_zero_s=time() - monotonic()),
            random=random or SystemRandom(),
            on_work=self._turn_soon,
            process_cpu_s=process_time,
            trace=None if self._trace is None else self._trace.write,
        )

    def start(self) -> None:
        """Open the sockets and run. Raises OSError when the port is taken."""
        self._loop = asyncio.get_running_loop()
        self.plane.start(self._loop, self._on_events)
        offered = candidates(self.plane.addresses, self.plane.port, self._announced)
        self.router.transports.candidates[:] = offered
        logger.info("Worker on port %d of %d addresses, plane: %s", self.plane.port, len(offered), self.plane.name)
        self._turn_soon()

    def on_command(self, command: AnyCommand) -> AnyReply:
        """Carry it out and answer. Never raises."""
        reply = self.router.on_command(command, monotonic())
        self._turn_soon()  # Notices follow the Reply
        return reply

    async def aclose(self) -> None:
        """Say farewell to every remote, then stop. Idempotent."""
        if self._loop is None:
            return
        self._loop = None
        for handle in (self._timer, self._turn):
            if handle is not None:
                handle.cancel()
        await self.router.transports.aclose()
        self.plane.close()
        if self._trace is not None:
            self._trace.close()

    def _on_events(self, events: list[Event]) -> None:
        self.router.on_events(events, monotonic())
        self._drain()

    def _on_timer(self, due_at: float) -> None:
        self._timer = None
        now = monotonic()
        self.router.counters.timer_wakeups += 1
        self.router.counters.timer_lateness_s += max(0.0, now - due_at)
        self.router.on_timeout(now)
        wakes_at = self.router.next_timeout()
        # What waits for company has had it, if it is to be told before the next time.
        events = self.plane.take_pending(inf if wakes_at is None else wakes_at)
        if events:
            self.router.on_events(events, now)
        self._drain()

    def _on_turn(self) -> None:
        self._turn = None
        self.router.on_timeout(monotonic())
        self._drain()

    def _turn_soon(self) -> None:
        if self._loop is not None and self._turn is None:
            self._turn = self._loop.call_soon(self._on_turn)

    def _drain(self) -> None:
        while (notice := self.router.poll()) is not None:
            try:
                self._on_notice(notice)
            except Exception:  # whoever listens; this Worker goes on
                self.router.counters.internal_errors += 1
                logger.exception("%s was not taken", type(notice).__name__)
        self._arm()

    def _arm(self) -> None:
        """One timer at the earliest deadline; a little later if that is at once, so that neighbours share it."""
        if self._loop is None:
            return
        at = self.router.next_timeout()
        if at is not None:
            at = max(at, monotonic() + self.config.timer_slack_s)
        if self._timer is not None:
            if at is not None and self._timer.when() <= at:
                return  # it comes early enough, and re-arms itself
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer = self._loop.call_at(at, self._on_timer, at)
