"""IVF: a header of 32 bytes, then each picture behind its length and its time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

_HEADER, _BEFORE_PICTURE = struct.Struct("<4sHH4sHHIIII"), struct.Struct("<IQ")


def read(path: Path) -> list[bytes]:
    content, found = path.read_bytes(), list[bytes]()
    at = _HEADER.size
    while at < len(content):
        size, _ = _BEFORE_PICTURE.unpack_from(content, at)
        at += _BEFORE_PICTURE.size
        found.append(content[at : at + size])
        at += size
    return found


def write(path: Path, codec: bytes, size: tuple[int, int], frames_per_s: int, pictures: Sequence[bytes]) -> None:
    with path.open("wb") as file:
        file.write(_HEADER.pack(b"DKIF", 0, _HEADER.size, codec, *size, frames_per_s, 1, len(pictures), 0))
        for number, picture in enumerate(pictures):
            file.write(_BEFORE_PICTURE.pack(len(picture), number) + picture)
