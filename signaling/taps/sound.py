"""What a tap's WebSocket carries of sound, where it is no RTP: Opus packets or samples, each with its time.

    0        4         8            16             24
    number │ dropped │ timestamp  │ arrived at   │ an Opus packet, or samples …

Little-endian: two u32, an i64, an f64. `timestamp` counts samples of 48 kHz on the publisher's clock, unwrapped; where
it jumps by more than what came, nothing was sent, or it was lost. Samples are 16 bits, stereo, interleaved.
"""

from __future__ import annotations

import struct
from collections.abc import Collection

import numpy as np

from recorder.files.decoding import SoundDecoder
from signaling.taps.feed import Heard

_HEADER = struct.Struct("<IIqd")
HEADER_BYTES = _HEADER.size


class SoundFrames:
    """Blocking when it decodes; one thread at a time."""

    def __init__(self, *, decoded: bool) -> None:
        self._decoded = decoded
        self._decoders: dict[int, SoundDecoder] = {}

    def pack(self, heard: list[Heard], dropped: int, going_on: Collection[int]) -> list[bytes]:
        """`dropped`: frames that this tap has lost, in all. `going_on`: numbers of tracks from which more may come."""
        packed = [frame for one in heard if (frame := self._pack(one, dropped))]
        self._decoders = {number: one for number, one in self._decoders.items() if number in going_on}
        return packed

    def _pack(self, heard: Heard, dropped: int) -> bytes:
        number, (at_s, _, frame) = heard.track.number, heard.timed
        content = frame.bitstream
        if self._decoded:
            decoder = self._decoders.setdefault(number, SoundDecoder())
            content = decoder.decode(frame.bitstream).astype("<i2", copy=False).tobytes()
            if not content:
                return b""
        return _HEADER.pack(number, dropped & 0xFFFFFFFF, frame.timestamp, at_s) + content


def unpack(frame: bytes) -> tuple[int, int, int, float, bytes]:
    """(number, dropped, timestamp, arrived at, content). Raises ValueError."""
    if len(frame) < HEADER_BYTES:
        raise ValueError(f"{len(frame)} bytes hold no header")
    return *_HEADER.unpack_from(frame), frame[HEADER_BYTES:]


def samples(content: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    """(count, 2), of what `pcm16` carries."""
    return np.frombuffer(content, "<i2").reshape(-1, 2)
