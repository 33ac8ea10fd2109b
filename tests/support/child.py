"""A Worker's process, spoken to as signaling does; and what is known of processes by their numbers."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from sfu import control, startup
from sfu.config import WorkerConfig
from sfu.control import AnyCommand
from sfu.startup import Start
from sfu.wire.frames import FrameSplitter, prefixed

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0  # for what takes milliseconds: a loaded machine
ON_LOOPBACK = WorkerConfig(addresses=("127.0.0.1",))


class Child:
    """`process`, and our end of the link to it."""

    def __init__(self, process: asyncio.subprocess.Process, link: socket.socket) -> None:
        self.process = process
        self.link = link
        self._frames: list[bytes] = []
        self._splitter = FrameSplitter(control.MAX_FRAME_BYTES)

    async def hello(self, config: WorkerConfig = ON_LOOPBACK) -> Any:
        await self.send(startup.encode(Start(config=config, log_level="INFO")))
        return startup.decode(await self.hear(), startup.Answer)

    async def say(self, command: AnyCommand) -> Any:
        await self.send(control.encode(command))
        return control.decode(await self.hear())

    async def send(self, frame: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.link, prefixed(frame))

    async def hear(self) -> bytes:
        async with asyncio.timeout(WAIT_S):
            while not self._frames:
                chunk = await asyncio.get_running_loop().sock_recv(self.link, 1 << 16)
                assert chunk, "the process has ended the link"
                self._frames += self._splitter.feed(chunk)
        return self._frames.pop(0)

    async def ended(self) -> tuple[int, str]:
        """Its status, and what it has written."""
        async with asyncio.timeout(WAIT_S):
            _, written = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, written.decode()


@asynccontextmanager
async def child(code: str | None = None) -> AsyncIterator[Child]:
    """`code`: what to run in place of the module, with the link's number in sys.argv[1]."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *(("-m", "sfu.process") if code is None else ("-c", code)),
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stderr=asyncio.subprocess.PIPE,
                cwd=ROOT,
            )
        try:
            yield Child(process, ours)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


def alive(pid: int) -> bool:
    """And no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def children(pid: int | None = None) -> list[int]:
    """Processes that this one (ours, unless another is named) has started and that are still there."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == (pid or os.getpid()):
                found.append(int(entry.name))
    return [one for one in found if alive(one)]
