"""Writes a journal: many entries into one buffer, the buffer to a segment, the segment to the disk.

    writer = JournalWriter(directory, JournalConfig(), epoch)
    writer.tap_frame(frame)             what a sink delivers, or `packet`, `sender_report`
    writer.event(at_s, TrackMuted(...), track)
    writer.flush(now)                   at `next_timeout()`, the latest; also does what else is due
    writer.close(now)

Nothing raises because of the disk. A disk that is full or failing makes `state` FAILING and says so in `failure`; what
is written stays intact (a batch that did not fit is taken back to its beginning), entries are held up to a limit, then
lost and counted, and the journal goes on, with a JournalGap if it must, as soon as the disk does.
"""

from __future__ import annotations

import contextlib
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

from recorder.config import JournalConfig, Sync
from recorder.journal.events import AnyEvent, Epoch, FramesDropped, JournalGap, TrackEnded
from recorder.journal.records import SEGMENT_HEADER, EntryKind, Event, pack, pack_entry
from recorder.journal.segments import next_segment
from sfu.wire.tap import FrameKind, SenderClock, TapFrame, pack_clock


class JournalState(StrEnum):
    OPEN = "open"
    SLOW = "slow"  # the last flush took longer than it should
    FAILING = "failing"
    CLOSED = "closed"


