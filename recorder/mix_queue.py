"""Mixes that are to be made, one after the other, each in a process of its own (`mixing.py`). A shell."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from recorder.control import AnyWord, Mix, Mixed, MixFailed, Mixing

logger = logging.getLogger(__name__)


class MixQueue:
    """`say` is told how far each has come, and what came of it."""

    def __init__(self, say: Callable[[AnyWord], None]) -> None:
        self._say = say
        self._turn = asyncio.Lock()
        self._jobs: dict[str, asyncio.Task[None]] = {}

    def add(self, order: Mix) -> None:
        """Nothing happens if it is there already."""
        if order.mix not in self._jobs:
            job = self._jobs[order.mix] = asyncio.get_running_loop().create_task(self._make(order))
            job.add_done_callback(lambda _: self._jobs.pop(order.mix, None))

    def stop(self, mix: str) -> None:
        """Nobody wants it any more."""
        if mix in self._jobs:
            self._jobs[mix].cancel()

    async def close(self) -> None:
        for job in self._jobs.values():
            job.cancel()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)

    async def _make(self, order: Mix) -> None:
        target = Path(order.path)
        async with self._turn:
            try:
                reason = await self._run(order)
                if not reason:
                    self._say(Mixed(recording=order.recording, mix=order.mix, size_bytes=_size_bytes(target)))
                    return
            except OSError as error:
                reason = str(error)
            finally:
                with contextlib.suppress(OSError):  # of one that was killed
                    target.with_name(f".{target.name}.partial").unlink()
        logger.error("mix %s of %s: %s", order.mix, order.recording, reason)
        self._say(MixFailed(recording=order.recording, mix=order.mix, reason=reason))

    async def _run(self, order: Mix) -> str:
        """Why it failed; empty: it is there. Raises OSError."""
        layout = msgspec.json.encode(order.layout).decode()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "recorder.mixing", order.directory, order.path, layout,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            _, err = await asyncio.gather(self._follow(order, child), _rest(child.stderr))
            await child.wait()
        except asyncio.CancelledError:
            child.kill()
            await child.wait()
            raise
        if child.returncode == 0:
            return ""
        if child.returncode == -signal.SIGXCPU:
            return "it took more of the CPU than any recording of this length may"
        lines = err.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"ended with status {child.returncode}"

    async def _follow(self, order: Mix, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        async for line in child.stdout:
            self._say(Mixing(recording=order.recording, mix=order.mix, share=float(line)))


def _size_bytes(path: Path) -> int:
    return path.stat().st_size


async def _rest(stream: asyncio.StreamReader | None) -> bytes:
    assert stream is not None
    return await stream.read()
