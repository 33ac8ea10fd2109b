"""Recordings on their way to storage, and the process that sends them. A shell; what came of it, `recordings.py` keeps.

    send ─► Uploading ─ Upload ─► recorder/uploads/process.py ─► Uploaded, UploadDelayed, UploadFailed ─► on_word

Which parts have arrived stands in each recording's directory, so that the next process goes on with them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recorder.control import AnyWord, Storage, Upload, Uploaded, UploadFailed
from signaling.limits import WorkerLimits
from signaling.recordings.options import Destination
from signaling.recordings.recorder import RecorderProcess


class Uploading:
    """`directory`: where the recordings lie. `on_word`: what is said of those that were sent."""

    def __init__(
        self, directory: Path, destination: Destination, on_word: Callable[[AnyWord], None], limits: WorkerLimits
    ) -> None:
        self._destination = destination
        self._on_recording = on_word
        self._under_way: set[str] = set()
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

    @property
    def deletes(self) -> bool:
        """Files here, once they have been verified there."""
        return self._destination.delete

    @property
    def with_journal(self) -> bool:
        return self._destination.with_journal

    def url(self, id: str) -> str:
        return f"{self._destination.url}{id}/"

    def send(self, id: str) -> None:
        """Until it is there, or is given up after a week. Nothing happens if it is under way."""
        if id not in self._under_way:
            self._under_way.add(id)
            self._process.tell(Upload(recording=id))

    async def close(self) -> None:
        """What is under way is gone on with by the next server. Idempotent."""
        await self._process.close()

    def _on_word(self, word: AnyWord) -> None:
        if isinstance(word, Uploaded | UploadFailed):
            self._under_way.discard(word.recording)
        self._on_recording(word)

    def _on_lost(self) -> None:
        for id in self._under_way:
            self._process.tell(Upload(recording=id))
