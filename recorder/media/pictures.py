"""Payloads of one picture to the bitstream that decoders and containers take: one pure function per codec.

Each takes all payloads of one RTP timestamp, in order and complete, and gives `None` for what does not fit together.
What the bitstream means is not looked at: garbage in a well-formed payload gets to the decoder, which refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from recorder.media import obu
from sfu.core.types import Codec
from sfu.wire import vp8, vp9


class Picture(NamedTuple):
    bitstream: bytes
    key_frame: bool


_START_CODE: Final = b"\x00\x00\x00\x01"
_STAP_A: Final = 24
_FU_A: Final = 28
_IDR_SLICE: Final = 5
_BEFORE_SLICES: Final = frozenset({6, 7, 8, 9})  # SEI, parameter sets, access unit delimiter


def join_vp8(payloads: Sequence[bytes]) -> Picture | None:
    pieces = []
    key_frame = False
    for index, payload in enumerate(payloads):
        descriptor = vp8.parse(payload)
        if descriptor is None:
            return None
        begins = descriptor.start_of_partition and descriptor.partition_index == 0
        if begins != (index == 0):
            return None
        key_frame |= descriptor.key_frame
        pieces.append(payload[descriptor.length :])
    return Picture(b"".join(pieces), key_frame)


def join_vp9(payloads: Sequence[bytes]) -> Picture | None:
    """A picture of several spatial layers becomes a superframe, whose index says where each of them is."""
    frames: list[list[bytes]] = []
    key_frame = False
    for index, payload in enumerate(payloads):
        descriptor = vp9.parse(payload)
        if descriptor is None:
            return None
        if descriptor.start_of_frame:
            frames.append([])
        if not frames:
            return None
        key_frame |= index == 0 and descriptor.key_frame
        frames[-1].append(payload[descriptor.length :])
    layers = [b"".join(pieces) for pieces in frames]
    return Picture(layers[0] if len(layers) == 1 else _superframe(layers), key_frame)


def join_h264(payloads: Sequence[bytes]) -> Picture | None:
    """Annex B, with start codes. Single NAL units, STAP-A and FU-A: what packetization-mode 1 has."""
    units: list[bytes] = []
    fragments: list[bytes] = []  # of an FU-A unit that is not yet whole
    for payload in payloads:
        if len(payload) < 2:
            return None
        unit_type = payload[0] & 0x1F
        if unit_type == _FU_A:
            begins, ends = payload[1] & 0x80, payload[1] & 0x40
            if bool(begins) == bool(fragments) or len(payload) < 3:
                return None
            fragments.append(bytes((payload[0] & 0xE0 | payload[1] & 0x1F,)) + payload[2:] if begins else payload[2:])
            if ends:
                units.append(b"".join(fragments))
                fragments = []
            continue
        if fragments:
            return None
        if unit_type == _STAP_A:
            aggregated = _aggregated(payload)
            if aggregated is None:
                return None
            units += aggregated
        elif 1 <= unit_type < _STAP_A:
            units.append(payload)
        else:
            return None
    if fragments or not units:
        return None
    return Picture(b"".join(_START_CODE + unit for unit in units), _is_key_picture(units))


def join_av1(payloads: Sequence[bytes]) -> Picture | None:
    """A temporal unit in the low-overhead format, with a temporal delimiter in front."""
    unit = obu.temporal_unit(payloads)
    return None if unit is None else Picture(*unit)


JOIN: Final[dict[Codec, Callable[[Sequence[bytes]], Picture | None]]] = {
    Codec.VP8: join_vp8,
    Codec.VP9: join_vp9,
    Codec.H264: join_h264,
    Codec.AV1: join_av1,
}


def _is_key_picture(units: Sequence[bytes]) -> bool:
    """An IDR picture from its beginning on: nothing in a payload tells that packets before it are missing, but that
    parameter sets, a delimiter or the first macroblock (first_mb_in_slice, §7.3.3, is 0) come first."""
    first = units[0][0] & 0x1F
    begins = first in _BEFORE_SLICES or (first == _IDR_SLICE and units[0][1] & 0x80)
    return bool(begins) and any(unit[0] & 0x1F == _IDR_SLICE for unit in units)


def _aggregated(payload: bytes) -> list[bytes] | None:
    units = []
    position = 1
    while position < len(payload):
        size = int.from_bytes(payload[position : position + 2], "big")
        unit = payload[position + 2 : position + 2 + size]
        if size < 2 or len(unit) != size:
            return None
        units.append(unit)
        position += 2 + size
    return units


def _superframe(layers: Sequence[bytes]) -> bytes:
    """VP9 bitstream specification, annex B. At most eight frames."""
    layers = layers[:8]
    width = max((max(map(len, layers)).bit_length() + 7) // 8, 1)
    marker = bytes((0xC0 | (width - 1) << 3 | (len(layers) - 1),))
    sizes = b"".join(len(layer).to_bytes(width, "little") for layer in layers)
    return b"".join(layers) + marker + sizes + marker
