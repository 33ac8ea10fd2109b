"""The recordings that the store has kept, for the one who goes on with them. A book of the switchboard's."""

from __future__ import annotations

from collections.abc import Iterable

from signaling.records import Record, Stored, StoredRecording


class KeptRecordings:
    """What becomes of them later is recorded by the room directory, in the turn in which it happens."""

    def __init__(self) -> None:
        self.by_id: dict[str, StoredRecording] = {}  # the oldest first

    def restore(self, kept: Iterable[Stored]) -> None:
        found = (one for one in kept if isinstance(one, StoredRecording))
        self.by_id = {one.id: one for one in sorted(found, key=lambda one: one.started_at)}

    def poll_record(self) -> Record | None:
        return None
