"""One Transport: DTLS, and SCTP over it, with one remote, and how far that has come.

ICE is not here: the table of all Transports (`transports.py`) reads connectivity checks and tells this one that its
remote is alive and has a path. Everything sent goes through the plane, which knows the path.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from sfu.control import RemoteParameters
from sfu.core.types import TransportState
from sfu.net.certificate import Certificate
from sfu.net.config import TransportConfig
from sfu.net.dtls import DtlsSession, HandshakeFailed
from sfu.net.liveness import Liveness
from sfu.net.sctp import ChannelEvent, DataChannels
from sfu.plane.interface import Plane, SrtpKeys

logger = logging.getLogger(__name__)


class Transport:
    """`on_change` is told of every change of state but the one by `close`. With GONE, the owner closes this.
    `on_channel` is told of data channels, none after `close`."""

    def __init__(
        self,
        number: int,
        plane: Plane,
        certificate: Certificate,
        config: TransportConfig,
        on_change: Callable[[int, TransportState, str], None],
        on_channel: Callable[[int, ChannelEvent], None],
        now: float,
    ) -> None:
        self.number = number
        self.certificate = certificate
        self._plane = plane
        self._config = config
        self._on_change = on_change
        self._on_channel = on_channel
        self._liveness = Liveness(config, now)
        self._reported = self._liveness.state
        self._has_path = False
        self._remote: RemoteParameters | None = None
        self._early_dtls: deque[bytes] = deque(maxlen=config.early_dtls)
        self._session: DtlsSession | None = None
        self._channels: DataChannels | None = None
        self._is_securing = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> TransportState:
        return self._liveness.state

    @property
    def dtls_dropped(self) -> int:
        return self._session.dropped if self._session is not None else 0

    @property
    def has_tasks(self) -> bool:
        """Something is to be waited for after `close`."""
        return self._is_securing

    def deadline(self) -> float | None:
        return self._liveness.deadline()

    def connect(self, remote: RemoteParameters, now: float) -> None:
        """The first time DTLS begins. Later ones change extensions, and may add data channels; the DTLS
        session goes on with the remote it has verified, whatever fingerprints are given then."""
        self._plane.set_extensions(self.number, remote.receive_extensions, remote.send_extensions)
        first, self._remote = self._remote is None, remote
        if first:
            self._liveness.on_remote(now)
            self._session = DtlsSession(
                self.certificate,
                remote.dtls_client,
                remote.fingerprints,
                send=lambda datagram: self._plane.send_dtls(self.number, datagram),
                on_keys=self._on_keys,
                on_closed=lambda: self._end("closed_by_remote"),
                queue=self._config.dtls_queue,
            )
            while self._early_dtls:
                self._session.feed(self._early_dtls.popleft())
            self._start_when_ready()
        elif self._session is not None and self._session.connected:
            self._spawn(self._open_channels())

    def on_check(self, now: float) -> None:
        """The remote is alive and has a path."""
        self._has_path = True
        self._liveness.on_check(now)
        self._start_when_ready()
        self._report()

    def on_rtcp(self, now: float) -> None:
        """The remote is alive."""
        self._liveness.on_rtcp(now)
        self._report()

    def on_dtls(self, datagram: bytes) -> None:
        if self._session is None:
            self._early_dtls.append(datagram)
        else:
            self._session.feed(datagram)

    def send_message(self, label: str, frame: bytes) -> None:
        """On the data channel of this label; lost if there is none."""
        if self._channels is not None:
            self._channels.send(label, frame)

    def on_timeout(self, now: float) -> None:
        self._liveness.on_timeout(now)
        self._report()

    def close(self) -> None:
        """Say farewell on the path there is; idempotent. `wait_closed` for the end of its tasks."""
        self._liveness.end("closed")
        self._reported = self._liveness.state
        if self._channels is not None:
            self._channels.close()
        if self._session is not None:
            self._session.close()

    async def wait_closed(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._session is not None:
            await self._session.wait_closed()

    def _start_when_ready(self) -> None:
        """As DTLS client we wait for a path: a first flight sent into nothing is repeated only a second later."""
        if self._session is None or self._remote is None or self._is_securing:
            return
        if self._has_path or not self._remote.dtls_client:
            self._is_securing = True
            self._spawn(self._secure(self._session))

    async def _secure(self, session: DtlsSession) -> None:
        try:
            await session.handshake(timeout_s=None)  # the time is kept by liveness
        except HandshakeFailed as failure:
            logger.info("Transport %d: %s", self.number, failure)
            self._end(failure.code)
            return
        await self._open_channels()
        self._liveness.on_secured()
        self._report()

    async def _open_channels(self) -> None:
        if (
            self._session is None
            or self._remote is None
            or self._remote.sctp_port is None
            or self._channels is not None
        ):
            return
        self._channels = DataChannels(self._session, self._config, lambda event: self._on_channel(self.number, event))
        await self._channels.open(self._remote.sctp_port)

    def _on_keys(self, keys: SrtpKeys) -> None:
        self._plane.set_keys(self.number, keys)

    def _end(self, reason: str) -> None:
        if self.state is not TransportState.GONE:
            self._liveness.end(reason)
            self._report()

    def _report(self) -> None:
        if self.state is not self._reported:
            self._reported = self.state
            self._on_change(self.number, self.state, self._liveness.reason)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # Our bug, not the remote's: said in full, and only this Transport pays for it.
            logger.error("Transport %d failed", self.number, exc_info=task.exception())
            self._end("internal")
