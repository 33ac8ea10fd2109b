"""Where what outlives the process is kept: one small interface, SQLite behind it by default, memory for tests.

`commit` never waits: transactions are made durable in the order of its calls, and said to be so by calling back in the
event loop's thread. Reading waits, as a disk may be slow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from signaling.events import AnyEvent
from signaling.records import Kept, Transaction
from signaling.webhooks.delivery import Delivery, DeliveryState


class CannotOpenStore(Exception):
    """For whoever starts the server: the file is another server's, is no store, or cannot be written."""


class Store(Protocol):
    def load(self) -> Kept:
        """Once, before the first `commit`."""

    def commit(self, transaction: Transaction, on_committed: Callable[[], None]) -> None:
        """Keep all of it or nothing. With a store that needs no time `on_committed` is called before this returns."""

    @property
    def stalled(self) -> bool:
        """It cannot write at the moment, and goes on trying."""

    async def events(self, since: int, room: str | None, limit: int) -> list[AnyEvent]:
        """Those after the one with this `seq`, in order, at most `limit`; `room`: only of rooms of this name."""

    async def event(self, seq: int) -> AnyEvent | None:
        """None: it is not kept (any more)."""

    async def deliveries(
        self, webhook: str, state: DeliveryState | None, before: int | None, limit: int
    ) -> list[Delivery]:
        """The latest first, at most `limit`; `before`: only of events with a lower `seq`."""

    async def delivery(self, name: str) -> Delivery | None:
        """None: there is none (any more)."""

    async def close(self) -> None:
        """When all that was to be committed is."""


def open_store(path: Path | None) -> Store:
    """None: in memory. Raises CannotOpenStore."""
    if path is None:
        from signaling.store.memory import MemoryStore

        return MemoryStore()
    from signaling.store.sqlite import SqliteStore

    return SqliteStore(path)
