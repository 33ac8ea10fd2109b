"""Which recordings have been kept long enough, by age and by what all of them take of the disk. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from signaling.records import StoredRecording

Cause = Literal["retention_age", "retention_size"]


@dataclass(frozen=True, slots=True)
class Retention:
    """None: without a limit. The age is counted from a recording's end, the bytes over all, journals included.
    `uploaded_only`: what is to be uploaded stays until it is there."""

    max_age_s: float | None = None
    max_bytes: int | None = None
    uploaded_only: bool = False

    @property
    def limits(self) -> bool:
        return self.max_age_s is not None or self.max_bytes is not None


def outlived(recordings: Iterable[StoredRecording], keep: Retention, now: float) -> list[tuple[str, Cause]]:
    """Ids of those that are to go, the oldest first. What runs, or is being made, stays, and counts. `now`: Unix
    time."""
    found: list[tuple[str, Cause]] = []
    kept: list[StoredRecording] = []
    for one in sorted(recordings, key=lambda one: one.ended_at or now):
        is_old = keep.max_age_s is not None and one.ended_at is not None and one.ended_at + keep.max_age_s <= now
        if is_old and _may_go(one, keep):
            found.append((one.id, "retention_age"))
        else:
            kept.append(one)
    if keep.max_bytes is not None:
        total = sum(map(size_bytes, kept))
        for one in kept:
            if not _may_go(one, keep):
                continue
            if total <= keep.max_bytes:
                break
            total -= size_bytes(one)
            found.append((one.id, "retention_size"))
    return found


def size_bytes(one: StoredRecording) -> int:
    """On the disk: journal, files and mixes, but for what was deleted after its upload."""
    freed_bytes = 0 if one.upload is None else one.upload.freed_bytes
    made_bytes = sum(file.size_bytes for file in one.files) + sum(mix.size_bytes for mix in one.mixes)
    return one.bytes + made_bytes - freed_bytes


def _may_go(one: StoredRecording, keep: Retention) -> bool:
    """One that failed has nothing that could be uploaded."""
    if one.state == "ready" and keep.uploaded_only:
        return one.upload is not None and one.upload.state == "uploaded"
    return one.state in ("ready", "failed")
