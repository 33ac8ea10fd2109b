"""What of a recording's directory is sent: the files that its manifest names, its mixes, the journal if wished, the
manifest last.

Last, so that whoever finds a manifest in the bucket finds everything that it names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recorder import manifest
from recorder.control import MIXES
from recorder.recovery import JOURNAL, checksum


class CannotUpload(Exception):
    """The directory is no whole recording. With words for who asked; trying again does not help."""


@dataclass(frozen=True, slots=True)
class Item:
    """`path` is relative to the directory, with slashes. `sha256`: of what the file has to be."""

    path: str
    size_bytes: int
    sha256: str


def contents(directory: Path, *, with_journal: bool, verified: Mapping[str, str]) -> list[Item]:
    """`verified`: the SHA-256 of what is known to be there, by path: journal and mixes may have been deleted here.

    Raises CannotUpload."""
    try:
        encoded = (directory / manifest.FILE_NAME).read_bytes()
        made = manifest.decode(encoded)
        items = [_item(directory, file.path, file.size_bytes, file.sha256) for file in made.files]
        items += [_segment(directory, path, verified) for path in sorted({*mixes(directory), *_kept_mixes(verified)})]
        if with_journal or made.encrypted:  # then there is nothing else
            items += [_segment(directory, f"{JOURNAL}/{name}", verified) for name in made.journal.segments]
    except OSError as error:
        raise CannotUpload(f"{directory}: {error.strerror or error}") from error
    except ValueError as error:
        raise CannotUpload(f"{directory / manifest.FILE_NAME}: {error}") from error
    items.append(Item(manifest.FILE_NAME, len(encoded), hashlib.sha256(encoded).hexdigest()))
    return items


def mixes(directory: Path) -> list[str]:
    """Paths of those that a server has made; what is being made has a name of its own. They may be deleted at any time:
    what is in the storage stays there."""
    return [f"{MIXES}/{one.name}" for one in (directory / MIXES).glob("[!.]*") if one.is_file()]


def _kept_mixes(verified: Mapping[str, str]) -> list[str]:
    return [path for path in verified if path.startswith(f"{MIXES}/")]


def _segment(directory: Path, path: str, verified: Mapping[str, str]) -> Item:
    file = _inside(directory, path)
    if path in verified and not file.exists():
        return Item(path, 0, verified[path])
    return Item(path, file.stat().st_size, checksum(file))


def _item(directory: Path, path: str, size_bytes: int, sha256: str) -> Item:
    _inside(directory, path)
    return Item(path, size_bytes, sha256)


def _inside(directory: Path, path: str) -> Path:
    """A manifest is a file like any other: it may name what lies elsewhere. Raises ValueError."""
    found = directory / path
    if not found.resolve().is_relative_to(directory.resolve()):
        raise ValueError(f"{path!r} lies outside of the recording")
    return found
