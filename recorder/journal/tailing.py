"""Reads a journal while it is written: what has come since the last look."""

from __future__ import annotations

from pathlib import Path

from recorder.journal.errors import MalformedJournal
from recorder.journal.events import Epoch
from recorder.journal.records import Damage, Entry, EntrySplitter, Event
from recorder.journal.segments import segments
from recorder.journal.session_time import SessionTime

_MOST_BYTES = 8 << 20  # per look: who begins late catches up in pieces


class JournalTail:
    """A segment counts as complete when there is a later one: its writer never goes back to it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._time = SessionTime()
        self._segment: Path | None = None
        self._offset = 0
        self._splitter = EntrySplitter()
        self.damaged = 0  # places
        self.unreadable = 0  # segments of another version

    @property
    def epoch(self) -> Epoch | None:
        return self._time.first

    @property
    def boot(self) -> str:
        """The run of the machine in which the latest entries were written."""
        return self._time.boot

    def session_s(self, monotonic_s: float) -> float:
        """A time of that run of the machine, in seconds of the session."""
        return self._time.session_s(monotonic_s)

    def poll(self) -> list[Entry]:
        """New entries, times in seconds of the session; none when there are none yet. Raises OSError."""
        found: list[Entry] = []
        while not found:
            paths = segments(self._directory)
            later = [path for path in paths if self._segment is None or path.name > self._segment.name]
            grown = self._segment is not None and self._read(found)
            if grown or not later:
                break
            if self._segment is not None:
                self._take(self._splitter.finish(), found)
            self._segment, self._offset, self._splitter = later[0], 0, EntrySplitter()
        return found

    def _read(self, found: list[Entry]) -> bool:
        """Whether there was anything new."""
        assert self._segment is not None
        with self._segment.open("rb") as file:
            file.seek(self._offset)
            chunk = file.read(_MOST_BYTES)
        self._offset += len(chunk)
        try:
            self._take(self._splitter.feed(chunk), found)
        except MalformedJournal:
            self.unreadable += 1
        return bool(chunk)

    def _take(self, read: list[Entry | Damage], found: list[Entry]) -> None:
        for entry in read:
            if isinstance(entry, Damage):
                self.damaged += 1
                continue
            if isinstance(entry, Event) and isinstance(entry.event, Epoch):
                self._time.on_epoch(entry.event)
            found.append(entry._replace(at_s=self._time.session_s(entry.at_s)))
