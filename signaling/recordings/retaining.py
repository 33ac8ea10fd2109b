"""Deletes recordings that have been kept long enough. A shell around `retention.py`."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from signaling.errors import Refused
from signaling.recordings.recordings import Recordings
from signaling.recordings.retention import Retention, outlived

logger = logging.getLogger(__name__)

# What has outlived its time stays so much longer at most; a disk fills within minutes only where many are recorded.
LOOK_EVERY_S: Final = 60.0


class Retaining:
    def __init__(self, recordings: Recordings, keep: Retention) -> None:
        self._recordings = recordings
        self._keep = keep
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._keep.limits:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self, now: float) -> None:
        """`now`: Unix time."""
        for id, cause in outlived(self._recordings.of_room(None), self._keep, now):
            try:
                await self._recordings.delete(id, cause)
            except Refused as refused:  # somebody else was faster, or the store cannot write: then next time
                logger.info("recording %s is not deleted: %s", id, refused)
            else:
                logger.info("recording %s is deleted: %s", id, cause)

    async def _run(self) -> None:
        while True:
            try:
                await self.look(time.time())
            except Exception:  # an error of ours; the next look may be luckier, and the disk must not fill for it
                logger.exception("recordings are kept longer than they should be")
            await asyncio.sleep(LOOK_EVERY_S)
