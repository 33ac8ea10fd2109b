"""Frames on a stream of bytes, which knows no messages: a length of four bytes, big-endian, in front of each.

Decides where a frame ends, and how long one may be; not what is in it.
"""

from __future__ import annotations

import struct

_LENGTH = struct.Struct("!I")


class FrameTooLong(ValueError):
    """The stream cannot be read any further: where the next frame begins is not known."""


def prefixed(frame: bytes) -> bytes:
    return _LENGTH.pack(len(frame)) + frame


class FrameSplitter:
    """Chunks as they come, frames as they were sent. `max_bytes`: of one frame, without its length."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that this completes, in order. Raises FrameTooLong as soon as a length says so."""
        self._rest += chunk
        frames: list[bytes] = []
        begin = 0
        while len(self._rest) - begin >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._rest, begin)
            if length > self._max_bytes:
                raise FrameTooLong(f"a frame of {length} bytes, where {self._max_bytes} are the most")
            end = begin + _LENGTH.size + length
            if len(self._rest) < end:
                break
            frames.append(bytes(self._rest[begin + _LENGTH.size : end]))
            begin = end
        del self._rest[:begin]
        return frames