class JournalWriter:
    """Of one recording, by one process and thread. Times are the machine's monotonic clock, in seconds."""

    def __init__(self, directory: Path, config: JournalConfig, epoch: Epoch) -> None:
        """Makes the directory. Raises OSError when not even that, or the first segment, is possible."""
        self._directory = directory
        self._config = config
        self._epoch = epoch
        self._buffer = bytearray()
        self._buffered = 0  # entries
        self._dropped = 0  # frames of the sink, as its last frame said
        self._syncing: Future[None] | None = None
        self._syncer = ThreadPoolExecutor(1, "journal-sync")  # fdatasync waits for the disk, and frees the GIL
        self._unsynced = False
        self.state = JournalState.OPEN
        self.failure = ""
        self.bytes_written = 0
        self.entries_lost = 0
        self._gap = 0  # lost entries that the journal does not speak of yet
        now = epoch.monotonic_s
        self._flushed_at = self._synced_at = self._tried_at = now
        self._file = -1
        self._segment_bytes = 0
        self._opened_at = now
        directory.mkdir(parents=True, exist_ok=True)
        self._open_segment(now)

    # --- entries -------------------------------------------------------------------------------------------------

    def tap_frame(self, frame: TapFrame) -> None:
        """RTP, SENDER_REPORT and TRACK_ENDED; other kinds say nothing that is kept. Frames that the sink lost before
        this one are noted. Frames are as their reader checked them."""
        missing = (frame.dropped - self._dropped) & 0xFFFFFFFF
        if missing:
            self._dropped = frame.dropped
            self.event(frame.arrived_at_s, FramesDropped(missing))
        if frame.kind == FrameKind.RTP:
            self._append(
                EntryKind.PACKET, frame.layer, frame.recovered, frame.track, frame.sequence_number,
                frame.arrived_at_s, frame.body,
            )  # fmt: skip
        elif frame.kind == FrameKind.SENDER_REPORT:
            self._append(EntryKind.SENDER_REPORT, frame.layer, False, frame.track, 0, frame.arrived_at_s, frame.body)
        elif frame.kind == FrameKind.TRACK_ENDED:
            self.event(frame.arrived_at_s, TrackEnded(), frame.track)

    def packet(
        self, track: int, layer: int, sequence_number: int, at_s: float, rtp: bytes, recovered: bool = False
    ) -> None:
        """`sequence_number` is unwrapped. Raises ValueError for what the format cannot hold."""
        self._append(EntryKind.PACKET, layer, recovered, track, sequence_number, at_s, rtp)

    def sender_report(self, track: int, layer: int, at_s: float, clock: SenderClock) -> None:
        self._append(EntryKind.SENDER_REPORT, layer, False, track, 0, at_s, pack_clock(clock))

    def event(self, at_s: float, event: AnyEvent, track: int = 0) -> None:
        self._append_packed(pack_entry(Event(track, at_s, event)), at_s)

    def _append(
        self, kind: EntryKind, layer: int, recovered: bool, track: int, number: int, at_s: float, body: bytes
    ) -> None:
        self._append_packed(pack(kind, layer, recovered, track, number, at_s, body), at_s)

    def _append_packed(self, packed: bytes, at_s: float) -> None:
        full = len(self._buffer) + len(packed) > self._config.held_bytes
        if self.state is JournalState.CLOSED or (self.state is JournalState.FAILING and full):
            self.entries_lost += 1
            self._gap += 1
            return
        self._buffer += packed
        self._buffered += 1
        if len(self._buffer) >= self._config.flush_bytes and self.state is not JournalState.FAILING:
            self.flush(at_s)

    # --- time ----------------------------------------------------------------------------------------------------

    def next_timeout(self) -> float | None:
        """When `flush` is wanted; `None` when there is nothing to do."""
        if self.state is JournalState.CLOSED:
            return None
        if self.state is JournalState.FAILING:
            return self._tried_at + self._config.retry_after_s
        if self._buffer:
            return self._flushed_at + self._config.flush_interval_s
        if self._unsynced and self._config.sync is Sync.INTERVAL:
            return self._synced_at + self._config.sync_interval_s
        return None

    def flush(self, now: float) -> None:
        """Writes what is buffered, rotates and syncs as is due."""
        if self.state is JournalState.CLOSED:
            return
        self._tried_at = now
        full = self._segment_bytes >= self._config.segment_bytes
        if (self._file < 0 or full or self._is_old(now)) and not self._rotate(now):
            return
        batch = bytes(self._buffer)
        if self._gap:
            batch += pack_entry(Event(0, now, JournalGap(self._gap, self.failure)))
        began = time.monotonic()
        if batch and not self._write(batch):
            return
        self._gap = 0
        self._buffer.clear()
        self._buffered = 0
        self._flushed_at = now
        slow = time.monotonic() - began > self._config.slow_after_s
        self.state, self.failure = (JournalState.SLOW, "the disk is slow") if slow else (JournalState.OPEN, "")
        self._sync(now)

    def close(self, now: float) -> None:
        """Writes and syncs what can be. Idempotent."""
        if self.state is JournalState.CLOSED:
            return
        self.flush(now)
        if self.state is JournalState.FAILING:
            self.entries_lost += self._buffered
        self.state = JournalState.CLOSED
        self._syncer.shutdown(wait=True)
        if self._file >= 0:
            if self._config.sync is not Sync.NEVER:
                with contextlib.suppress(OSError):
                    os.fdatasync(self._file)
            os.close(self._file)
            self._file = -1

    # --- the disk ------------------------------------------------------------------------------------------------

    def _is_old(self, now: float) -> bool:
        return now - self._opened_at >= self._config.segment_s and self._segment_bytes > 0

    def _rotate(self, now: float) -> bool:
        if self._file >= 0:
            self._wait_for_sync()
            if self._config.sync is not Sync.NEVER:
                with contextlib.suppress(OSError):
                    os.fdatasync(self._file)
            os.close(self._file)
            self._file = -1
        try:
            self._open_segment(now)
        except OSError as error:
            self._fail(error)
            return False
        return True

    def _open_segment(self, now: float) -> None:
        path = next_segment(self._directory)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._segment_bytes = 0
        self._opened_at = now
        first = SEGMENT_HEADER + pack_entry(Event(0, self._epoch.monotonic_s, self._epoch))
        try:
            self._write_all(first)
        except OSError:
            # A segment without its beginning would only be in the way.
            os.close(self._file)
            self._file = -1
            with contextlib.suppress(OSError):
                path.unlink()
            raise

    def _write(self, batch: bytes) -> bool:
        try:
            self._write_all(batch)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._segment_bytes)
            self._fail(error)
            return False
        return True

    def _write_all(self, batch: bytes) -> None:
        written = 0
        with memoryview(batch) as view:
            while written < len(batch):
                written += os.write(self._file, view[written:])
        self._segment_bytes += written
        self.bytes_written += written
        self._unsynced = True

    def _fail(self, error: OSError) -> None:
        self.state = JournalState.FAILING
        self.failure = error.strerror or str(error)

    def _sync(self, now: float) -> None:
        due = self._config.sync is Sync.ALWAYS or (
            self._config.sync is Sync.INTERVAL and now - self._synced_at >= self._config.sync_interval_s
        )
        if not due or not self._unsynced or (self._syncing is not None and not self._syncing.done()):
            return
        self._wait_for_sync()
        self._unsynced = False
        self._synced_at = now
        self._syncing = self._syncer.submit(os.fdatasync, self._file)
        if self._config.sync is Sync.ALWAYS:
            self._wait_for_sync()

    def _wait_for_sync(self) -> None:
        """A disk that cannot keep what it took is failing, too."""
        syncing, self._syncing = self._syncing, None
        if syncing is None:
            return
        try:
            syncing.result()
        except OSError as error:
            self._fail(error)
