"""Recordings on their way to storage, and the process that sends them. A shell.

    ready ─► Uploading ─ Upload ─► recorder/uploads/process.py ─► Uploaded, UploadDelayed, UploadFailed ─► book.py
                            └────── once more, to delete here ◄──────┘

What is here is deleted by an order of its own, when all of it is there and no mix is being made of it: only here is it
known whether somebody has asked for one, and from that order on nobody can.

Which parts have arrived stands in each recording's directory, so that the next process goes on with them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class UploadFigures:
    """`outcomes`: how often each came of a recording, or of an attempt at one (`delayed`). `sent_bytes`: of what
    arrived whole. `oldest_s`: how long the one that is under way for longest has been; none: 0."""

    outcomes: Mapping[str, int]
    sent_bytes: int
    pending: int
    oldest_s: float


class Uploading:
    """`directory`: where the recordings lie."""

    def __init__(self, directory: Path, destination: Destination, book: Book, limits: WorkerLimits) -> None:
        self._destination = destination
        self._book = book
        self._orders = count(1)
        self._under_way: dict[str, int] = {}  # order by recording
        self._outcomes = {"uploaded": 0, "delayed": 0, "failed": 0}
        self._sent_bytes = 0
        greeting = Storage(
            recordings=str(directory),
            url=destination.url,
            endpoint=destination.endpoint,
            with_journal=destination.with_journal,
        )
        self._process = RecorderProcess(
            "recorder.uploads.process", "the uploader", greeting, self._on_word, self._on_lost, limits
        )

    @property
    def pid(self) -> int | None:
        """Of its process, while there is one."""
        return self._process.pid

    def figures(self, now: float) -> UploadFigures:
        """`now`: Unix time."""
        standings = [one.upload for one in self._book.by_id.values() if one.upload is not None]
        since = [one.since for one in standings if one.state == "uploading"]
        oldest_s = max(0.0, now - min(since, default=now))
        return UploadFigures(self._outcomes, self._sent_bytes, len(since), oldest_s)

    def send(self, id: str) -> UploadStanding:
        """All of it that is here now is under way from now on: until it is there, or is given up after a week."""
        self._order(id)
        return UploadStanding(state="uploading", url=f"{self._destination.url}{id}/", since=time.time())

    def send_mix(self, id: str) -> None:
        """There is one more: what is there, or on its way, is followed by it. One that was given up waits for somebody
        to send it."""
        one = self._book.by_id[id]
        if one.upload is not None and one.upload.state != "failed":
            since = one.upload.since if one.upload.state == "uploading" else time.time()
            self._book.change_soon(one, None, upload=replace(self.send(id), since=since))

    def on_mix_given_up(self, id: str) -> None:
        """It failed, or nobody wants it any more: what is there may have waited for it to be deleted here."""
        one = self._book.by_id.get(id)
        if one is not None and one.upload is not None and one.upload.state == "uploaded" and self._may_free(one):
            self._free(one, one.upload)

    def take_up(self, one: StoredRecording) -> None:
        """After a restart. Also what was ready before there was storage."""
        if one.upload is None:
            self._book.change_soon(one, None, upload=self.send(one.id))
        elif one.upload.state == "uploading":
            self._order(one.id, delete=one.upload.freeing)

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
                self._outcomes["delayed"] += 1
                self._book.by_id[one.id] = replace(one, upload=replace(one.upload, reason=reason))
            case UploadFailed(reason=reason):
                self._outcomes["failed"] += 1
                failed = replace(one.upload, state="failed", reason=reason, freeing=False)
                self._book.change_soon(one, events.RecordingUploadFailed, {"reason": reason}, upload=failed)
            case Uploaded(sent_bytes=sent_bytes):
                self._sent_bytes += sent_bytes
                if self._may_free(one):
                    self._free(one, one.upload)
                else:
                    self._on_uploaded(one, one.upload)

    def _on_uploaded(self, one: StoredRecording, standing: UploadStanding) -> None:
        self._outcomes["uploaded"] += 1
        freed_bytes = self._freed_bytes(one) if standing.freeing else standing.freed_bytes
        there = replace(standing, state="uploaded", reason="", freed_bytes=freed_bytes, freeing=False)
        self._book.change_soon(one, events.RecordingUploaded, {"url": there.url}, upload=there)

    def _may_free(self, one: StoredRecording) -> bool:
        """Whether what is here is to be deleted now."""
        if not self._destination.delete or one.upload is None or one.upload.freeing or one.upload.freed_bytes:
            return False
        return not any(mix.is_unfinished for mix in one.mixes)

    def _free(self, one: StoredRecording, standing: UploadStanding) -> None:
        self._order(one.id, delete=True)
        self._book.change_soon(one, None, upload=replace(standing, state="uploading", reason="", freeing=True))

    def _order(self, id: str, *, delete: bool = False) -> None:
        self._under_way[id] = next(self._orders)
        self._process.tell(Upload(recording=id, order=self._under_way[id], delete=delete))

    def _freed_bytes(self, one: StoredRecording) -> int:
        made_bytes = sum(file.size_bytes for file in one.files) + sum(mix.size_bytes for mix in one.mixes)
        return made_bytes + (one.bytes if self._destination.with_journal else 0)

    def _on_lost(self) -> None:
        for id, order in self._under_way.items():
            one = self._book.by_id.get(id)
            freeing = one is not None and one.upload is not None and one.upload.freeing
            self._process.tell(Upload(recording=id, order=order, delete=freeing))
