"""The RTP packet: fixed header, extension elements, padding (RFC 3550 §5.1).

Parsed into a header that points into the packet; the payload is not copied. Contributing sources are
skipped: nobody here mixes. Knows nothing of payload formats, nor of sequences of packets.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sfu.wire import extensions as header_extensions
from sfu.wire.errors import MalformedRtp

__all__ = ["MalformedRtp", "RtpHeader", "build", "parse"]

_FIXED = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")


@dataclass(slots=True)
class RtpHeader:
    """`extensions` is id → value. The payload is `packet[payload_offset:payload_end]`, without padding;
    when both are equal the packet carries none, as bandwidth probes do."""

    payload_type: int
    marker: bool
    sequence_number: int
    timestamp: int
    ssrc: int
    extensions: dict[int, bytes]
    payload_offset: int
    payload_end: int


def parse(packet: bytes) -> RtpHeader:
    """Raises MalformedRtp when the packet is no RTP version 2 or any of its lengths runs past its end."""
    end = len(packet)
    if end < 12:
        raise MalformedRtp("shorter than the fixed header")
    first, second, sequence_number, timestamp, ssrc = _FIXED.unpack_from(packet)
    if first & 0xC0 != 0x80:
        raise MalformedRtp("not RTP version 2")
    offset = 12 + 4 * (first & 0x0F)
    extensions: dict[int, bytes] = {}
    if first & 0x10:
        start = offset + 4
        if start > end:
            raise MalformedRtp("cut off in the extension header")
        profile, words = _EXTENSION.unpack_from(packet, offset)
        offset = start + 4 * words
        if offset > end:
            raise MalformedRtp("cut off in the extension block")
        extensions = header_extensions.parse(profile, packet[start:offset])
    if first & 0x20:
        padding = packet[-1]
        if padding == 0:
            raise MalformedRtp("padding of no bytes")
        end -= padding
    if offset > end:
        raise MalformedRtp("contributing sources or padding longer than the packet")
    return RtpHeader(second & 0x7F, second >= 0x80, sequence_number, timestamp, ssrc, extensions, offset, end)


def build(
    *,
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    marker: bool = False,
    extension: bytes = b"",
    padding: int = 0,
) -> bytes:
    """A packet without contributing sources. `extension` is what `extensions.pack` returned; `padding` is the
    number of bytes to add after the payload, at most 255."""
    first = 0x80
    if extension:
        first |= 0x10
    if padding:
        first |= 0x20
        payload += bytes(padding - 1) + bytes((padding,))
    second = payload_type | 0x80 if marker else payload_type
    return _FIXED.pack(first, second, sequence_number, timestamp, ssrc) + extension + payload
