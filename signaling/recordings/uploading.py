"""Recordings on their way to storage, and the process that sends them. A shell.

    ready ─► Uploading ─ Upload ─► recorder/uploads/process.py ─► Uploaded, UploadDelayed, UploadFailed ─► book.py

Which parts have arrived stands in each recording's directory, so that the next process goes on with them.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

from msgspec.structs import replace

from recorder.control import AnyWord, Pong, Storage, Upload, UploadDelayed, Uploaded, UploadFailed
from signaling import events
from signaling.limits import WorkerLimits
from signaling.recordings.book import Book
from signaling.recordings.options import Destination, UploadStanding
from signaling.recordings.recorder import RecorderProcess
from signaling.records import StoredRecording


class Uploading:
    """`directory`: where the recordings lie."""

    def __init__(self, directory: Path, destination: Destination, book: Book, limits: WorkerLimits) -> None:
        self._destination = destination
        self._book = book
        self._orders = count(1)
        self._under_way: dict[str, int] = {}  # order by recording
        greeting = Storage(
            recordings=str(directory),
            url=destination.url,
            endpoint=destination.endpoint,
            with_journal=destination.with_journal,
            delete=destination.delete,
        )
        self._process = RecorderProcess(
            "recorder.uploads.process", "the uploader", greeting, self._on_word, self._on_lost, limits
        )

    @property
    def pid(self) -> int | None:
        """Of its process, while there is one."""
        return self._process.pid

    def send(self, id: str) -> UploadStanding:
        """It is under way from now on: until it is there, or is given up after a week."""
        if id not in self._under_way:
            self._under_way[id] = next(self._orders)
            self._process.tell(Upload(recording=id, order=self._under_way[id]))
        return UploadStanding(state="uploading", url=f"{self._destination.url}{id}/")

    def take_up(self, one: StoredRecording) -> None:
        """After a restart. Also what was ready before there was storage."""
        if one.upload is None:
            self._book.change_soon(one, None, upload=self.send(one.id))
        elif one.upload.state == "uploading":
            self.send(one.id)

    async def close(self) -> None:
        """What is under way is gone on with by the next server. Idempotent."""
        await self._process.close()

    def _on_word(self, word: AnyWord) -> None:
        assert not isinstance(word, Pong)
        if isinstance(word, Uploaded | UploadFailed):
            if self._under_way.get(word.recording) != word.order:
                return
            del self._under_way[word.recording]
        one = self._book.by_id.get(word.recording)
        if one is None or one.upload is None or one.upload.state != "uploading":
            return
        match word:
            case UploadDelayed(reason=reason):  # as it is at the moment; nothing to keep
                self._book.by_id[one.id] = replace(one, upload=replace(one.upload, reason=reason))
            case UploadFailed(reason=reason):
                failed = replace(one.upload, state="failed", reason=reason)
                self._book.change_soon(one, events.RecordingUploadFailed, {"reason": reason}, upload=failed)
            case Uploaded():
                there = replace(one.upload, state="uploaded", reason="", freed_bytes=self._freed_bytes(one))
                self._book.change_soon(one, events.RecordingUploaded, {"url": there.url}, upload=there)

    def _freed_bytes(self, one: StoredRecording) -> int:
        if not self._destination.delete:
            return 0
        return sum(file.size_bytes for file in one.files) + (one.bytes if self._destination.with_journal else 0)

    def _on_lost(self) -> None:
        for id, order in self._under_way.items():
            self._process.tell(Upload(recording=id, order=order))
