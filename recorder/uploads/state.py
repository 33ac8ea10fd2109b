"""What is known of one upload, kept in the recording's directory: it outlives crashes of us and of the machine."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final, Literal

import msgspec

from recorder.recovery import write_whole

FILE_NAME: Final = ".upload.json"

Standing = Literal["pending", "uploaded", "failed"]


class ObjectState(msgspec.Struct, kw_only=True):
    """Of one file. `upload_id`: of its parts, while it is made of parts; `etag`: it is there, and was verified."""

    sha256: str
    upload_id: str | None = None
    etag: str | None = None


class UploadState(msgspec.Struct, kw_only=True):
    """`target`: of another one nothing said here is true. Times are Unix."""

    target: str
    with_journal: bool = False
    delete: bool = False
    standing: Standing = "pending"
    since: float
    attempts: int = 0  # that failed
    next_at: float = 0.0  # no earlier attempt
    error: str = ""
    sent_bytes: int = 0  # since then
    objects: dict[str, ObjectState] = {}  # by path


def load(directory: Path) -> UploadState | None:
    """None: nothing (readable) is known."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((directory / FILE_NAME).read_bytes(), type=UploadState)
    return None


def save(directory: Path, state: UploadState) -> None:
    """Raises OSError."""
    write_whole(directory / FILE_NAME, msgspec.json.encode(state))
