"""Retransmission payloads (RFC 4588 §4): the original sequence number in front of the original payload.

The rest of the RTX packet (own SSRC, payload type and sequence number, original timestamp and marker) is RTP.
"""

import struct

from sfu.wire.errors import MalformedRtp

_SEQUENCE_NUMBER = struct.Struct("!H")


def wrap(payload: bytes, original_sequence_number: int) -> bytes:
    return _SEQUENCE_NUMBER.pack(original_sequence_number) + payload


def unwrap(payload: bytes) -> tuple[int, bytes]:
    """(original sequence number, original payload). Raises MalformedRtp under two bytes."""
    if len(payload) < 2:
        raise MalformedRtp("RTX payload without original sequence number")
    return payload[0] << 8 | payload[1], payload[2:]


def restore(packet: bytes, payload_offset: int, payload_type: int, ssrc: int) -> bytes:
    """The original packet, from a whole RTX packet that is long enough for `unwrap`: its header, extensions and
    padding included, with the original's number and these."""
    second = packet[1] & 0x80 | payload_type
    number = packet[payload_offset : payload_offset + 2]
    fixed = packet[:1] + bytes((second,)) + number + packet[4:8] + ssrc.to_bytes(4, "big")
    return fixed + packet[12:payload_offset] + packet[payload_offset + 2 :]
