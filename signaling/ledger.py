"""Makes of the records of one turn one transaction. Sans-IO: `now` is the time of day, in UTC."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec.structs import replace

from signaling.events import AnyEvent
from signaling.records import KIND_OF, Drop, Put, Record, Stored, StoredRoom, Transaction
from signaling.webhooks.delivery import Delivery


class Ledger:
    """`last_seq`: of the last event that is kept already. `new_id` gives `EV_…`. `address` makes the deliveries of an
    event, given what its room's settings say."""

    def __init__(
        self, last_seq: int, new_id: Callable[[], str], address: Callable[[AnyEvent, str], Iterable[Delivery]]
    ) -> None:
        self._seq = last_seq
        self._new_id = new_id
        self._address = address
        self._room_urls: dict[str, str] = {}  # where rooms want to be told, too; by id, of those of this turn
        self._events: list[AnyEvent] = []
        self._puts: dict[tuple[str, str], Stored] = {}
        self._drops: set[tuple[str, str]] = set()

    def add(self, record: Record, now: datetime) -> None:
        match record:
            case Put(value):
                key = KIND_OF[type(value)], value.key
                self._drops.discard(key)
                self._puts[key] = value
                if isinstance(value, StoredRoom) and value.settings is not None:
                    self._room_urls[value.id] = value.settings.webhook_url
            case Drop(type=kind, key=name):
                key = KIND_OF[kind], name
                self._puts.pop(key, None)
                self._drops.add(key)
            case event:
                self._seq += 1
                self._events.append(replace(event, id=self._new_id(), seq=self._seq, created_at=now))

    def close_turn(self) -> Transaction | None:
        """None: nothing was added since the last one."""
        if not (self._events or self._puts or self._drops):
            return None
        deliveries = [
            delivery
            for event in self._events
            for delivery in self._address(event, self._room_urls.get(event.room.id, ""))
        ]
        transaction = Transaction(tuple(self._events), tuple(deliveries), self._puts, frozenset(self._drops))
        self._events, self._puts, self._drops, self._room_urls = [], {}, set(), {}
        return transaction
