"""Debian's Firefox ESR with a fake camera and microphone, driven through a small Node program (`firefox.mjs`)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from tests.support.chromium import ARTIFACTS, PREPARE, STATISTICS, Statistics

DRIVER = Path(__file__).with_suffix(".mjs")
ANSWER_TIMEOUT_S = 90.0  # the first start of Firefox on a loaded machine


class Firefox:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._requests = process.stdin
        self._answers = process.stdout

    async def open(self, url: str) -> None:
        await self._ask({"open": url, "prepare": PREPARE})

    async def evaluate(self, source: str) -> Any:
        """The value of a JavaScript expression (awaited if it is a promise)."""
        return await self._ask({"evaluate": source})

    async def statistics(self) -> Statistics:
        return Statistics(json.loads(await self.evaluate(f"({STATISTICS})()")))

    async def screenshot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        await self._ask({"screenshot": str(ARTIFACTS / f"{name}.png")})

    async def _ask(self, request: dict[str, str]) -> Any:
        self._requests.write(json.dumps(request).encode() + b"\n")
        answer = await asyncio.wait_for(self._answers.readline(), ANSWER_TIMEOUT_S)
        if not answer:
            raise RuntimeError("Firefox or its driver ended")
        reply = json.loads(answer)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply.get("value")


@contextlib.asynccontextmanager
async def firefox(prefix: Sequence[str]) -> AsyncIterator[Firefox]:
    """`prefix` runs it on another host (`tests/support/namespaces.py`)."""
    process = await asyncio.create_subprocess_exec(
        *(*prefix, "node", str(DRIVER)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    try:
        yield Firefox(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()  # the driver closes Firefox and ends
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()
