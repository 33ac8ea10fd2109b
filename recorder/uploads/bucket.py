"""The calls of S3 that an upload takes, by boto3. Blocking; may be used by several threads at once.

Nothing is repeated in here: when something is tried again is `schedule.py`'s to say.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from recorder.uploads.config import UploadConfig
from recorder.uploads.contents import CannotUpload
from recorder.uploads.target import Target

# Of S3-compatible storage that has no regions, this is the name that signatures are made with.
ANY_REGION = "us-east-1"


class StorageError(Exception):
    """`refused`: the storage has understood, and will not: wrong credentials, no such bucket."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class Stopped(Exception):
    """Broken off by us."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object, or a part of one. `opaque`: its ETag says nothing of its content."""

    size_bytes: int
    etag: str
    opaque: bool = False


class Bucket:
    """Once `stop` is set, what is being sent breaks off with Stopped. All calls raise StorageError."""

    def __init__(self, target: Target, config: UploadConfig, stop: threading.Event) -> None:
        """Raises CannotUpload when the library is missing, or its settings make no sense."""
        try:
            import boto3
            import botocore.exceptions
            from botocore.config import Config
        except ImportError as error:
            raise CannotUpload("uploads need boto3: pip install 'sfu[s3]'") from error
        self.target = target
        self._stop = stop
        self._errors = botocore.exceptions
        settings = Config(
            connect_timeout=config.connect_timeout_s,
            read_timeout=config.read_timeout_s,
            retries={"total_max_attempts": 1},
            # Not every storage has a name of its own in DNS for each bucket.
            s3={"addressing_style": "auto" if target.endpoint is None else "path"},
        )
        try:
            session = boto3.Session()
            region = session.region_name or ANY_REGION
            self._s3: Any = session.client("s3", endpoint_url=target.endpoint, region_name=region, config=settings)
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise CannotUpload(str(error)) from error

    def put(self, key: str, body: bytes, sha256: str) -> None:
        with self._asked():
            self._s3.put_object(Body=self._body(body), Metadata={"sha256": sha256}, **self._at(key))

    def begin(self, key: str, sha256: str) -> str:
        """The id of an upload in parts."""
        with self._asked():
            begun = self._s3.create_multipart_upload(Metadata={"sha256": sha256}, **self._at(key))
            return str(begun["UploadId"])
        raise AssertionError

    def part(self, key: str, upload_id: str, number: int, body: bytes) -> str:
        """Its ETag. Numbers begin with 1."""
        with self._asked():
            sent = self._s3.upload_part(PartNumber=number, UploadId=upload_id, Body=self._body(body), **self._at(key))
            return _unquoted(sent["ETag"])
        raise AssertionError

    def parts(self, key: str, upload_id: str) -> dict[int, Found] | None:
        """What has arrived of it, by number; None: there is no such upload (any more)."""
        found: dict[int, Found] = {}
        try:
            with self._asked():
                for page in self._s3.get_paginator("list_parts").paginate(UploadId=upload_id, **self._at(key)):
                    for part in page.get("Parts", ()):
                        found[part["PartNumber"]] = Found(part["Size"], _unquoted(part["ETag"]))
        except _Missing:
            return None
        return found

    def complete(self, key: str, upload_id: str, etags: list[str]) -> None:
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        with self._asked():
            self._s3.complete_multipart_upload(UploadId=upload_id, MultipartUpload={"Parts": parts}, **self._at(key))

    def abort(self, key: str, upload_id: str) -> None:
        """Parts that nobody completes are paid for all the same."""
        with contextlib.suppress(_Missing), self._asked():
            self._s3.abort_multipart_upload(UploadId=upload_id, **self._at(key))

    def find(self, key: str) -> Found | None:
        try:
            with self._asked():
                head = self._s3.head_object(**self._at(key))
        except _Missing:
            return None
        opaque = head.get("ServerSideEncryption", "AES256") != "AES256" or "SSECustomerAlgorithm" in head
        return Found(head["ContentLength"], _unquoted(head["ETag"]), opaque)

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.target.bucket, "Key": key}

    def _body(self, body: bytes) -> io.BytesIO:
        return _Body(body, self._stop)

    @contextlib.contextmanager
    def _asked(self) -> Iterator[None]:
        if self._stop.is_set():
            raise Stopped
        try:
            yield
        except self._errors.ClientError as error:
            told: dict[str, Any] = error.response
            status = int(told.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            code = str(told.get("Error", {}).get("Code", status))
            # HEAD has no body to name the code in. Of a bucket that is missing, `parts` and `put` say so.
            if code in ("NoSuchUpload", "404", "NoSuchKey"):
                raise _Missing(f"{self.target}: {code}", refused=True) from error
            reason = str(told.get("Error", {}).get("Message", ""))
            raise StorageError(f"{self.target}: {code}: {reason}", refused=400 <= status < 500) from error
        except self._errors.BotoCoreError as error:
            if self._stop.is_set():
                raise Stopped from error
            unsigned = isinstance(error, self._errors.NoCredentialsError | self._errors.PartialCredentialsError)
            raise StorageError(f"{self.target}: {error}", refused=unsigned) from error


class _Missing(StorageError):
    """What was asked about is not there."""


class _Body(io.BytesIO):
    """Broken off in the middle when we stop: a part may take minutes."""

    def __init__(self, body: bytes, stop: threading.Event) -> None:
        super().__init__(body)
        self._stop = stop

    def read(self, size: int | None = -1, /) -> bytes:
        if self._stop.is_set():
            raise Stopped
        return super().read(size)


def _unquoted(etag: str) -> str:
    return etag.strip('"')
