"""Who wants to be woken when: one timer for everybody.

Cores say `next_timeout()`; asking all of them after each event would cost more than the events. Here each
owner has one deadline at a time, in a heap, and only those that were touched are moved. An entry that was
moved stays in the heap until it surfaces, so moving costs no search.
"""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

Owner = TypeVar("Owner", bound=Hashable)

# Stale entries may outnumber live ones by this much before the heap is rebuilt: a rebuild is rare, and an owner
# that is moved for ever without coming due cannot fill memory.
STALE_ENTRIES = 1024


class Deadlines(Generic[Owner]):
    """At most one deadline per owner. Owners due together come in the order of their deadlines."""

    def __init__(self) -> None:
        self._at: dict[Owner, float] = {}
        self._heap: list[tuple[float, int, Owner]] = []
        self._tie = count()  # owners need no order of their own

    def __len__(self) -> int:
        return len(self._at)

    def set(self, owner: Owner, at: float | None) -> None:
        """The owner's deadline is `at` from now on; `None`: it wants nothing."""
        if at is None:
            self._at.pop(owner, None)
        elif self._at.get(owner) != at:
            self._at[owner] = at
            heappush(self._heap, (at, next(self._tie), owner))
            if len(self._heap) > 2 * len(self._at) + STALE_ENTRIES:
                self._rebuild()

    def next_timeout(self) -> float | None:
        while self._heap:
            at, _, owner = self._heap[0]
            if self._at.get(owner) == at:
                return at
            heappop(self._heap)
        return None

    def due(self, now: float) -> list[Owner]:
        """Owners whose deadline has come. They have none now, until they set the next."""
        owners = []
        while (at := self.next_timeout()) is not None and at <= now:
            owner = heappop(self._heap)[2]
            del self._at[owner]
            owners.append(owner)
        return owners

    def _rebuild(self) -> None:
        self._heap = [(at, next(self._tie), owner) for owner, at in self._at.items()]
        heapify(self._heap)
