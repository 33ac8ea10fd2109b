"""The files of one recording: which there are, what goes into which.

A file is of one participant: `ada.mp4` has camera and microphone, `ada-screen.mp4` the screen and its sound. When a
file cannot be written the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from recorder.config import FilesConfig, Mode
from recorder.files.copied import CopiedFile, CopiedFiles, Turn
from recorder.files.decoded import DecodedFile
from recorder.files.names import FileNames
from recorder.marks import TrackMarks
from recorder.session import Session, TrackFrame

_log = logging.getLogger(__name__)
_SCREEN = frozenset({"screen", "screen_audio"})
_PICTURES_WAIT_S = 5.0  # copy: how long sound waits for a first picture, so that both are in one file


@dataclass(frozen=True, slots=True)
class Plan:
    """What will come: `kinds` by (participant, group)."""

    kinds: dict[tuple[str, str], frozenset[str]]


@dataclass(slots=True)
class FileEntry:
    """One file of the recording, as it stands; `error` is why it could not be finished."""

    path: Path
    participant: str
    sources: list[str]
    start_s: float
    size: tuple[int, int] | None
    has_sound: bool
    tracks: list[str] = field(default_factory=list)
    error: str = ""
    turns: list[Turn] = field(default_factory=list)
    container_turns: int = 0


@dataclass(slots=True)
class _Writer:
    participant: str
    target: DecodedFile | CopiedFiles
    has_sound: bool
    tracks: list[TrackMarks] = field(default_factory=list)
    error: str = ""


class RecordingFiles:
    def __init__(self, directory: Path, config: FilesConfig, session: Session, plan: Plan) -> None:
        """Raises OSError when the directory cannot be made."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._config = config
        self._session = session
        self._plan = plan
        self._names = FileNames()
        self._writers: dict[tuple[str, str], _Writer] = {}

    def write(self, frames: Iterable[TrackFrame]) -> None:
        for track, timed in frames:
            marks = self._session.marks.tracks[track]
            if marks.kind == "video" and self._config.mode is Mode.AUDIO:
                continue
            writer = self._writer(marks)
            if writer is None or writer.error:
                continue
            if marks not in writer.tracks:
                writer.tracks.append(marks)
            try:
                if not writer.target.place(track, marks.kind, timed):
                    marks.undecodable += 1
                    marks.gaps.add(timed.at_s, timed.at_s + 0.02, "undecodable")
            except OSError as error:
                self._fail(writer, error)

    def advance(self, settled_s: float) -> None:
        """Fills silence and repeats pictures up to here."""
        for writer in self._working():
            try:
                writer.target.advance(settled_s)
            except OSError as error:
                self._fail(writer, error)

    def finish(self, end_s: float) -> list[FileEntry]:
        for writer in self._working():
            try:
                writer.target.finish(end_s)
            except OSError as error:
                self._fail(writer, error)
        return self.entries()

    def entries(self) -> list[FileEntry]:
        found = []
        for writer in self._writers.values():
            target = writer.target
            for part in target.files if isinstance(target, CopiedFiles) else [target]:
                entry = FileEntry(
                    part.output.path,
                    writer.participant,
                    sorted({marks.source for marks in writer.tracks}),
                    part.start_s,
                    part.size,
                    writer.has_sound,
                    [marks.id for marks in writer.tracks],
                    writer.error,
                )
                if isinstance(part, CopiedFile):
                    entry.turns, entry.container_turns = part.turns, part.container_turns
                found.append(entry)
        return found

    def _working(self) -> list[_Writer]:
        return [writer for writer in self._writers.values() if not writer.error]

    def _writer(self, marks: TrackMarks) -> _Writer | None:
        group = "screen" if marks.source in _SCREEN else ""
        key = (marks.participant, group)
        writer = self._writers.get(key)
        if writer is None:
            kinds = self._plan.kinds.get(key, frozenset())
            if self._config.mode is Mode.AUDIO:
                kinds &= {"audio"}
            if marks.kind not in kinds:
                return None
            target = self._open(marks, group, kinds)
            if target is None:
                return None
            writer = self._writers[key] = _Writer(marks.participant, target, "audio" in kinds)
        return writer

    def _open(self, marks: TrackMarks, group: str, kinds: frozenset[str]) -> DecodedFile | CopiedFiles | None:
        config = self._config
        stem = self._names.name(marks.participant, f"-{group}" if group else "")
        if config.mode is Mode.COPY:
            return CopiedFiles(self._directory / stem, config, pictures="video" in kinds, wait_s=_PICTURES_WAIT_S)
        size = config.screen_size if group else config.camera_size
        participant = self._session.marks.participants.get(marks.participant)
        try:
            return DecodedFile(
                self._directory / f"{stem}.{config.container}",
                config.container,
                config,
                name=participant.name if participant else marks.participant,
                size=size if "video" in kinds else None,
                sound="audio" in kinds,
            )
        except OSError as error:
            _log.error("cannot write %s: %s", stem, error)
            return None

    def _fail(self, writer: _Writer, error: OSError) -> None:
        writer.error = error.strerror or str(error)
        _log.error("cannot go on with the file of a participant: %s", writer.error)
        writer.target.abandon()
