"""Encoded frames to RTP payloads: VP8 (RFC 7741), H.264 (RFC 6184, packetization-mode 1). Opus needs none: one frame,
one payload (RFC 7587). Pure; the inverse is reassembly.py."""

from __future__ import annotations

from collections.abc import Iterator

# Header, extensions and SRTP tag take less than 100 bytes; 1200 bytes pass wherever WebRTC does.
PAYLOAD_BYTES = 1100

_NAL_HEADER_BYTES = 2  # of FU-A
_FU_A = 28


def vp8_payloads(frame: bytes, picture_id: int, tl0_picture_index: int) -> list[bytes]:
    """The descriptor of browsers: 15 bit picture id, TL0PICIDX, and temporal id 0 since there is one temporal layer."""
    rest = (0x8000 | picture_id & 0x7FFF).to_bytes(2, "big") + bytes((tl0_picture_index & 0xFF, 0x00))
    first, later = b"\x90\xe0" + rest, b"\x80\xe0" + rest  # X, and S in the first; I, L, T
    payloads: list[bytes] = []
    for piece in _pieces(frame, PAYLOAD_BYTES - len(first)):
        payloads.append((later if payloads else first) + piece)
    return payloads


def h264_payloads(access_unit: bytes) -> list[bytes]:
    """`access_unit` in Annex B form. Single NAL units, and FU-A for what does not fit."""
    payloads: list[bytes] = []
    for unit in nal_units(access_unit):
        if len(unit) <= PAYLOAD_BYTES:
            payloads.append(unit)
            continue
        indicator, unit_type = unit[0] & 0xE0 | _FU_A, unit[0] & 0x1F
        pieces = list(_pieces(unit[1:], PAYLOAD_BYTES - _NAL_HEADER_BYTES))
        for index, piece in enumerate(pieces):
            start_and_end = (0x80 if index == 0 else 0) | (0x40 if index == len(pieces) - 1 else 0)
            payloads.append(bytes((indicator, start_and_end | unit_type)) + piece)
    return payloads


def nal_units(access_unit: bytes) -> list[bytes]:
    """What lies between start codes of three or four bytes; empty units are left out."""
    units = []
    for unit in access_unit.split(b"\x00\x00\x01"):
        # The first zero of a four byte start code ends up behind the unit before it; no unit ends in zero (§7.4.1).
        trimmed = unit.rstrip(b"\x00")
        if trimmed:
            units.append(trimmed)
    return units


def _pieces(whole: bytes, most: int) -> Iterator[bytes]:
    """Of nearly equal size: a last packet of a few bytes costs as much as a full one."""
    count = -(-len(whole) // most)
    for index in range(count):
        yield whole[index * len(whole) // count : (index + 1) * len(whole) // count]
