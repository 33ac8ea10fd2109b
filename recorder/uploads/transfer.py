"""One attempt at one recording: what is not there yet is sent and verified, and what was verified may be deleted here.

    file ─► parts that have not arrived ─► complete ─► size and ETag as computed here ─► in the state, for good

Blocking. It may end at any moment, by a kill too: the next attempt asks the storage which parts have arrived, compares
them with the file, and sends the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recorder import manifest
from recorder.uploads import state as states
from recorder.uploads.bucket import Bucket, Found, StorageError
from recorder.uploads.config import UploadConfig
from recorder.uploads.contents import CannotUpload, Item, contents
from recorder.uploads.parts import composite_tag, cut, digest, whole_tag
from recorder.uploads.state import ObjectState, UploadState

Progress = Callable[[int, int], None]  # bytes that are there, and of how many


@dataclass(frozen=True, slots=True)
class Sent:
    """`sent_bytes`: of what was not there when it was submitted."""

    objects: int
    size_bytes: int
    sent_bytes: int


class Transfer:
    """`state` is changed as things go on, and saved in the directory."""

    def __init__(
        self,
        directory: Path,
        bucket: Bucket,
        config: UploadConfig,
        state: UploadState,
        progress: Progress = lambda there, of: None,
    ) -> None:
        self._directory = directory
        self._bucket = bucket
        self._config = config
        self._state = state
        self._progress = progress
        self._there = self._total = 0

    def run(self) -> Sent:
        """Raises StorageError: try again; CannotUpload; OSError; Stopped."""
        verified = {path: known.sha256 for path, known in self._state.objects.items() if known.etag is not None}
        items = contents(self._directory, with_journal=self._state.with_journal, verified=verified)
        self._total = sum(item.size_bytes for item in items)
        for item in items:
            known = self._known(item)
            if self._is_there(item, known):
                self._advance(item.size_bytes)
            else:
                known.etag = self._send(item, known)
                known.upload_id = None
                self._state.sent_bytes += item.size_bytes
                self._save()
        if self._state.delete:
            for item in items:
                if item.path != manifest.FILE_NAME:
                    (self._directory / item.path).unlink(missing_ok=True)
        self._state.standing = "uploaded"
        self._state.error = ""
        self._save()
        return Sent(len(items), self._total, self._state.sent_bytes)

    def _known(self, item: Item) -> ObjectState:
        """Of files that were made anew nothing is known."""
        known = self._state.objects.get(item.path)
        if known is None or known.sha256 != item.sha256:
            if known is not None and known.upload_id is not None:
                self._bucket.abort(self._key(item.path), known.upload_id)
            known = self._state.objects[item.path] = ObjectState(sha256=item.sha256)
        return known

    def _is_there(self, item: Item, known: ObjectState) -> bool:
        """Still: somebody may have emptied the bucket, or the endpoint is another one."""
        if known.etag is None:
            return False
        found = self._bucket.find(self._key(item.path))
        if found is None:
            return False
        # Of a segment that has been deleted here the size is not known any more.
        is_here = (self._directory / item.path).exists()
        return _is(found, item.size_bytes if is_here else found.size_bytes, known.etag)

    def _send(self, item: Item, known: ObjectState) -> str:
        """Its ETag, verified."""
        parts = cut(item.size_bytes, self._config.part_bytes)
        with (self._directory / item.path).open("rb") as file:
            if len(parts) > 1:
                expected = self._send_parts(item, known, parts, file)
            else:
                body = file.read()
                if hashlib.sha256(body).hexdigest() != item.sha256:
                    raise _changed(item)
                self._bucket.put(self._key(item.path), body, item.sha256)
                self._advance(len(body))
                expected = whole_tag(digest(body))
        found = self._bucket.find(self._key(item.path))
        if found is None or not _is(found, item.size_bytes, expected):
            raise StorageError(f"{self._key(item.path)}: what is there is not what was sent: {found}")
        return found.etag

    def _send_parts(self, item: Item, known: ObjectState, parts: list[tuple[int, int]], file: BinaryIO) -> str:
        key = self._key(item.path)
        arrived: dict[int, Found] | None = None
        if known.upload_id is not None:
            arrived = self._bucket.parts(key, known.upload_id)
            if arrived is None and (etag := self._completed(item, parts, file)) is not None:
                return etag
        if known.upload_id is None or arrived is None:
            known.upload_id, arrived = self._bucket.begin(key, item.sha256), {}
            self._save()
        content, digests, etags = hashlib.sha256(), [], []
        for number, (_, length) in enumerate(parts, 1):
            body = file.read(length)
            content.update(body)
            digests.append(digest(body))
            there = arrived.get(number)
            if there is not None and _is(there, len(body), whole_tag(digests[-1])):
                etags.append(there.etag)
            else:
                etags.append(self._bucket.part(key, known.upload_id, number, body))
            self._advance(len(body))
        if content.hexdigest() != item.sha256:
            self._bucket.abort(key, known.upload_id)
            known.upload_id = None
            raise _changed(item)
        self._bucket.complete(key, known.upload_id, etags)
        return composite_tag(digests)

    def _completed(self, item: Item, parts: list[tuple[int, int]], file: BinaryIO) -> str | None:
        """The crash came right after its parts were put together: then they are no upload any more, but the object."""
        found = self._bucket.find(self._key(item.path))
        if found is None or found.size_bytes != item.size_bytes:
            return None
        expected = composite_tag(digest(file.read(length)) for _, length in parts)
        file.seek(0)
        if found.etag != expected:
            return None
        self._advance(item.size_bytes)
        return expected

    def _key(self, path: str) -> str:
        return self._bucket.target.key(self._directory.resolve().name, path)

    def _advance(self, by_bytes: int) -> None:
        self._there += by_bytes
        self._progress(self._there, self._total)

    def _save(self) -> None:
        states.save(self._directory, self._state)


def _is(found: Found, size_bytes: int, etag: str) -> bool:
    """As each part was checked when it arrived, an ETag that says nothing has to do where there is no other."""
    return found.size_bytes == size_bytes and (found.etag == etag or found.opaque)


def _changed(item: Item) -> CannotUpload:
    return CannotUpload(f"{item.path} is not what the manifest says (SHA-256): make it anew with `sfu recover`")
