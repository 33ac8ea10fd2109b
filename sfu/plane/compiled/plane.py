"""The compiled plane's drivers: the thread that owns the sockets, and the way its events take to the event loop.

sockets ─► thread (no GIL) ─► tables, under the mutex ─► sockets
                                    │ events
                                    └─► eventfd ─► add_reader ─► on_events, a few per turn, known remotes first
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfu.core.report_blocks import BLOCK
from sfu.core.transport_feedback import CLUSTER, GROUP, NO_FEEDBACK, REPORT, FeedbackBatch
from sfu.plane.compiled._plane import Engine
from sfu.plane.compiled.feedback_sockets import open_feedback_socket
from sfu.plane.interface import Event, PlaneConfig
from sfu.plane.ports import open_sockets

_UDP_SEGMENT = 103  # linux/udp.h; the socket module has no name for it
_DEFAULTS = PlaneConfig()

logger = logging.getLogger(__name__)


class CompiledPlane(Engine):
    """See `interface.Plane`. Not started, it is logic alone: no socket, no clock, no thread."""

    name = "compiled"

    def __init__(self, addresses: Sequence[str], port: int = 0, config: PlaneConfig = _DEFAULTS) -> None:
        super().__init__(config)
        self.addresses = tuple(addresses)
        self.port = port
        self._socket_buffer_bytes = config.socket_buffer_bytes
        self._sockets: list[socket.socket] = []
        self._feedback_sockets: list[socket.socket | None] = []
        self._thread: threading.Thread | None = None
        self._wake_fd = self._events_fd = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_events: Callable[[list[Event]], None] | None = None

    @property
    def cpu_s(self) -> float:
        if self._thread is None or self._thread.ident is None:
            return 0.0
        return time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident))

    def start(self, loop: asyncio.AbstractEventLoop, on_events: Callable[[list[Event]], None]) -> None:
        self._sockets = open_sockets(self.addresses, self.port, self._socket_buffer_bytes)
        self.port = self._sockets[0].getsockname()[1]
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._events_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._loop, self._on_events = loop, on_events
        loop.add_reader(self._events_fd, self._deliver)
        self._feedback_sockets = [open_feedback_socket(each, self._socket_buffer_bytes) for each in self._sockets]
        offload = [_knows_offload(each) for each in self._sockets]
        self.begin(self._sockets, self._feedback_sockets, offload, self._wake_fd, self._events_fd)
        # Whoever forgets to close must not leave a thread behind that outlives the interpreter's modules.
        atexit.register(self.close)
        self._thread = threading.Thread(target=self.run, name="sfu-plane", daemon=True)
        # Signals are for the main thread; a new thread inherits what is blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if _comes_first(self._thread):
            self.set_realtime()
            logger.info("The plane's thread has real-time priority")

    def close(self) -> None:
        if self._thread is None:
            return
        self.remove_sinks()
        self.end()
        self._thread.join()
        self._thread = None
        atexit.unregister(self.close)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._events_fd)
        self._loop = self._on_events = None
        for endpoint in (*self._sockets, *self._feedback_sockets):
            if endpoint is not None:
                endpoint.close()
        os.close(self._wake_fd)
        os.close(self._events_fd)
        self._sockets, self._feedback_sockets = [], []

    def poll_feedback(self, now: float) -> FeedbackBatch:
        reports, groups, clusters = self.poll_rows(now)
        if not reports and not clusters:
            return NO_FEEDBACK
        return FeedbackBatch(
            np.frombuffer(reports, REPORT), np.frombuffer(groups, GROUP), np.frombuffer(clusters, CLUSTER)
        )

    def poll_reports(self) -> NDArray[Any]:
        return np.frombuffer(self.poll_blocks(), BLOCK)

    def _deliver(self) -> None:
        if self._on_events is not None:
            events = self.take_pending(math.inf)
            if events:
                self._on_events(events)


def _comes_first(thread: threading.Thread) -> bool:
    """Whether it could be put before all ordinary work: a packet then does not wait for what Python, or anybody else on
    its core, computes. It takes CAP_SYS_NICE. The kernel leaves ordinary work a twentieth of the core in any case.

    A process that is started with a real-time priority of its own (systemd, `chrt`) gives it to all its threads, so one
    more than that is wanted; ordinary work has none."""
    if thread.native_id is None:
        return False
    above = min(os.sched_getparam(0).sched_priority + 1, os.sched_get_priority_max(os.SCHED_RR))
    try:
        os.sched_setscheduler(thread.native_id, os.SCHED_RR, os.sched_param(above))
    except OSError:
        return False
    return True


def _knows_offload(endpoint: socket.socket) -> bool:
    """Whether the kernel has UDP GSO (Linux 4.18). An interface may still refuse it, which sending finds out."""
    try:
        endpoint.getsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT)
    except OSError:
        return False
    return True
