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
        self._tasks: dict[str, asyncio.Task[None]] = {}  # the last one by room
        switchboard.turns.on_kept.append(self._look)

    async def close(self) -> None:
        """Idempotent."""
        for task in self._tasks.values():
            task.cancel()  # whom it waits for, too
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _look(self) -> None:
        while (found := self._directory.poll_to_record()) is not None:
            before = self._tasks.get(found.room)
            self._tasks[found.room] = asyncio.get_running_loop().create_task(self._start(found, before))

    async def _start(self, found: ToRecord, before: asyncio.Task[None] | None) -> None:
        """`before`: who comes, leaves and comes back at once has it begun once, as soon as it is seen that it has."""
        if before is not None:
            await before
        try:
            await self._begin(found)
        finally:
            if self._tasks[found.room] is asyncio.current_task():
                del self._tasks[found.room]

    async def _begin(self, found: ToRecord) -> None:
        # Who was alone and comes back within a minute goes on in the same recording.
        if self._recordings.goes_on_by_itself(found.room):
            return
        try:
            await self._recordings.start(found.room, found.options, by=found.by)
        except Refused as refused:
            logger.error("room %s is not recorded, though the %s says so: %s", found.room, found.by, refused)
