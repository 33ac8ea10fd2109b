"""A store that forgets all with the process: for tests, the demo and development."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Final

from signaling.events import AnyEvent
from signaling.records import Kept, Stored, Transaction
from signaling.webhooks.delivery import Delivery, DeliveryState

# Some minutes of a busy server. Nobody counts on more where nothing outlives the process.
MAX_EVENTS: Final = 10_000


class MemoryStore:
    """`stalled` is never so."""

    stalled = False

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], Stored] = {}
        self._events: OrderedDict[int, AnyEvent] = OrderedDict()
        self._deliveries: OrderedDict[str, Delivery] = OrderedDict()

    def load(self) -> Kept:
        last_seq = next(reversed(self._events), 0)
        pending = [one for one in self._deliveries.values() if one.state == "pending"]
        return Kept(last_seq, tuple(self._values.values()), tuple(sorted(pending, key=lambda one: one.event)))

    def commit(self, transaction: Transaction, on_committed: Callable[[], None]) -> None:
        self._values |= transaction.puts
        for key in transaction.drops:
            self._values.pop(key, None)
        self._events |= {event.seq: event for event in transaction.events}
        self._deliveries |= {one.id: one for one in transaction.deliveries}
        while len(self._events) > MAX_EVENTS:
            self._events.popitem(last=False)
        while len(self._deliveries) > MAX_EVENTS:
            self._deliveries.popitem(last=False)
        on_committed()

    async def events(self, since: int, room: str | None, limit: int) -> list[AnyEvent]:
        wanted = (one for one in self._events.values() if one.seq > since and room in (None, one.room.name))
        return list(islice(wanted, limit))

    async def event(self, seq: int) -> AnyEvent | None:
        return self._events.get(seq)

    async def deliveries(
        self, webhook: str, state: DeliveryState | None, before: int | None, limit: int
    ) -> list[Delivery]:
        wanted = [
            one
            for one in self._deliveries.values()
            if one.webhook == webhook and state in (None, one.state) and (before is None or one.event < before)
        ]
        return sorted(wanted, key=lambda one: (one.event, one.created_at), reverse=True)[:limit]

    async def delivery(self, name: str) -> Delivery | None:
        return self._deliveries.get(name)

    async def close(self) -> None:
        """There is nothing to wait for."""
