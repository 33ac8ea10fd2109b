"""The live composite of a recording that is being taken: a process of its own, begun again when it fails."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

logger = logging.getLogger(__name__)

# A process that fails at once fails again: a full disk, a journal that cannot be read. It takes a second to start.
AGAIN_AFTER_S = 2.0
# The recording has ended, and what viewers have not seen of it is composed; then somebody else wants the core.
END_WITHIN_S = 15.0


class Composing:
    """`layout`: the name of one that is built in."""

    def __init__(self, directory: Path, layout: str) -> None:
        self._directory = directory
        self._layout = layout
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def end(self) -> None:
        """The journal says that the recording has ended: the process ends by itself."""
        done, _ = await asyncio.wait({self._task}, timeout=END_WITHIN_S)
        if not done:
            logger.warning("the live composite of %s does not end", self._directory.name)
            await self.close()

    async def close(self) -> None:
        """At once; somebody else may go on with it. Idempotent."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        while (status := await self._compose()) != 0:
            logger.error("the live composite of %s ended with status %d", self._directory.name, status)
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _compose(self) -> int:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "recorder.live", str(self._directory), self._layout,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            return await child.wait()
        except asyncio.CancelledError:
            child.kill()
            await child.wait()
            raise
