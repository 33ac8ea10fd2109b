"""A group of transactions, written by as few statements as can be.

In each statement the committer gives the interpreter's lock away, several times, and then waits for it: while the event
loop is busy, up to the switch interval each time. So of what a group puts, only the last word on each key is written,
and rows go many to a statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

import msgspec

from signaling.records import Stored, Transaction
from signaling.webhooks.delivery import Delivery

# Powers of two: any number of rows is a few of them, and there are few statements to keep prepared. The largest has
# 384 parameters; SQLite takes 32 766.
_ROWS: Final = (64, 32, 16, 8, 4, 2, 1)

_PUT: Final = "INSERT OR REPLACE INTO stored (kind, key, value) VALUES {rows}"
_DROP: Final = "DELETE FROM stored WHERE (kind, key) IN (VALUES {rows})"
_EVENT: Final = "INSERT INTO events (seq, id, room, created_at, body) VALUES {rows}"
_DELIVERY: Final = "INSERT OR REPLACE INTO deliveries (id, webhook, state, event, created_at, body) VALUES {rows}"

_encode: Final = msgspec.json.Encoder().encode


def write(connection: sqlite3.Connection, group: Iterable[Transaction]) -> None:
    """In the order of the group, within the transaction of SQLite that has begun. Raises sqlite3.Error."""
    puts: dict[tuple[str, str], Stored] = {}
    drops: set[tuple[str, str]] = set()
    deliveries: dict[str, Delivery] = {}
    events: list[tuple[Any, ...]] = []
    for transaction in group:
        for key in transaction.drops:
            puts.pop(key, None)
        drops |= transaction.drops
        drops -= transaction.puts.keys()
        puts |= transaction.puts
        deliveries |= {one.id: one for one in transaction.deliveries}
        events += (
            (one.seq, one.id, one.room.name, one.created_at.timestamp(), _encode(one)) for one in transaction.events
        )
    _write_rows(connection, _PUT, [(*key, _encode(value)) for key, value in puts.items()])
    _write_rows(connection, _DROP, [*drops])
    _write_rows(connection, _EVENT, events)
    _write_rows(
        connection,
        _DELIVERY,
        [(one.id, one.webhook, one.state, one.event, one.created_at, _encode(one)) for one in deliveries.values()],
    )


def _write_rows(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    position = 0
    for size in _ROWS:
        while len(rows) - position >= size:
            some = rows[position : position + size]
            row = f"({', '.join('?' * len(some[0]))})"
            connection.execute(statement.format(rows=", ".join([row] * size)), [*chain.from_iterable(some)])
            position += size
