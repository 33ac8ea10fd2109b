"""The window of one composite as its composer writes it. Looked at while somebody waits, and by one for all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from recorder.live.playlist import Window, decode

# Between looks while somebody waits. Higher: a part is that much later at everybody.
LOOK_EVERY_S: Final = 0.04
_WINDOW: Final = "window.json"


class WatchedWindow:
    """`path`: of the composite's directory, which need not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path / _WINDOW
        self._stamp = (0, 0)  # when it was written, and its inode: two writes may fall into one tick of the clock
        self._window: Window | None = None
        self._reading = asyncio.Lock()
        self._waiting: set[asyncio.Future[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    async def until(self, met: Callable[[Window], bool], timeout_s: float) -> Window | None:
        """The first that meets it. None: none did in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                if self._looking is None:  # else it is new enough
                    await self._look()
                while self._window is None or not met(self._window):
                    await self._changed()
                return self._window
        return None

    async def _changed(self) -> None:
        changed = asyncio.get_running_loop().create_future()
        self._waiting.add(changed)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look_on())
        try:
            await changed
        finally:
            self._waiting.discard(changed)

    async def _look_on(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(LOOK_EVERY_S)
                await self._look()
        finally:
            self._looking = None

    async def _look(self) -> None:
        """Whoever finds another than before tells all."""
        async with self._reading:
            read = await asyncio.to_thread(self._read)
            if read is None:
                return
            self._stamp, self._window = read
        for changed in self._waiting:
            if not changed.done():
                changed.set_result(None)

    def _read(self) -> tuple[tuple[int, int], Window] | None:
        try:
            status = self._path.stat()
            stamp = status.st_mtime_ns, status.st_ino
            return None if stamp == self._stamp else (stamp, decode(self._path.read_bytes()))
        except (OSError, ValueError):  # not there yet, or not any more; written by another version
            return None
