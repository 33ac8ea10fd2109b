"""The store in one SQLite file (WAL), with a thread that commits and one that reads.

    event loop ─ commit ─► queue ─► committer: all that has come meanwhile is one COMMIT ─► call back in the loop

A commit takes as long as the disk needs to sync, some milliseconds; whatever comes in that time waits for the next one,
so nobody waits for more than two, and a hundred joins at once cost two syncs. `synchronous = FULL`: what was answered
outlives a power failure too, where the disk does not lie.

A commit that fails (disk full) is tried again until it succeeds: what is in memory has happened, and media flows on;
only nobody is told of it yet. Meanwhile the store is `stalled`, and who wants something new is refused.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec

from signaling.events import AnyEvent
from signaling.records import KINDS, Kept, Transaction
from signaling.store import CannotOpenStore
from signaling.store.checkpoints import Checkpoints, prepare
from signaling.store.schema import UnknownSchema, migrate
from signaling.store.writing import write
from signaling.webhooks.delivery import Delivery, DeliveryState

logger = logging.getLogger(__name__)

# After a commit that failed: soon enough to go on when somebody has made room, and no busy loop until then.
RETRY_AFTER_S: Final = 0.5
# Events and deliveries: a week to look into what went wrong. Deliveries are given up after a day.
KEEP_EVENTS_S: Final = 7 * 86400.0
FORGET_EVERY_S: Final = 3600.0

_Waiting = tuple[Transaction, Callable[[], None]]


class SqliteStore:
    """Raises CannotOpenStore. To be made where the event loop runs."""

    def __init__(self, path: Path, keep_s: float = KEEP_EVENTS_S) -> None:
        self._path = path
        self._keep_s = keep_s
        self._forget_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Waiting] = deque()
        self._wake = threading.Event()
        self._closing = False
        self.stalled = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(path)
            try:
                # Secrets of webhooks are in it. SQLite gives the files beside it the same permissions.
                os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
                self._writer = _connect(path)
                migrate(self._writer)
                prepare(self._writer, path)
                self._reader = _connect(path)
                self._reader.execute("PRAGMA query_only = ON")
            except BaseException:
                os.close(self._lock)
                raise
        except (OSError, sqlite3.Error, UnknownSchema) as error:
            raise CannotOpenStore(f"{path}: {error}") from error
        self._reading = ThreadPoolExecutor(1, "store-reader")
        self._checkpoints = Checkpoints(_connect(path))
        self._committer = threading.Thread(target=self._commit_for_ever, name="store-committer", daemon=True)
        self._committer.start()

    def load(self) -> Kept:
        (last_seq,) = self._reader.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
        rows = self._reader.execute("SELECT kind, value FROM stored ORDER BY kind, key")
        # Kinds of a version that knew more are left where they are.
        values = tuple(msgspec.json.decode(value, type=KINDS[kind]) for kind, value in rows if kind in KINDS)
        pending = self._reader.execute("SELECT body FROM deliveries WHERE state = 'pending' ORDER BY event, created_at")
        return Kept(last_seq, values, tuple(msgspec.json.decode(body, type=Delivery) for (body,) in pending))

    def commit(self, transaction: Transaction, on_committed: Callable[[], None]) -> None:
        assert not self._closing, "nothing happens any more when the store is closed"
        self._queue.append((transaction, on_committed))
        self._wake.set()

    async def events(self, since: int, room: str | None, limit: int) -> list[AnyEvent]:
        return await self._read(
            AnyEvent,
            "SELECT body FROM events WHERE seq > ? AND (? IS NULL OR room = ?) ORDER BY seq LIMIT ?",
            (since, room, room, limit),
        )

    async def event(self, seq: int) -> AnyEvent | None:
        return next(iter(await self._read(AnyEvent, "SELECT body FROM events WHERE seq = ?", (seq,))), None)

    async def deliveries(
        self, webhook: str, state: DeliveryState | None, before: int | None, limit: int
    ) -> list[Delivery]:
        return await self._read(
            Delivery,
            "SELECT body FROM deliveries WHERE webhook = ? AND (? IS NULL OR state = ?) AND (? IS NULL OR event < ?) "
            "ORDER BY event DESC, created_at DESC LIMIT ?",
            (webhook, state, state, before, before, limit),
        )

    async def delivery(self, name: str) -> Delivery | None:
        return next(iter(await self._read(Delivery, "SELECT body FROM deliveries WHERE id = ?", (name,))), None)

    async def close(self) -> None:
        """Idempotent. What cannot be committed within a moment (disk full) is lost, as the log says."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        await self._loop.run_in_executor(None, self._committer.join)
        self._checkpoints.close()
        self._reading.shutdown()
        self._reader.close()
        self._writer.close()
        os.close(self._lock)
        await asyncio.sleep(0)  # the last ones are called back

    async def _read(self, type: Any, query: str, parameters: tuple[object, ...]) -> list[Any]:
        def read() -> list[Any]:
            return [msgspec.json.decode(body, type=type) for (body,) in self._reader.execute(query, parameters)]

        return await self._loop.run_in_executor(self._reading, read)

    # --- in the committer's thread ---

    def _commit_for_ever(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            group: list[_Waiting] = []
            while self._queue:
                group.append(self._queue.popleft())
            while group and not self._commit_group([transaction for transaction, _ in group]):
                if self._closing:
                    logger.error("store: %d transactions are lost", len(group))
                    break
                time.sleep(RETRY_AFTER_S)
            else:
                # Once for all: each call from another thread writes to the loop's socket.
                self._loop.call_soon_threadsafe(self._call_back, group)
                self._checkpoints.on_commit(self._writer)
            if self._closing and not self._queue:
                return

    def _call_back(self, group: list[_Waiting]) -> None:
        """In the event loop; an error of one is not the others'."""
        for _, on_committed in group:
            self._loop.call_soon(on_committed)

    def _commit_group(self, group: list[Transaction]) -> bool:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            write(self._writer, group)
            if time.monotonic() >= self._forget_at:
                self._forget(time.time() - self._keep_s)
                self._forget_at = time.monotonic() + FORGET_EVERY_S
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            if not self.stalled:
                logger.error("store: cannot write %s, and goes on trying: %s", self._path, error)
            self.stalled = True
            return False
        if self.stalled:
            logger.warning("store: writes again")
        self.stalled = False
        return True

    def _forget(self, before: float) -> None:
        """What nobody asks for any more: old events, and deliveries that are done."""
        self._writer.execute("DELETE FROM deliveries WHERE state != 'pending' AND created_at < ?", (before,))
        # The last one stays, whose `seq` the next one goes on from.
        self._writer.execute(
            "DELETE FROM events WHERE created_at < ? AND seq < (SELECT max(seq) FROM events) "
            "AND seq NOT IN (SELECT event FROM deliveries WHERE state = 'pending')",
            (before,),
        )


def _connect(path: Path) -> sqlite3.Connection:
    """For any one thread at a time; transactions are ours to begin and end."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _lock(path: Path) -> int:
    """Two servers with one store would each undo what the other keeps. The kernel unlocks it for who is killed."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise CannotOpenStore(f"{path}: another server has it open") from None
    return lock
