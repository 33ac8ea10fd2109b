"""Pictures as one subscriber sees them: which layers, and counters that run on over switches.

A frame is sent or left out as a whole. What that does to the counters depends on what refers to them:

    VP8    picture ids close up over what is left out: only their order matters (RFC 7741 §4.2)
    VP9    gaps stay, for pictures refer to others by differences of ids, or by their place in a pattern
    AV1    frame numbers of the dependency descriptor: the same

TL0PICIDX counts frames of the base layer, of which none is left out.
"""

from __future__ import annotations

from typing import NamedTuple

from sfu.core.types import Codec, DropReason
from sfu.plane.fallback.filtering import LayerFilter
from sfu.plane.fallback.numbering import NumberMap
from sfu.plane.fallback.packets import MediaPacket
from sfu.wire import dependency_descriptor, vp8, vp9

# Frames of which late packets still find the right picture id, and the longest gap that is kept: 4 s at 30 fps.
_FRAMES = 128


class PictureFields(NamedTuple):
    """What a packet gets in the place of the publisher's. The marker moves to the last spatial layer that is sent."""

    number: int  # picture id, or frame number of the dependency descriptor
    tl0: int
    marker: bool


class Pictures:
    __slots__ = ("_frames", "_last_number", "_last_tl0", "_newest_number", "_number_offset", "_tl0_offset", "layers")

    def __init__(self) -> None:
        self.layers = LayerFilter()
        self._frames = NumberMap(_FRAMES, next_out=0, longest_gap=_FRAMES)  # VP8
        self._newest_number: int | None = None  # VP9 and AV1, as they came and as they went out
        self._last_number = -1
        self._number_offset = 0
        self._last_tl0 = -1
        self._tl0_offset = 0

    def begin(self, packet: MediaPacket) -> None:
        """A switch: `packet` starts a key frame of another source."""
        self.layers.begin()
        self._newest_number = None
        if packet.number is not None:
            self._continue_from(packet, packet.number)

    def place(self, packet: MediaPacket, in_order: bool) -> PictureFields | DropReason:
        """What to write into the packet; or why its frame is left out."""
        layering, number = packet.layering, packet.number
        if layering is None:
            if packet.descriptor is not None:
                return DropReason.TOO_OLD  # from before the layers changed: which was it?
            return PictureFields(0, 0, packet.marker)
        refusal, is_last = self.layers.judge(layering, in_order)
        if number is not None and in_order and self._starts_anew(packet, number):
            self._continue_from(packet, number)
        if refusal is not None:
            if packet.vp8 is not None and number is not None:
                self._frames.leave_out(number)
            return refusal
        marker = packet.marker or (is_last and layering.ends)
        if number is None:
            return PictureFields(0, 0, marker)
        if packet.vp8 is not None:
            placed = self._frames.place(number)
            if placed is None:
                return DropReason.TEMPORAL_LAYER
        else:
            placed = number + self._number_offset
            self._last_number = max(self._last_number, placed)
            if in_order:
                self._newest_number = number
        tl0 = 0
        if (index := _tl0_picture_index(packet)) is not None:
            tl0 = (index + self._tl0_offset) & 0xFF
            if in_order:
                self._last_tl0 = tl0
        return PictureFields(placed, tl0, marker)

    def describe(self) -> dict[str, object]:
        return self.layers.describe() | {"last_tl0": self._last_tl0} | self._frames.describe()

    def _starts_anew(self, packet: MediaPacket, number: int) -> bool:
        if packet.vp8 is not None:
            return not self._frames.begun or number < self._frames.newest
        return self._newest_number is None or number < self._newest_number

    def _continue_from(self, packet: MediaPacket, number: int) -> None:
        if packet.vp8 is not None:
            self._frames.begin(number)
        else:
            self._newest_number = number
            self._number_offset = self._last_number + 1 - number
        if (index := _tl0_picture_index(packet)) is not None:
            self._tl0_offset = self._last_tl0 + 1 - index


def rewrite(packet: MediaPacket, fields: PictureFields) -> bytes:
    """The payload."""
    if packet.number is None:
        return packet.payload
    if packet.vp8 is not None:
        return vp8.rewrite(packet.payload, packet.vp8, fields.number, fields.tl0)
    if packet.vp9 is not None:
        return vp9.rewrite(packet.payload, packet.vp9, fields.number, fields.tl0)
    return packet.payload


def rewrite_descriptor(packet: MediaPacket, fields: PictureFields) -> bytes | None:
    """The dependency descriptor, of packets that are sent with it."""
    if packet.codec is not Codec.AV1 or packet.descriptor is None:
        return None
    return dependency_descriptor.rewrite(packet.descriptor, fields.number)


def _tl0_picture_index(packet: MediaPacket) -> int | None:
    described = packet.vp8 or packet.vp9
    return None if described is None else described.tl0_picture_index
