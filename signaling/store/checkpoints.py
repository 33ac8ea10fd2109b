"""Brings what is in the write-ahead log over into the file, in a thread of its own.

SQLite does so by itself, within the commit that finds a thousand pages in the log; that one, and those that wait behind
it, take ten times as long as others then. Beside the commits it costs them nothing but the disk. Only what they add
meanwhile is left over, so that a log which is written without a pause never comes to its end: when it has grown long by
that, one commit does bring over the rest, which is little, and the log begins anew.

The log has its length from the start, and is written over from its beginning each time: a sync of a file that has
become longer waits for the file system's own journal, and so for whatever others write to the disk (twice as long, as
measured on a busy one).
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

# Commits between two. Each adds some six pages, and a log of a thousand is what SQLite itself would make of it.
COMMITS: Final = 100
# 8 MiB, of 4 KiB each. Longer: a restart after a kill reads all of it.
LONGEST_PAGES: Final = 2048
_PAGE_BYTES: Final = 4096


class Checkpoints:
    """`connection` is this one's own; it is used in the thread that this starts."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._commits = 0
        self._is_long = False
        self._closing = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-checkpoints", daemon=True)
        self._thread.start()

    def on_commit(self, writer: sqlite3.Connection) -> None:
        """In the committer's thread, after each."""
        if self._is_long:
            self._is_long = False
            _checkpoint(writer)
        self._commits += 1
        if self._commits >= COMMITS:
            self._commits = 0
            self._wake.set()

    def close(self) -> None:
        """Waits for the thread."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._closing:
                return
            self._is_long = _checkpoint(self._connection) > LONGEST_PAGES


def prepare(writer: sqlite3.Connection, path: Path) -> None:
    """Before the first commit of the store at `path`. Raises sqlite3.Error and OSError."""
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # What follows the log's last frame is no frame, whatever it is: it lacks the checksum (sqlite.org/walformat.html).
    log = os.open(path.with_name(path.name + "-wal"), os.O_WRONLY | os.O_CLOEXEC)
    try:
        length = os.fstat(log).st_size
        os.pwrite(log, bytes(LONGEST_PAGES * _PAGE_BYTES), length)
        os.fsync(log)
    finally:
        os.close(log)


def _checkpoint(connection: sqlite3.Connection) -> int:
    """As much as can be done without waiting for anybody. Returns how many pages the log has."""
    try:
        _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error as error:  # the disk is full, say: what is committed is in the log all the same
        logger.warning("store: no checkpoint: %s", error)
        return 0
    return int(pages)
