"""File names that any file system takes, from identities that may hold anything: `../../etc`, nothing at all."""

from __future__ import annotations

import re
import unicodedata

_MOST_CHARACTERS = 60
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{one}{n}" for one in ("com", "lpt") for n in range(1, 10))})


class FileNames:
    """Each name once, regardless of case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, identity: str, suffix: str) -> str:
        """Without directory and dot; `suffix` (`-screen`) is ours."""
        stem = safe(identity)
        candidate, number = stem + suffix, 2
        while candidate.lower() in self._taken:
            candidate = f"{stem}-{number}{suffix}"
            number += 1
        self._taken.add(candidate.lower())
        return candidate


def safe(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-")[:_MOST_CHARACTERS].strip("-")
    if not stem:
        return "participant"
    return f"{stem}-participant" if stem.lower() in _RESERVED else stem
