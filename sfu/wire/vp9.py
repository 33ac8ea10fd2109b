"""The VP9 payload descriptor (RFC 9628 §4.2), all of it; the bitstream behind it is not looked at.

     0 1 2 3 4 5 6 7
    |I|P|L|F|B|E|V|Z|
    |M| picture id  |  if I; two bytes if M
    | TID |U| SID |D|  if L
    | TL0PICIDX     |  if L and not F
    | P_DIFF      |N|  if F and P, up to three times
    | scalability structure  if V

What says how frames depend on each other is here in the clear, also when the payload is encrypted end to end. The two
counters are rewritten in place and in their own form, so that a payload never changes its length.
"""

from __future__ import annotations

from dataclasses import dataclass

_MOST_REFERENCES = 3


class _Malformed(Exception):
    """Stays in this file."""


@dataclass(frozen=True, slots=True)
class PatternPicture:
    """One picture of the pattern that a scalability structure announces; `differences` are to picture ids before."""

    temporal_id: int
    switching_up: bool
    differences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScalabilityStructure:
    """`sizes` is width × height of each spatial layer, from the lowest on; empty when they are not stated."""

    spatial_layers: int
    sizes: tuple[tuple[int, int], ...]
    pattern: tuple[PatternPicture, ...]


@dataclass(slots=True)
class Vp9Descriptor:
    """`None` stands for a field the sender leaves out. `length` is where the VP9 bitstream begins."""

    picture_id: int | None
    picture_id_bits: int  # 7 or 15; 0 without picture id
    inter_picture: bool  # P: depends on earlier pictures, not just on lower layers of its own
    flexible: bool  # F
    start_of_frame: bool  # B; a frame is one spatial layer of a picture
    end_of_frame: bool  # E
    not_for_upper_layers: bool  # Z: no higher spatial layer of this picture refers to it
    temporal_id: int | None
    switching_up: bool  # U
    spatial_id: int | None
    inter_layer: bool  # D: depends on the spatial layer below
    tl0_picture_index: int | None
    differences: tuple[int, ...]  # P_DIFF: picture id minus that of the picture referred to; flexible mode only
    structure: ScalabilityStructure | None
    length: int

    @property
    def key_frame(self) -> bool:
        """Whether this is the first packet of a picture that depends on nothing."""
        return self.start_of_frame and not self.inter_picture and not self.spatial_id


def parse(payload: bytes) -> Vp9Descriptor | None:
    """`None` when the payload is cut short in its descriptor, carries nothing behind it, or refers to more pictures
    than three."""
    try:
        return _parse(payload)
    except (IndexError, _Malformed):
        return None


def rewrite(payload: bytes, descriptor: Vp9Descriptor, picture_id: int, tl0_picture_index: int) -> bytes:
    """The payload with other counters, each taken modulo its width. What the sender left out stays out."""
    out = bytearray(payload)
    position = 1
    if descriptor.picture_id_bits == 15:
        out[1] = 0x80 | picture_id >> 8 & 0x7F
        out[2] = picture_id & 0xFF
        position = 3
    elif descriptor.picture_id_bits == 7:
        out[1] = picture_id & 0x7F
        position = 2
    if descriptor.tl0_picture_index is not None:
        out[position + 1] = tl0_picture_index & 0xFF
    return bytes(out)


def _parse(payload: bytes) -> Vp9Descriptor:
    first = payload[0]
    picture_id = temporal_id = spatial_id = tl0_picture_index = structure = None
    picture_id_bits = layers = 0
    flexible = bool(first & 0x10)
    position = 1
    if first & 0x80:
        picture_id = payload[1]
        if picture_id & 0x80:
            picture_id = (picture_id & 0x7F) << 8 | payload[2]
            picture_id_bits = 15
            position = 3
        else:
            picture_id_bits = 7
            position = 2
    if first & 0x20:
        layers = payload[position]
        temporal_id, spatial_id = layers >> 5, layers >> 1 & 0x07
        position += 1
        if not flexible:
            tl0_picture_index = payload[position]
            position += 1
    differences: list[int] = []
    if flexible and first & 0x40:
        more = True
        while more:
            if len(differences) == _MOST_REFERENCES:
                raise _Malformed
            differences.append(payload[position] >> 1)
            more = bool(payload[position] & 0x01)
            position += 1
    if first & 0x02:
        structure, position = _parse_structure(payload, position)
    if position >= len(payload):
        raise _Malformed
    return Vp9Descriptor(
        picture_id=picture_id,
        picture_id_bits=picture_id_bits,
        inter_picture=bool(first & 0x40),
        flexible=flexible,
        start_of_frame=bool(first & 0x08),
        end_of_frame=bool(first & 0x04),
        not_for_upper_layers=bool(first & 0x01),
        temporal_id=temporal_id,
        switching_up=bool(layers & 0x10),
        spatial_id=spatial_id,
        inter_layer=bool(layers & 0x01),
        tl0_picture_index=tl0_picture_index,
        differences=tuple(differences),
        structure=structure,
        length=position,
    )


def _parse_structure(payload: bytes, position: int) -> tuple[ScalabilityStructure, int]:
    first = payload[position]
    position += 1
    spatial_layers = (first >> 5) + 1
    sizes: list[tuple[int, int]] = []
    if first & 0x10:
        for _ in range(spatial_layers):
            width = payload[position] << 8 | payload[position + 1]
            height = payload[position + 2] << 8 | payload[position + 3]
            sizes.append((width, height))
            position += 4
    pattern: list[PatternPicture] = []
    if first & 0x08:
        count = payload[position]
        position += 1
        for _ in range(count):
            head = payload[position]
            end = position + 1 + (head >> 2 & 0x03)
            differences = payload[position + 1 : end]
            if end > len(payload):
                raise _Malformed
            pattern.append(PatternPicture(head >> 5, bool(head & 0x10), tuple(differences)))
            position = end
    return ScalabilityStructure(spatial_layers, tuple(sizes), tuple(pattern)), position
