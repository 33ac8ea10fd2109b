"""The VP8 payload descriptor (RFC 7741 §4.2), as far as forwarding needs it. As `sfu/wire/vp8.py`."""

from libc.stdint cimport int64_t, uint8_t


cdef struct Vp8Descriptor:
    bint start_of_partition
    int partition_index
    int picture_id  # -1: none
    int picture_id_bits  # 7 or 15; 0 without picture id
    int tl0_picture_index  # -1: none
    int temporal_id  # -1: none
    bint layer_sync
    bint key_frame  # the first packet of one


cdef inline bint read_vp8(const uint8_t *payload, int size, Vp8Descriptor *out) noexcept nogil:
    """False when the payload is cut short in its descriptor or carries nothing behind it."""
    cdef int position = 1
    cdef uint8_t first, present
    out.picture_id = out.tl0_picture_index = out.temporal_id = -1
    out.picture_id_bits = 0
    out.layer_sync = False
    if size < 1:
        return False
    first = payload[0]
    if first & 0x80:
        if size < 2:
            return False
        present = payload[1]
        position = 2
        if present & 0x80:
            if size < 3 or (payload[2] & 0x80 and size < 4):
                return False
            if payload[2] & 0x80:
                out.picture_id = (payload[2] & 0x7F) << 8 | payload[3]
                out.picture_id_bits = 15
                position = 4
            else:
                out.picture_id = payload[2]
                out.picture_id_bits = 7
                position = 3
        if present & 0x40:
            if size <= position:
                return False
            out.tl0_picture_index = payload[position]
            position += 1
        if present & 0x30:
            if present & 0x20:
                if size <= position:
                    return False
                out.temporal_id = payload[position] >> 6
                out.layer_sync = (payload[position] & 0x20) != 0
            position += 1
    if size <= position:
        return False
    out.start_of_partition = (first & 0x10) != 0
    out.partition_index = first & 0x07
    out.key_frame = payload[position] & 0x01 == 0 and first & 0x17 == 0x10
    return True


cdef inline void rewrite_vp8(
    uint8_t *payload, const Vp8Descriptor *descriptor, int64_t picture_id, int tl0_picture_index
) noexcept nogil:
    """Other counters, each modulo its width, in a payload that has a picture id."""
    cdef int position = 3
    if descriptor.picture_id_bits == 15:
        payload[2] = <uint8_t>(0x80 | (picture_id >> 8 & 0x7F))
        payload[3] = <uint8_t>picture_id
        position = 4
    else:
        payload[2] = <uint8_t>(picture_id & 0x7F)
    if descriptor.tl0_picture_index >= 0:
        payload[position] = <uint8_t>tl0_picture_index
