"""Frames of a local sink: what the plane hands to a recorder, a tap or a relay over a Unix datagram socket.

    0         1       2        3        4          8        16                 24             32
    version │ kind │ layer │ flags │ dropped │ track │ sequence number │ arrived at │ body …

One frame is one datagram. The header has 32 bytes, little-endian: four u8, u32, two i64, f64. Times are the machine's
monotonic clock in seconds. A reader skips kinds it does not know and ignores flags it does not know; whatever would
break it gets another version.

    OPENED          no body: the first frame of a sink
    RTP             a decrypted RTP packet as the publisher sent it, header extensions and padding included
    SENDER_REPORT   NTP time u64, RTP timestamp u32, SSRC u32 (RFC 3550 §6.4.1), little-endian as well
    TRACK_ENDED     no body: nothing more of this track; it was removed, or the sink takes no layer of it any more
    CLOSED          no body: the last frame of a sink
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from sfu.wire.errors import MalformedTapFrame

VERSION: Final = 1
HEADER_BYTES: Final = 32
_HEADER = struct.Struct("<BBBBIqqd")
_CLOCK = struct.Struct("<QII")
_DROPPED = struct.Struct("<I")
_RECOVERED = 1


class FrameKind(IntEnum):
    OPENED = 0
    RTP = 1
    SENDER_REPORT = 2
    TRACK_ENDED = 3
    CLOSED = 4


class TapFrame(NamedTuple):
    """`track` is the plane's number for it; `layer` and `sequence_number` are 0 where they mean nothing.

    `sequence_number` is unwrapped and of the layer, as long as one SSRC sends it: with another SSRC it begins anew.
    `recovered`: it came back by RTX; then its header is that of the RTX packet with the original's payload type, number
    and SSRC (0 if that has never been seen). `dropped`: how many frames of this sink were lost before this one, in
    all, modulo 2**32; the difference to the frame before says how many are missing right here.
    """

    kind: int
    layer: int
    recovered: bool
    dropped: int
    track: int
    sequence_number: int
    arrived_at_s: float
    body: bytes


class SenderClock(NamedTuple):
    """Body of a SENDER_REPORT: `ntp_time` (64 bit) and `rtp_timestamp` name one moment of `ssrc`'s clock."""

    ntp_time: int
    rtp_timestamp: int
    ssrc: int


def pack(frame: TapFrame) -> bytes:
    """Raises ValueError for what the fields cannot hold; `dropped` is masked."""
    kind, layer, recovered, dropped, track, number, arrived_at_s, body = frame
    flags = _RECOVERED if recovered else 0
    try:
        return _HEADER.pack(VERSION, kind, layer, flags, dropped & 0xFFFFFFFF, track, number, arrived_at_s) + body
    except struct.error as error:
        raise ValueError(str(error)) from error


def parse(datagram: bytes) -> TapFrame:
    """Raises MalformedTapFrame when it is cut short or of another version."""
    if len(datagram) < HEADER_BYTES:
        raise MalformedTapFrame(f"{len(datagram)} bytes hold no header")
    version, kind, layer, flags, dropped, track, number, arrived_at_s = _HEADER.unpack_from(datagram)
    if version != VERSION:
        raise MalformedTapFrame(f"version {version}, not {VERSION}")
    return TapFrame(
        kind, layer, bool(flags & _RECOVERED), dropped, track, number, arrived_at_s, datagram[HEADER_BYTES:]
    )


def with_dropped(packed: bytes, dropped: int) -> bytes:
    """The same frame with another count: how many were lost is known when it leaves, not when it is made."""
    return packed[:4] + _DROPPED.pack(dropped & 0xFFFFFFFF) + packed[8:]


def pack_clock(clock: SenderClock) -> bytes:
    return _CLOCK.pack(*clock)


def parse_clock(body: bytes) -> SenderClock:
    """Raises MalformedTapFrame when it is cut short; what may follow is for later versions."""
    if len(body) < _CLOCK.size:
        raise MalformedTapFrame(f"{len(body)} bytes hold no sender report")
    return SenderClock(*_CLOCK.unpack_from(body))
