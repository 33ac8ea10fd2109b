"""A module of the tests in a process of its own, which hears and says lines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.server import ROOT

ANSWERS_WITHIN_S = 60.0  # on a loaded machine; to start it takes some seconds


class Piped:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout

    def tell(self, line: str) -> None:
        self._stdin.write(f"{line}\n".encode())

    async def hear(self, within_s: float = ANSWERS_WITHIN_S) -> str:
        """The next line. Raises RuntimeError when it has ended instead."""
        if line := await asyncio.wait_for(self._stdout.readline(), within_s):
            return line.decode()
        raise RuntimeError(f"it ended with {await self._process.wait()}")

    async def end(self) -> None:
        """It is told nothing more, which ends it."""
        self._stdin.close()
        await self._process.wait()


@asynccontextmanager
async def piped(module: str, *arguments: str) -> AsyncIterator[Piped]:
    """Until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    child = Piped(process)
    try:
        yield child
    finally:
        await child.end()
