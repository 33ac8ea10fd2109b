"""Reads a journal's directory, also while it is written and after a crash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recorder.journal.errors import MalformedJournal
from recorder.journal.events import Epoch
from recorder.journal.records import Damage, Entry, EntrySplitter, Event
from recorder.journal.segments import segments
from recorder.journal.session_time import SessionTime

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class DamagedSegment:
    name: str
    damage: Damage


class JournalReader:
    """`entries()` goes through all there is, once. Times become seconds of the session (`session_time.py`)."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError when there is no such directory."""
        self.paths = segments(directory)
        self.total_bytes = sum(path.stat().st_size for path in self.paths)
        self.bytes_read = 0
        self.damaged: list[DamagedSegment] = []
        self.unreadable: list[str] = []  # segments of another version
        self._time = SessionTime()

    @property
    def epoch(self) -> Epoch | None:
        """The first, as soon as it was read: which recording this is, and when it began."""
        return self._time.first

    def entries(self) -> Iterator[Entry]:
        """Damage is skipped and noted. Raises OSError when the disk fails."""
        for path in self.paths:
            try:
                yield from self._segment(path)
            except MalformedJournal:
                self.unreadable.append(path.name)

    def _segment(self, path: Path) -> Iterator[Entry]:
        splitter = EntrySplitter()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                self.bytes_read += len(chunk)
                yield from self._in_session(path.name, splitter.feed(chunk))
        yield from self._in_session(path.name, splitter.finish())

    def _in_session(self, name: str, found: list[Entry | Damage]) -> Iterator[Entry]:
        for entry in found:
            if isinstance(entry, Damage):
                self.damaged.append(DamagedSegment(name, entry))
                continue
            if isinstance(entry, Event) and isinstance(entry.event, Epoch):
                self._time.on_epoch(entry.event)
            yield entry._replace(at_s=self._time.session_s(entry.at_s))
