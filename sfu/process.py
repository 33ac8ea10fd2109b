"""A Worker in a process of its own: `python -m sfu.process FD`, where FD is a connected Unix socket to signaling.

    Start ─► open the Worker ─► Hello ─► Commands in, Replies and Notices out ─► the socket ends, or SIGTERM ─► farewell

Signaling starts it, watches it and starts another (`signaling/process.py`); here is decided only how it ends. With the
socket, because a Worker without signaling serves nobody and must not keep the port. And by itself, when its loop hangs.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable

from sfu import control, logs, startup
from sfu.control import AnyCommand, AnyNotice, Failed, MalformedFrame
from sfu.frame_socket import FrameSocket
from sfu.startup import Hello, NotStarted, Start
from sfu.worker import Worker, open_worker

logger = logging.getLogger("sfu.process")  # runs as `__main__`

# A loop that has not come round for this long is never coming: remotes whose checks nobody answers give up after 30 s
# (RFC 7675). Signaling notices earlier, if it is there and well.
HANGS_AFTER_S = 30.0
# How often the alarm is put off. Rarely: an idle Worker should sleep.
ALARM_PUT_OFF_EVERY_S = 10.0
# For farewells to all remotes; a millisecond each.
FAREWELL_WITHIN_S = 5.0


def main() -> None:
    link = socket.socket(fileno=int(sys.argv[1]))
    # Ctrl-C reaches the whole foreground group, and is signaling's to act upon: it tells all clients first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where it hangs or crashes; SIGABRT is what signaling sends to one that hangs. Then as without: it ends.
    faulthandler.enable()
    faulthandler.register(signal.SIGALRM, chain=True)
    sys.exit(asyncio.run(_run(link)))


async def _run(link: socket.socket) -> int:
    """The exit status: 0 after an orderly end, 1 if it could not start."""
    process = _Process()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, process.stop)
    process.put_off_alarm()
    frames = await FrameSocket.over(link, process.on_frame, process.on_link_end, pauses=True)
    status = await process.serve(frames.send)
    process.stop()
    signal.setitimer(signal.ITIMER_REAL, FAREWELL_WITHIN_S)
    await process.close()
    frames.close()
    await process.link_ended.wait()
    return status


class _Process:
    def __init__(self) -> None:
        self.link_ended = asyncio.Event()
        self._start: asyncio.Future[Start | None] = asyncio.get_running_loop().create_future()  # None: stopped before
        self._stopping = asyncio.Event()
        self._worker: Worker | None = None
        self._send: Callable[[bytes], None] = lambda frame: None
        self._alarm: asyncio.TimerHandle | None = None

    async def serve(self, send: Callable[[bytes], None]) -> int:
        self._send = send
        start = await self._start
        if start is None:
            return 0
        _log(start)
        try:
            worker = await open_worker(start.config, self._on_notice)
        except (OSError, ValueError) as error:
            send(startup.encode(NotStarted(reason=str(error))))
            return 1
        self._worker, plane = worker, worker.plane
        hello = Hello(pid=os.getpid(), udp_port=plane.port, addresses=tuple(plane.addresses), plane=plane.name)
        send(startup.encode(hello))
        await self._stopping.wait()
        return 0

    def stop(self) -> None:
        self._stopping.set()
        if not self._start.done():
            self._start.set_result(None)

    async def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if self._worker is not None:
            await self._worker.aclose()

    def on_frame(self, frame: bytes) -> None:
        try:
            if not self._start.done():
                self._start.set_result(startup.decode(frame, Start))
            elif self._worker is not None and not self._stopping.is_set():
                command: AnyCommand = control.decode(frame, AnyCommand)
                self._send(_fitting(command, control.encode(self._worker.on_command(command))))
        except MalformedFrame:
            logger.exception("what signaling said cannot be read")

    def on_link_end(self, reason: str) -> None:
        if not self._stopping.is_set():
            logger.info("signaling is gone: %s", reason)
        self.link_ended.set()
        self.stop()

    def put_off_alarm(self) -> None:
        """The kernel ends this process when this was not called for too long, whatever Python is doing."""
        signal.setitimer(signal.ITIMER_REAL, HANGS_AFTER_S)
        self._alarm = asyncio.get_running_loop().call_later(ALARM_PUT_OFF_EVERY_S, self.put_off_alarm)

    def _on_notice(self, notice: AnyNotice) -> None:
        self._send(control.encode(notice))


def _fitting(command: AnyCommand, reply: bytes) -> bytes:
    """The other end gives up a link with a longer frame, and everybody's Transports with it."""
    if len(reply) <= control.MAX_FRAME_BYTES:
        return reply
    reason = f"the Reply would be {len(reply)} bytes; ask room by room"
    return control.encode(Failed(call=command.call, code="limit", reason=reason))


def _log(start: Start) -> None:
    logs.set_up(start.log_level, start.log_format, start.config.worker_index)


if __name__ == "__main__":
    main()
