"""`sfu recover DIR`: files and manifest from the journal, however the recording ended.

    DIR/journal/*.sfuj ─► Session ─► RecordingFiles ─► DIR/.building/* ─► DIR/files/*, then DIR/manifest.json

What was there before is replaced only when the new is complete, file by file and the manifest last; the journal is
never touched. The same journal and settings give the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av

from recorder import manifest
from recorder.config import FilesConfig, MediaConfig
from recorder.files.recording import FileEntry, Plan, RecordingFiles
from recorder.journal import Event, JournalReader, TrackStarted
from recorder.manifest import File, Manifest
from recorder.session import Session

JOURNAL = "journal"
FILES = "files"
_BUILDING = ".building"
_ADVANCE_S = 0.5  # of session time, between looks at what is complete

Progress = Callable[[float], None]  # from 0 to 1


class CannotRecover(Exception):
    """With words for who asked."""


@dataclass(frozen=True, slots=True)
class Recovered:
    manifest: Manifest
    failed: list[FileEntry]


def recover(
    directory: Path, media: MediaConfig, files: FilesConfig, progress: Progress = lambda share: None
) -> Recovered:
    """Raises CannotRecover when there is no journal, or nothing can be written at all."""
    try:
        plan = _plan(JournalReader(directory / JOURNAL))
        reader = JournalReader(directory / JOURNAL)
    except OSError as error:
        raise CannotRecover(f"{directory / JOURNAL}: {error.strerror}") from error
    if not reader.paths:
        raise CannotRecover(f"{directory / JOURNAL} has no segments")
    building = directory / _BUILDING
    try:
        shutil.rmtree(building, ignore_errors=True)
        session = Session(media)
        written = RecordingFiles(building, files, session, plan)
        entries = _make(reader, session, written, progress)
        made = manifest.build(
            epoch=reader.epoch,
            marks=session.marks,
            takes=session.takes,
            mode=files.mode.value,
            files=[describe(entry) for entry in entries if entry.path.exists()],
            journal=_journal(reader, session),
        )
        _publish(directory, building, entries, made)
    except OSError as error:
        raise CannotRecover(f"{directory}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    progress(1.0)
    return Recovered(made, [entry for entry in entries if entry.error])


def _make(reader: JournalReader, session: Session, written: RecordingFiles, progress: Progress) -> list[FileEntry]:
    looked_s = 0.0
    for entry in reader.entries():
        session.on_entry(entry)
        if session.now - looked_s >= _ADVANCE_S:
            looked_s = session.now
            written.write(session.frames())
            written.advance(session.settled_s())
            progress(reader.bytes_read / max(1, reader.total_bytes))
    written.write(session.finish())
    return written.finish(session.now)


def _plan(reader: JournalReader) -> Plan:
    """Who sends sound, who pictures: files have streams for what comes, and for nothing else."""
    kinds: dict[tuple[str, str], frozenset[str]] = {}
    for entry in reader.entries():
        if isinstance(entry, Event) and isinstance(entry.event, TrackStarted):
            group = "screen" if entry.event.source in ("screen", "screen_audio") else ""
            key = (entry.event.participant, group)
            kinds[key] = kinds.get(key, frozenset()) | {entry.event.kind}
    return Plan(kinds)


def describe(entry: FileEntry) -> File:
    """Raises OSError."""
    width, height = entry.size or (None, None)
    return File(
        path=f"{FILES}/{entry.path.name}",
        participant=entry.participant,
        sources=entry.sources,
        tracks=entry.tracks,
        start_s=round(entry.start_s, 4),
        duration_s=round(_duration_s(entry.path), 4),
        size_bytes=entry.path.stat().st_size,
        sha256=checksum(entry.path),
        width=width,
        height=height,
        has_sound=entry.has_sound,
        error=entry.error,
        turns=[
            manifest.Turn(round(at_s, 4), 90 * orientation.turns, orientation.mirrored)
            for at_s, orientation in entry.turns
        ],
        container_degrees=90 * entry.container_turns,
    )


def checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _duration_s(path: Path) -> float:
    """What the file itself says."""
    try:
        with av.open(str(path)) as opened:
            return (opened.duration or 0) / 1_000_000
    except av.FFmpegError:
        return 0.0


def _journal(reader: JournalReader, session: Session) -> manifest.Journal:
    return manifest.Journal(
        segments=[path.name for path in reader.paths],
        bytes=reader.bytes_read,
        damaged=[manifest.Damaged(one.name, one.damage.offset, one.damage.length) for one in reader.damaged[:10_000]],
        unreadable=reader.unreadable,
        ignored_entries=session.marks.ignored,
    )


def _publish(directory: Path, building: Path, entries: list[FileEntry], made: Manifest) -> None:
    """The manifest last: it never names what is not there."""
    target = directory / FILES
    target.mkdir(exist_ok=True)
    for entry in entries:
        if entry.path.exists():
            os.replace(entry.path, target / entry.path.name)
    write_whole(directory / manifest.FILE_NAME, manifest.encode(made))


def write_whole(path: Path, content: bytes) -> None:
    """All of it or nothing, also when the machine stops in between. Raises OSError."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
