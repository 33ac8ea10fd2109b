"""Redundant audio (RFC 2198): in front of what a packet is for, what packets before it carried.

     0                   1                    2                   3
     1 block PT (7) | timestamp offset (14) | block length (10)        one for each block that is repeated, oldest first
     0 block PT (7)                                                     then the primary, as long as there is
    then the blocks themselves, in the same order

The primary has the packet's own timestamp. Only Opus is repeated here, so all blocks are of one payload type.
"""

from __future__ import annotations

from dataclasses import dataclass

from sfu.wire.rtp import RtpHeader

_HEADER_BYTES = 4
_MORE = 0x80
_PADDING = 0x20
MAX_BLOCK_BYTES = (1 << 10) - 1
MAX_TIMESTAMP_OFFSET = (1 << 14) - 1


@dataclass(frozen=True, slots=True)
class Redundancy:
    """Where things are in a payload. `previous`: the block that the packet before it carried, as (from, to, how much
    earlier its timestamp is)."""

    primary_at: int
    previous: tuple[int, int, int] | None


def read(payload: bytes, payload_type: int) -> Redundancy | None:
    """`None` when it contradicts itself, or a block is of another payload type."""
    at, repeated_bytes, last = 0, 0, (0, 0)  # length, timestamp offset
    while at < len(payload) and payload[at] & _MORE:
        if at + _HEADER_BYTES > len(payload) or payload[at] & 0x7F != payload_type:
            return None
        last = (payload[at + 2] & 0x03) << 8 | payload[at + 3], payload[at + 1] << 6 | payload[at + 2] >> 2
        repeated_bytes += last[0]
        at += _HEADER_BYTES
    primary_at = at + 1 + repeated_bytes
    if at >= len(payload) or payload[at] != payload_type or primary_at > len(payload):
        return None
    length, offset = last
    return Redundancy(primary_at, (primary_at - length, primary_at, offset) if length else None)


def build(repeated: list[tuple[int, bytes]], primary: bytes, payload_type: int) -> bytes:
    """`repeated`: timestamp offset and block, oldest first. Raises ValueError for what its header cannot say."""
    headers = b""
    for offset, block in repeated:
        if not 0 <= offset <= MAX_TIMESTAMP_OFFSET or len(block) > MAX_BLOCK_BYTES:
            raise ValueError(f"{len(block)} bytes, {offset} earlier, are too many for a block")
        headers += bytes((_MORE | payload_type,)) + (offset << 10 | len(block)).to_bytes(3, "big")
    return headers + bytes((payload_type,)) + b"".join(block for _, block in repeated) + primary


def rename(payload: bytes, payload_type: int) -> bytes:
    """With blocks of another payload type. `payload` is one that `read` has read."""
    renamed, at = bytearray(payload), 0
    while renamed[at] & _MORE:
        renamed[at] = _MORE | payload_type
        at += _HEADER_BYTES
    renamed[at] = payload_type
    return bytes(renamed)


def strip(packet: bytes, header: RtpHeader, primary_at: int, payload_type: int) -> bytes:
    """A whole RTP packet with its primary alone, and without padding. Number, timestamp and extensions stay."""
    fixed = bytes((packet[0] & ~_PADDING, packet[1] & 0x80 | payload_type))
    start = header.payload_offset
    return fixed + packet[2:start] + packet[start + primary_at : header.payload_end]
