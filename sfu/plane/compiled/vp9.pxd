"""The VP9 payload descriptor (RFC 9628 §4.2), as far as forwarding needs it. As `sfu/wire/vp9.py`."""

from libc.stdint cimport int64_t, uint8_t

cdef enum:
    MOST_REFERENCES = 3


cdef struct Vp9Descriptor:
    int picture_id  # -1: none
    int picture_id_bits  # 7 or 15; 0 without picture id
    int tl0_picture_index  # -1: none
    int temporal_id  # -1: none
    int spatial_id  # -1: none
    bint inter_picture
    bint start_of_frame
    bint end_of_frame
    bint switching_up


cdef inline bint read_vp9(const uint8_t *payload, int size, Vp9Descriptor *out) noexcept nogil:
    """False when the payload is cut short in its descriptor, carries nothing behind it, or has too many references."""
    cdef int position = 1, references = 0
    cdef uint8_t first
    cdef bint more
    out.picture_id = out.tl0_picture_index = out.temporal_id = out.spatial_id = -1
    out.picture_id_bits = 0
    out.switching_up = False
    if size < 1:
        return False
    first = payload[0]
    if first & 0x80:
        if size < 2 or (payload[1] & 0x80 and size < 3):
            return False
        if payload[1] & 0x80:
            out.picture_id = (payload[1] & 0x7F) << 8 | payload[2]
            out.picture_id_bits = 15
            position = 3
        else:
            out.picture_id = payload[1]
            out.picture_id_bits = 7
            position = 2
    if first & 0x20:
        if size <= position:
            return False
        out.temporal_id = payload[position] >> 5
        out.switching_up = (payload[position] & 0x10) != 0
        out.spatial_id = payload[position] >> 1 & 0x07
        position += 1
        if not first & 0x10:
            if size <= position:
                return False
            out.tl0_picture_index = payload[position]
            position += 1
    more = first & 0x10 and first & 0x40
    while more:
        if references == MOST_REFERENCES or size <= position:
            return False
        more = payload[position] & 0x01
        references += 1
        position += 1
    if first & 0x02:
        position = behind_structure(payload, size, position)
    if position < 0 or size <= position:
        return False
    out.inter_picture = (first & 0x40) != 0
    out.start_of_frame = (first & 0x08) != 0
    out.end_of_frame = (first & 0x04) != 0
    return True


cdef inline int behind_structure(const uint8_t *payload, int size, int position) noexcept nogil:
    """Where the scalability structure ends; -1: behind the end."""
    cdef uint8_t first
    cdef int count
    if size <= position:
        return -1
    first = payload[position]
    position += 1
    if first & 0x10:
        position += 4 * ((first >> 5) + 1)
    if first & 0x08:
        if size <= position:
            return -1
        count = payload[position]
        position += 1
        while count:
            if size <= position:
                return -1
            position += 1 + (payload[position] >> 2 & 0x03)
            count -= 1
    return position


cdef inline void rewrite_vp9(
    uint8_t *payload, const Vp9Descriptor *descriptor, int64_t picture_id, int tl0_picture_index
) noexcept nogil:
    """Other counters, each modulo its width, in a payload that has a picture id."""
    cdef int position = 2
    if descriptor.picture_id_bits == 15:
        payload[1] = <uint8_t>(0x80 | (picture_id >> 8 & 0x7F))
        payload[2] = <uint8_t>picture_id
        position = 3
    else:
        payload[1] = <uint8_t>(picture_id & 0x7F)
    if descriptor.tl0_picture_index >= 0:
        payload[position + 1] = <uint8_t>tl0_picture_index
