"""The tables of the SQLite store, as a list of migrations: a file knows how many of them it has had.

A migration that was released is never changed; another is added. Each runs in the transaction that counts it.
"""

from __future__ import annotations

import sqlite3
from typing import Final

# "sfu" and one: what `file` shows, and how a database of somebody else's is told apart.
APPLICATION_ID: Final = 0x73667501

MIGRATIONS: Final = (
    (
        # Values by kind and key, as JSON; read once, at start.
        """
        CREATE TABLE stored (
            kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
            PRIMARY KEY (kind, key)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE events (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, room TEXT NOT NULL, created_at REAL NOT NULL,
            body BLOB NOT NULL
        )
        """,
        "CREATE INDEX events_of_room ON events (room, seq)",
    ),
    (
        # `event` is the seq of its event.
        """
        CREATE TABLE deliveries (
            id TEXT PRIMARY KEY, webhook TEXT NOT NULL, state TEXT NOT NULL, event INTEGER NOT NULL,
            created_at REAL NOT NULL, body BLOB NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX deliveries_of_webhook ON deliveries (webhook, event)",
        "CREATE INDEX pending_deliveries ON deliveries (event) WHERE state = 'pending'",
        "CREATE INDEX events_by_age ON events (created_at)",
    ),
)


class UnknownSchema(Exception):
    """Not a store, or one of a newer version."""


def migrate(connection: sqlite3.Connection) -> None:
    """Raises UnknownSchema, or sqlite3.Error."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (done,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and tables:
        raise UnknownSchema("it is another program's database")
    if done > len(MIGRATIONS):
        raise UnknownSchema(f"a newer version made it (schema {done}, this one knows {len(MIGRATIONS)})")
    for number, statements in enumerate(MIGRATIONS[done:], done + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
