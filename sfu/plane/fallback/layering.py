"""What the packets of one SSRC say of layers and key frames: by the dependency descriptor if there is one, else by the
payload.

The descriptor wins, for a payload may be encrypted end to end, and then what looks like a key frame is noise: also of
what cannot be read yet. It can only be read with the structure that the last key frame brought, which is kept here, as
are the counters that wrap.
"""

from __future__ import annotations

from sfu.core.types import SOUND_CODECS, Codec
from sfu.plane.fallback.packets import Layering, MediaPacket
from sfu.wire import av1, dependency_descriptor, h264, vp8, vp9
from sfu.wire.dependency_descriptor import DependencyDescriptor, Structure
from sfu.wire.serial import Unwrapper

HIGHEST_TEMPORAL_LAYER = 7  # three bits in VP9 and in the dependency descriptor


class LayerReader:
    __slots__ = ("_frame_numbers", "_picture_id_bits", "_picture_ids", "_structure", "_structure_since", "renewed_late")

    def __init__(self) -> None:
        self._picture_ids = Unwrapper()
        self._picture_id_bits = 0
        self._frame_numbers = Unwrapper()
        self._structure: Structure | None = None
        self._structure_since = 0  # number of the frame that brought it
        self.renewed_late = False  # by the last packet, after others that need it

    def read(self, packet: MediaPacket, codec: Codec, value: bytes | None, newest: bool) -> bool:
        """Sets `codec` and what belongs to it; false, and nothing set, when no decoder could read the payload.

        `value` is the dependency descriptor; `newest`: no packet with a higher sequence number has come yet.
        """
        if codec is Codec.VP8 or codec is Codec.VP9:
            if not self._read_vpx(packet, codec):
                return False
        elif codec is Codec.H264:
            packet.starts_key_frame = h264.is_key_frame(packet.payload)
        elif codec is Codec.AV1:
            packet.starts_key_frame = av1.is_key_frame(packet.payload)
        packet.codec = codec
        self.renewed_late = False
        if value is not None and codec not in SOUND_CODECS:
            packet.descriptor = value
            packet.starts_key_frame = False
            if packet.layering is not None:
                packet.layering.key = False
            self._read_descriptor(packet, value, newest)
        return True

    def read_again(self, packet: MediaPacket) -> None:
        """It came before the structure that it needs."""
        if packet.codec is not None and packet.descriptor is not None and not packet.described:
            self._read_descriptor(packet, packet.descriptor, newest=False)

    def _read_vpx(self, packet: MediaPacket, codec: Codec) -> bool:
        described: vp8.Vp8Descriptor | vp9.Vp9Descriptor | None
        if codec is Codec.VP8:
            described = packet.vp8 = vp8.parse(packet.payload)
        else:
            described = packet.vp9 = vp9.parse(packet.payload)
        if described is None:
            return False
        if described.picture_id is not None:
            if described.picture_id_bits != self._picture_id_bits:
                self._picture_id_bits = described.picture_id_bits
                self._picture_ids = Unwrapper(described.picture_id_bits)
            packet.number = self._picture_ids.unwrap(described.picture_id)
        packet.starts_key_frame = described.key_frame
        if isinstance(described, vp8.Vp8Descriptor):
            packet.layering = _vp8_layering(described, packet)
        else:
            packet.layering = _vp9_layering(described, packet)
        return True

    def _read_descriptor(self, packet: MediaPacket, value: bytes, newest: bool) -> None:
        if len(value) < 3:
            return
        number = self._frame_numbers.unwrap(int.from_bytes(value[1:3], "big"))
        # What is late, from before the structure changed, cannot be read with the new one.
        structure = self._structure if number >= self._structure_since else None
        described = dependency_descriptor.parse(value, structure)
        if described is None:
            return
        if described.structure_attached and (newest or structure is not None or self._structure is None):
            self._keep(described.structure, number, newest)
        packet.described = True
        if packet.vp8 is None and packet.vp9 is None:
            packet.number = number
            picture: int | None = number - described.frame.spatial_id  # its frames have numbers in a row
        else:
            picture = packet.number if packet.number is not None else number - described.frame.spatial_id
        packet.starts_key_frame = described.key_frame
        packet.layering = _described_layering(described, picture)

    def _keep(self, structure: Structure, number: int, newest: bool) -> None:
        """Most key frames bring the one there is; what is late from before can be read with it."""
        if self._structure is None or _facts(structure) != _facts(self._structure) or number < self._structure_since:
            self._structure, self._structure_since = structure, number
            self.renewed_late = not newest


def _facts(structure: Structure) -> tuple[object, ...]:
    """All that is read of a structure here."""
    templates = [
        (one.spatial_id, one.temporal_id, one.dtis, bool(one.fdiffs), one.inter_picture) for one in structure.templates
    ]
    return structure.template_id_offset, structure.targets, structure.chain_count, templates


def _vp8_layering(described: vp8.Vp8Descriptor, packet: MediaPacket) -> Layering:
    temporal_id = described.temporal_id or 0
    return Layering(
        picture=packet.number,
        spatial_id=0,
        temporal_id=temporal_id,
        begins=described.start_of_partition and described.partition_index == 0,
        ends=packet.marker,
        key=described.key_frame,
        inter_picture=not described.key_frame,
        # Y: the frame depends on the base layer only (RFC 7741 §4.2). What follows it may depend on the layer between.
        switches_to=temporal_id if described.layer_sync else -1,
        joins=described.layer_sync,
    )


def _vp9_layering(described: vp9.Vp9Descriptor, packet: MediaPacket) -> Layering:
    return Layering(
        picture=packet.number,
        spatial_id=described.spatial_id or 0,
        temporal_id=described.temporal_id or 0,
        begins=described.start_of_frame,
        ends=described.end_of_frame,
        key=not described.inter_picture and not described.spatial_id,
        inter_picture=described.inter_picture,
        # U by RFC 9628 §4.2: higher layers do not refer to what came before this picture, in layers above its own.
        # libwebrtc sets it where a picture refers to lower layers only. Both hold of what encoders make.
        switches_to=HIGHEST_TEMPORAL_LAYER if described.switching_up else -1,
        joins=described.switching_up,
    )


def _described_layering(described: DependencyDescriptor, picture: int | None) -> Layering:
    frame = described.frame
    return Layering(
        picture=picture,
        spatial_id=frame.spatial_id,
        temporal_id=frame.temporal_id,
        begins=described.start_of_frame,
        ends=described.end_of_frame,
        key=not frame.fdiffs and frame.spatial_id == 0,
        inter_picture=frame.inter_picture,
        switches_to=described.switches_to,
        joins=False,
    )
