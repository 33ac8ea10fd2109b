"""The files of a journal: numbered segments in one directory. A writer always begins a new one."""

from __future__ import annotations

import re
from pathlib import Path

_NAME = re.compile(r"(\d{8})\.sfuj")


def segments(directory: Path) -> list[Path]:
    """Those there are, in the order in which they were written. Raises OSError."""
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name) and path.is_file())


def next_segment(directory: Path) -> Path:
    existing = segments(directory)
    number = int(existing[-1].stem) + 1 if existing else 1
    return directory / f"{number:08}.sfuj"
