"""AV1 in RTP (RTP Payload Format For AV1, §4) to temporal units of open bitstream units with sizes (AV1, §5.3).

payload:  |Z|Y| W |N|-|-|-|  then elements: each with its length in LEB128, but the last of W
          Z: the first element continues one of the packet before; Y: the last goes on in the next packet
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sfu.wire import av1

_TEMPORAL_DELIMITER: Final = 2
_TILE_LIST: Final = 8
_PADDING: Final = 15
_LEFT_OUT: Final = frozenset({_TEMPORAL_DELIMITER, _TILE_LIST, _PADDING})  # §5: not sent, or of no use
_DELIMITER: Final = b"\x12\x00"
_HAS_SIZE: Final = 0x02
_HAS_EXTENSION: Final = 0x04
_LONGEST_LEB128: Final = 5  # bytes; 32 bits


def temporal_unit(payloads: Sequence[bytes]) -> tuple[bytes, bool] | None:
    """(bitstream, whether decoding can begin here); `None` when the payloads contradict themselves or each other."""
    units: list[bytes] = []
    open_unit: list[bytes] = []
    for payload in payloads:
        elements = _elements(payload)
        if not elements or bool(payload[0] & 0x80) != bool(open_unit):
            return None
        for index, element in enumerate(elements):
            open_unit.append(element)
            if index < len(elements) - 1 or not payload[0] & 0x40:
                units.append(b"".join(open_unit))
                open_unit = []
    sized = [_sized(unit) for unit in units]
    if open_unit or not units or None in sized:
        return None
    return _DELIMITER + b"".join(unit for unit in sized if unit), av1.is_key_frame(payloads[0])


def _elements(payload: bytes) -> list[bytes] | None:
    if len(payload) < 2:
        return None
    count = payload[0] >> 4 & 0x03
    elements: list[bytes] = []
    position = 1
    while position < len(payload):
        if count and len(elements) == count - 1:
            length = len(payload) - position
        else:
            read = _leb128(payload, position)
            if read is None:
                return None
            length, position = read
        element = payload[position : position + length]
        if len(element) != length or (count and len(elements) == count):
            return None
        elements.append(element)
        position += length
    return elements if not count or len(elements) == count else None


def _sized(unit: bytes) -> bytes | None:
    """The unit with its size in it; empty for one that is left out."""
    if not unit:
        return None
    header = unit[0]
    if header & 0x80:  # forbidden bit
        return None
    if header >> 3 & 0x0F in _LEFT_OUT:
        return b""
    if header & _HAS_SIZE:
        return unit
    head = 2 if header & _HAS_EXTENSION else 1
    if len(unit) < head:
        return None
    return bytes((header | _HAS_SIZE,)) + unit[1:head] + _as_leb128(len(unit) - head) + unit[head:]


def _leb128(payload: bytes, position: int) -> tuple[int, int] | None:
    value = 0
    for index in range(_LONGEST_LEB128):
        if position + index >= len(payload):
            return None
        byte = payload[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return value, position + index + 1
    return None


def _as_leb128(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))
