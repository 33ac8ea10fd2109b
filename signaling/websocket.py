"""The WebSocket endpoint: one socket becomes one session of the switchboard.

upgrade: room name, Origin, subprotocol, limits ─► frames to the session, until the socket is closed
frames to the client wait in a bounded queue, so that one who does not read never holds up another
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable

from aiohttp import WSMsgType, web

from sfu.wire.addresses import shortened
from signaling import closing
from signaling.attempts import Attempts
from signaling.auth import check_room
from signaling.config import ServerConfig
from signaling.limits import ConnectionLimits
from signaling.loop_lag import BOUNDS_S, Histogram
from signaling.responses import problem
from signaling.subprotocols import MAX_FRAME_BYTES, SUBPROTOCOLS, Frame, Subprotocol
from signaling.switchboard import Switchboard
from signaling.visitors import Doorway, may_connect, why_not_this_machine

logger = logging.getLogger(__name__)


class WebSockets:
    def __init__(self, config: ServerConfig, switchboard: Switchboard, attempts: Attempts) -> None:
        self._config = config
        self._limits = config.connections
        self._switchboard = switchboard
        self.join_times = Histogram(BOUNDS_S)  # until `join` is answered, by whatever
        self._doorway = Doorway(self._limits)
        self._attempts = attempts
        self._loop_time = asyncio.get_running_loop().time
        self._open: set[asyncio.Task[object]] = set()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/rooms/{room}/connect", self._connect)

    async def wait_closed(self) -> None:
        """After the switchboard has said farewell."""
        if self._open:
            await asyncio.wait(self._open, timeout=2 * self._limits.close_timeout_s)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        peer = request.remote or ""
        subprotocol = _choose(request.headers.getall("Sec-WebSocket-Protocol", ()))
        refusal = self._why_not(request, peer, subprotocol)
        if refusal is not None:
            return refusal
        assert subprotocol is not None
        socket = web.WebSocketResponse(
            protocols=(subprotocol.name,),
            heartbeat=self._limits.heartbeat_s,
            # What is a little too large gets an answer that says so; beyond this the socket is just closed (1009).
            max_msg_size=2 * MAX_FRAME_BYTES,
            # Signaling is small, and a compressor takes more memory than all the rest of a session.
            compress=False,
            timeout=self._limits.close_timeout_s,
        )
        await socket.prepare(request)
        task = asyncio.current_task()
        assert task is not None and request.transport is not None
        self._open.add(task)
        visit = self._doorway.enter(peer)
        opened_at = asyncio.get_running_loop().time()
        connection = _Connection(socket, request.transport.abort, self._limits)
        leaving = False
        number = self._switchboard.connect(request.match_info["room"], subprotocol, connection, shortened(peer))
        try:
            while (message := await socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._switchboard.on_frame(number, message.data)
                if visit.joining and self._switchboard.has_joined(number):
                    visit.join()
                    self.join_times.add(asyncio.get_running_loop().time() - opened_at)
            # The code of a frame that came. (A socket that just ended has one too, made up by the library.)
            leaving = message.type is WSMsgType.CLOSE and message.data in closing.LEAVING
        finally:
            self._switchboard.on_disconnected(number, leaving=leaving)
            visit.leave()
            if connection.code == "token_invalid":
                self._attempts.on_failure(peer, self._loop_time())
            await connection.finish()
            self._open.discard(task)
        return socket

    def _why_not(self, request: web.Request, peer: str, subprotocol: Subprotocol | None) -> web.Response | None:
        try:
            check_room(request.match_info["room"])
        except ValueError as error:
            return problem(404, "room_not_found", str(error))
        if self._config.dev and (reason := why_not_this_machine(peer, request.headers)) is not None:
            return problem(403, "not_granted", f"development mode is for this machine only: {reason}")
        if not may_connect(self._config.origin, request.headers):
            return problem(403, "not_granted", "pages of this origin may not connect")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return problem(426, "malformed", "a WebSocket belongs here", {"Upgrade": "websocket"})
        if subprotocol is None:
            return problem(400, "malformed", f"offer a subprotocol: {' or '.join(SUBPROTOCOLS)}")
        if not self._attempts.may_try(peer, self._loop_time()):
            return problem(429, "rate", "too many bad tokens from this address", {"Retry-After": "5"})
        full = self._doorway.why_not(peer)
        if full is not None:
            return problem(503, "limit", full, {"Retry-After": "5"})
        return None


def _choose(headers: Iterable[str]) -> Subprotocol | None:
    """The first of the client's subprotocols that we know."""
    offered = (name.strip() for header in headers for name in header.split(","))
    return next((SUBPROTOCOLS[name] for name in offered if name in SUBPROTOCOLS), None)


class _Connection:
    """The switchboard's view of a socket. A task of its own writes, and waits for the client as long as it must."""

    def __init__(self, socket: web.WebSocketResponse, abort: Callable[[], None], limits: ConnectionLimits) -> None:
        self._socket = socket
        self._abort = abort
        self._limits = limits
        self._frames: deque[Frame] = deque()
        self._queued_bytes = 0
        self._farewell: tuple[int, str] | None = None
        self.code = ""  # of PROTOCOL.md, with which we closed
        self._wake = asyncio.Event()
        self._writer = asyncio.get_running_loop().create_task(self._write())
        self._cut: asyncio.TimerHandle | None = None

    def send(self, frame: Frame) -> None:
        if self._farewell is not None:
            return
        self._frames.append(frame)
        self._queued_bytes += len(frame)
        if len(self._frames) > self._limits.send_queue_frames or self._queued_bytes > self._limits.send_queue_bytes:
            logger.info("a client does not read: %d frames wait", len(self._frames))
            self._farewell = (1008, "reads too slowly")
            self._abort()
        self._wake.set()

    def close(self, ws_code: int, reason: str) -> None:
        if self._farewell is None:
            self._farewell = (ws_code, reason)
            self.code = reason
            self._wake.set()
            self._cut = asyncio.get_running_loop().call_later(self._limits.close_timeout_s, self._abort)

    async def finish(self) -> None:
        """Nothing is read any more. A farewell of ours may still wait for the client's."""
        if self._farewell is None:
            self._farewell = (1000, "")
        self._wake.set()
        await asyncio.wait({self._writer}, timeout=self._limits.close_timeout_s)
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        if self._cut is not None:
            self._cut.cancel()

    async def _write(self) -> None:
        try:
            while True:
                while self._frames:
                    frame = self._frames.popleft()
                    self._queued_bytes -= len(frame)
                    if isinstance(frame, str):
                        await self._socket.send_str(frame)
                    else:
                        await self._socket.send_bytes(frame)
                if self._farewell is not None:
                    ws_code, reason = self._farewell
                    await self._socket.close(code=ws_code, message=reason.encode())
                    return
                self._wake.clear()
                await self._wake.wait()
        except ConnectionError:
            pass  # the reading side hears of it, too
