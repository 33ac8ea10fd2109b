"""What is known of all recordings, and what becomes of it: kept, and told, in the order in which it happened. A shell.

change ─► by_id, at once ─► a queue ─► store and event, in one transaction of a turn
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from signaling import events
from signaling.errors import Refused
from signaling.records import StoredRecording
from signaling.rooms import NO_DETAILS, RoomDirectory
from signaling.store import Store
from signaling.switchboard import Switchboard

logger = logging.getLogger(__name__)

# When the store cannot write: it is tried again so often.
RETRY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Change:
    """`kept` is done when it is. `event`: None where nobody needs to hear of it."""

    event: type[events.RecordingEvent] | None
    stored: StoredRecording
    details: Mapping[str, str]
    kept: asyncio.Future[None]


class Book:
    """`by_id`: what the store has, the oldest first; only changed here, but for what begins and what is deleted."""

    def __init__(self, by_id: dict[str, StoredRecording], switchboard: Switchboard, store: Store) -> None:
        self.by_id = by_id
        self._switchboard = switchboard
        self._store = store
        self._changes: asyncio.Queue[_Change] = asyncio.Queue()
        self._keeping: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Idempotent."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    def check_store(self) -> None:
        """Raises Refused: `unavailable`."""
        if self._store.stalled:
            raise Refused("unavailable", "nothing can be kept at the moment")

    async def change(
        self,
        one: StoredRecording,
        event: type[events.RecordingEvent] | None,
        details: Mapping[str, str] = NO_DETAILS,
        **changes: Any,
    ) -> None:
        """Kept, and told, before it returns. Raises Refused while nothing can be: it holds all the same, and is told
        later."""
        kept = self.change_soon(one, event, details, **changes)
        self.check_store()
        await kept

    def change_soon(
        self,
        one: StoredRecording,
        event: type[events.RecordingEvent] | None,
        details: Mapping[str, str] = NO_DETAILS,
        **changes: Any,
    ) -> asyncio.Future[None]:
        """`details`: what the event says otherwise of it."""
        if changes.get("state") in ("finishing", "failed") and one.ended_at is None:
            changes["ended_at"] = time.time()
        changed = self.by_id[one.id] = replace(one, **changes)
        kept = asyncio.get_running_loop().create_future()
        self._changes.put_nowait(_Change(event, changed, details, kept))
        return kept

    async def _keep(self) -> None:
        while True:
            change = await self._changes.get()
            try:
                await self._keep_one(change)
            except Exception as error:  # of ours; the next change of this recording holds all of it
                logger.exception("recording %s: what became of it is not kept", change.stored.id)
                if not change.kept.done():
                    change.kept.set_exception(error)
                    change.kept.exception()  # mostly nobody waits, and it has been logged
            else:
                if not change.kept.done():  # who waited for it may have gone
                    change.kept.set_result(None)

    async def _keep_one(self, change: _Change) -> None:
        while change.stored.id in self.by_id:  # else it has been deleted meanwhile
            try:
                await self._switchboard.perform(partial(_record, change))
                return
            except Refused:  # the store cannot write
                await asyncio.sleep(RETRY_S)


def _record(change: _Change, rooms: RoomDirectory, now: float) -> None:
    if change.event is None:
        rooms.keep_recording(change.stored)
    else:
        rooms.change_recording(change.event, change.stored, change.details)
