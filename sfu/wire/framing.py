"""The four bytes in front of every RTCP packet (RFC 3550 §6.4.1), padding, and walking through a compound.

    0                   1                   2                   3
    |V=2|P|  count  |  packet type  |    length in words - 1      |

`count` is a number of blocks, or a feedback message's format (RFC 4585 §6.1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from sfu.wire.errors import MalformedRtcp

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
GOODBYE = 203
TRANSPORT_FEEDBACK = 205  # RTPFB of RFC 4585: NACK, transport-cc
PAYLOAD_FEEDBACK = 206  # PSFB of RFC 4585: PLI, FIR, REMB

_HEADER = struct.Struct("!BBH")


class Block(NamedTuple):
    """One RTCP packet inside a compound; `body` is what follows the header, padding included."""

    packet_type: int
    count_or_format: int
    padded: bool
    body: bytes


def frame(packet_type: int, count: int, body: bytes) -> bytes:
    """A whole RTCP packet. A body that does not fill its last word is padded, and marked so (RFC 3550 §6.4.1)."""
    first = 0x80 | count
    padding = -len(body) % 4
    if padding:
        first |= 0x20
        body += bytes(padding - 1) + bytes((padding,))
    return _HEADER.pack(first, packet_type, len(body) // 4) + body


def blocks(compound: bytes) -> Iterator[Block]:
    """Walks by the length fields. Raises MalformedRtcp at the first header that cannot be believed: behind
    it nothing can be found."""
    position, end = 0, len(compound)
    while position < end:
        if position + 4 > end:
            raise MalformedRtcp("cut off in a header")
        first, packet_type, words = _HEADER.unpack_from(compound, position)
        if first & 0xC0 != 0x80:
            raise MalformedRtcp("not RTCP version 2")
        start = position + 4
        position = start + 4 * words
        if position > end:
            raise MalformedRtcp("length runs past the compound")
        yield Block(packet_type, first & 0x1F, bool(first & 0x20), compound[start:position])


def unpadded(block: Block) -> bytes:
    """The body without padding. The RFC wants a multiple of four; transport-cc senders pad by one to three."""
    if not block.padded:
        return block.body
    padding = block.body[-1] if block.body else 0
    if not 0 < padding <= len(block.body):
        raise MalformedRtcp("padding longer than its packet, or of no bytes")
    return block.body[:-padding]
