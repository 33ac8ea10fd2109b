"""Recordings that begin by themselves: of rooms that are set so, or into which somebody comes whose token says so. A
shell: the directory says which, and when."""

from __future__ import annotations

import asyncio
import logging

from signaling.errors import Refused
from signaling.recordings.recordings import Recordings
from signaling.room_table import ToRecord
from signaling.switchboard import Switchboard

logger = logging.getLogger(__name__)


class Starting:
    def __init__(self, recordings: Recordings, switchboard: Switchboard) -> None:
        self._recordings = recordings
        self._directory = switchboard.directory
        self._tasks: set[asyncio.Task[None]] = set()
        switchboard.turns.on_kept.append(self._look)

    async def close(self) -> None:
        """Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _look(self) -> None:
        while (found := self._directory.poll_to_record()) is not None:
            task = asyncio.get_running_loop().create_task(self._start(found))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _start(self, found: ToRecord) -> None:
        # Who was alone and comes back within a minute goes on in the same recording.
        if self._recordings.goes_on_by_itself(found.room):
            return
        try:
            await self._recordings.start(found.room, found.options, by=found.by)
        except Refused as refused:
            logger.error("room %s is not recorded, though the %s says so: %s", found.room, found.by, refused)
