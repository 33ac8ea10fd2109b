"""The VP8 payload descriptor (RFC 7741 §4.2) and what of the frame header shows a key frame (§4.3).

     0 1 2 3 4 5 6 7
    |X|R|N|S|R| PID |
    |I|L|T|K| RSV   |  if X
    |M| PictureID   |  if I; two bytes if M
    | TL0PICIDX     |  if L
    |TID|Y| KEYIDX  |  if T or K

The two counters are rewritten in place and in their own form, so that a payload never changes its length.
"""

from __future__ import annotations

from dataclasses import dataclass

_START_CODE = b"\x9d\x01\x2a"


@dataclass(slots=True)
class Vp8Descriptor:
    """`None` stands for a field the sender leaves out. `length` is where the VP8 bitstream begins.

    `key_frame` is true in the first packet of a key frame only. Were the payload encrypted end to end it would be
    noise: then `width` and `height`, which are read behind a start code, are mostly `None`.
    """

    start_of_partition: bool
    partition_index: int
    picture_id: int | None
    picture_id_bits: int  # 7 or 15; 0 without picture id
    tl0_picture_index: int | None
    temporal_id: int | None
    layer_sync: bool
    key_frame: bool
    length: int
    width: int | None
    height: int | None


def parse(payload: bytes) -> Vp8Descriptor | None:
    """`None` when the payload is cut short in its descriptor or carries nothing behind it."""
    try:
        return _parse(payload)
    except IndexError:
        return None


def rewrite(payload: bytes, descriptor: Vp8Descriptor, picture_id: int, tl0_picture_index: int) -> bytes:
    """The payload with other counters, each taken modulo its width. What the sender left out stays out."""
    out = bytearray(payload)
    position = 2
    if descriptor.picture_id_bits == 15:
        out[2] = 0x80 | picture_id >> 8 & 0x7F
        out[3] = picture_id & 0xFF
        position = 4
    elif descriptor.picture_id_bits == 7:
        out[2] = picture_id & 0x7F
        position = 3
    if descriptor.tl0_picture_index is not None:
        out[position] = tl0_picture_index & 0xFF
    return bytes(out)


def _parse(payload: bytes) -> Vp8Descriptor:
    first = payload[0]
    picture_id = tl0_picture_index = temporal_id = width = height = None
    picture_id_bits = 0
    layer_sync = False
    position = 1
    if first & 0x80:
        present = payload[1]
        position = 2
        if present & 0x80:
            picture_id = payload[2]
            if picture_id & 0x80:
                picture_id = (picture_id & 0x7F) << 8 | payload[3]
                picture_id_bits = 15
                position = 4
            else:
                picture_id_bits = 7
                position = 3
        if present & 0x40:
            tl0_picture_index = payload[position]
            position += 1
        if present & 0x30:
            if present & 0x20:
                temporal_id = payload[position] >> 6
                layer_sync = bool(payload[position] & 0x20)
            position += 1
    key_frame = payload[position] & 0x01 == 0 and first & 0x17 == 0x10  # S set, first partition
    if key_frame and payload[position + 3 : position + 6] == _START_CODE and len(payload) >= position + 10:
        # Little-endian, 14 bits each; the two above them ask for upscaling (RFC 6386 §9.1).
        width = payload[position + 6] | (payload[position + 7] & 0x3F) << 8
        height = payload[position + 8] | (payload[position + 9] & 0x3F) << 8
    return Vp8Descriptor(
        bool(first & 0x10),
        first & 0x07,
        picture_id,
        picture_id_bits,
        tl0_picture_index,
        temporal_id,
        layer_sync,
        key_frame,
        position,
        width,
        height,
    )
