"""What the packets of one SSRC say of layers and key frames. As `fallback/layering.py`, explained there."""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from sfu.plane.compiled.av1 cimport is_av1_key_frame
from sfu.plane.compiled.descriptor cimport Described, Structure, read_descriptor, same_structure
from sfu.plane.compiled.h264 cimport is_h264_key_frame
from sfu.plane.compiled.numbers cimport Unwrapper, read16, unwrap
from sfu.plane.compiled.packets cimport AV1, H264, NO_CODEC, OPUS, RED, VP8, VP9, Packet
from sfu.plane.compiled.vp8 cimport read_vp8
from sfu.plane.compiled.vp9 cimport read_vp9

cdef enum:
    HIGHEST_TEMPORAL_LAYER = 7  # three bits in VP9 and in the dependency descriptor


cdef struct LayerReader:
    Unwrapper picture_ids
    int picture_id_bits
    Unwrapper frame_numbers
    Structure structure
    int64_t structure_since  # number of the frame that brought it
    bint renewed_late  # by the last packet, after others that need it


cdef inline bint read_layers(
    LayerReader *reader, Packet *packet, int codec, const uint8_t *value, int size, bint newest
) noexcept nogil:
    """Sets `codec` and what belongs to it; false, and nothing set, when no decoder could read the payload. `value` is
    the dependency descriptor, or NULL."""
    if codec == VP8:
        if not read_vp8(packet.payload, packet.size, &packet.vp8):
            return False
        packet.has_vp8 = True
        number_picture(reader, packet, packet.vp8.picture_id, packet.vp8.picture_id_bits)
        take_vp8_layering(packet)
    elif codec == VP9:
        if not read_vp9(packet.payload, packet.size, &packet.vp9):
            return False
        packet.has_vp9 = True
        number_picture(reader, packet, packet.vp9.picture_id, packet.vp9.picture_id_bits)
        take_vp9_layering(packet)
    elif codec == H264:
        packet.starts_key_frame = is_h264_key_frame(packet.payload, packet.size)
    elif codec == AV1:
        packet.starts_key_frame = is_av1_key_frame(packet.payload, packet.size)
    packet.codec = codec
    reader.renewed_late = False
    if value != NULL and codec != OPUS and codec != RED:
        packet.descriptor = <uint8_t *>value
        packet.descriptor_size = size
        packet.starts_key_frame = packet.layering.key = False
        read_described(reader, packet, newest)
    return True


cdef inline void read_again(LayerReader *reader, Packet *packet) noexcept nogil:
    """It came before the structure that it needs."""
    if packet.codec != NO_CODEC and packet.descriptor != NULL and not packet.described:
        read_described(reader, packet, False)


cdef inline void number_picture(LayerReader *reader, Packet *packet, int picture_id, int bits) noexcept nogil:
    if picture_id < 0:
        return
    if bits != reader.picture_id_bits:
        reader.picture_id_bits = bits
        reader.picture_ids.begun = False
    packet.has_picture_number = True
    packet.picture_number = unwrap(&reader.picture_ids, picture_id, bits)


cdef inline void take_vp8_layering(Packet *packet) noexcept nogil:
    cdef int temporal_id = max(packet.vp8.temporal_id, 0)
    packet.starts_key_frame = packet.vp8.key_frame
    packet.layering.known = True
    packet.layering.has_picture = packet.has_picture_number
    packet.layering.picture = packet.picture_number
    packet.layering.spatial_id = 0
    packet.layering.temporal_id = temporal_id
    packet.layering.begins = packet.vp8.start_of_partition and packet.vp8.partition_index == 0
    packet.layering.ends = packet.marker
    packet.layering.key = packet.vp8.key_frame
    packet.layering.inter_picture = not packet.vp8.key_frame
    packet.layering.switches_to = temporal_id if packet.vp8.layer_sync else -1
    packet.layering.joins = packet.vp8.layer_sync


cdef inline void take_vp9_layering(Packet *packet) noexcept nogil:
    cdef bint independent = not packet.vp9.inter_picture and packet.vp9.spatial_id <= 0
    packet.starts_key_frame = independent and packet.vp9.start_of_frame
    packet.layering.known = True
    packet.layering.has_picture = packet.has_picture_number
    packet.layering.picture = packet.picture_number
    packet.layering.spatial_id = max(packet.vp9.spatial_id, 0)
    packet.layering.temporal_id = max(packet.vp9.temporal_id, 0)
    packet.layering.begins = packet.vp9.start_of_frame
    packet.layering.ends = packet.vp9.end_of_frame
    packet.layering.key = independent
    packet.layering.inter_picture = packet.vp9.inter_picture
    packet.layering.switches_to = HIGHEST_TEMPORAL_LAYER if packet.vp9.switching_up else -1
    packet.layering.joins = packet.vp9.switching_up


cdef inline void read_described(LayerReader *reader, Packet *packet, bint newest) noexcept nogil:
    cdef Structure attached
    cdef Described described
    cdef bint is_current
    cdef const Structure *structure
    cdef int64_t number
    if packet.descriptor_size < 3:
        return
    number = unwrap(&reader.frame_numbers, read16(packet.descriptor + 1), 16)
    # What is late, from before the structure changed, cannot be read with the new one.
    is_current = number >= reader.structure_since
    structure = &reader.structure if is_current else NULL
    if not read_descriptor(packet.descriptor, packet.descriptor_size, structure, &attached, &described):
        return
    if described.attached and (newest or is_current or not reader.structure.known):
        keep_structure(reader, &attached, number, newest)
    packet.described = True
    if packet.has_picture_number:
        packet.layering.picture = packet.picture_number
    else:
        packet.layering.picture = number - described.frame.spatial_id  # its frames have numbers in a row
        if not packet.has_vp8 and not packet.has_vp9:
            packet.has_picture_number = True
            packet.picture_number = number
    packet.starts_key_frame = described.start_of_frame and described.attached and not described.frame.refers
    packet.layering.known = packet.layering.has_picture = True
    packet.layering.spatial_id = described.frame.spatial_id
    packet.layering.temporal_id = described.frame.temporal_id
    packet.layering.begins = described.start_of_frame
    packet.layering.ends = described.end_of_frame
    packet.layering.key = not described.frame.refers and described.frame.spatial_id == 0
    packet.layering.inter_picture = described.frame.inter_picture
    packet.layering.switches_to = described.switches_to
    packet.layering.joins = False


cdef inline void keep_structure(
    LayerReader *reader, const Structure *structure, int64_t number, bint newest
) noexcept nogil:
    """Most key frames bring the one there is; what is late from before can be read with it."""
    if same_structure(structure, &reader.structure) and number >= reader.structure_since:
        return
    memcpy(&reader.structure, structure, sizeof(Structure))
    reader.structure_since = number
    reader.renewed_late = not newest
