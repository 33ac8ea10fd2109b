"""VP9 and AV1 pictures to RTP payloads, as simple as the formats allow: one layer, no pattern."""

from __future__ import annotations

PAYLOAD_BYTES = 1000


def vp9_payloads(frame: bytes, picture_id: int, key_frame: bool) -> list[bytes]:
    """Non-flexible mode without layers (RFC 9628 §4.2)."""
    pieces = _pieces(frame)
    payloads = []
    for index, piece in enumerate(pieces):
        first = (
            0x80 | (0 if key_frame else 0x40) | (0x08 if index == 0 else 0) | (0x04 if index == len(pieces) - 1 else 0)
        )
        payloads.append(bytes((first, 0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF)) + piece)
    return payloads


def av1_payloads(temporal_unit: bytes, key_frame: bool) -> list[bytes]:
    """Each unit without its size, W = 1: one element per packet, or a part of one (AV1 RTP §4.4)."""
    units = list(_units(temporal_unit))
    payloads: list[bytes] = []
    for unit in units:
        pieces = _pieces(unit)
        for index, piece in enumerate(pieces):
            header = 0x10 | (0x80 if index else 0) | (0x40 if index < len(pieces) - 1 else 0)
            header |= 0x08 if key_frame and not payloads else 0
            payloads.append(bytes((header,)) + piece)
    return payloads


def _units(temporal_unit: bytes) -> list[bytes]:
    """Without temporal delimiters, and without size fields."""
    units = []
    position = 0
    while position < len(temporal_unit):
        header = temporal_unit[position]
        assert header & 0x02, "a unit without a size"
        start = position + (2 if header & 0x04 else 1)
        size = shift = 0
        while True:
            byte = temporal_unit[start]
            size |= (byte & 0x7F) << shift
            start, shift = start + 1, shift + 7
            if not byte & 0x80:
                break
        if header >> 3 & 0x0F != 2:
            extension = temporal_unit[position + 1 : position + 2] if header & 0x04 else b""
            units.append(bytes((header & ~0x02,)) + extension + temporal_unit[start : start + size])
        position = start + size
    return units


def _pieces(whole: bytes) -> list[bytes]:
    return [whole[begin : begin + PAYLOAD_BYTES] for begin in range(0, len(whole), PAYLOAD_BYTES)]
