"""Key frames in H.264 payloads (RFC 6184 §5): single NAL units, STAP-A and FU-A. As `sfu/wire/h264.py`."""

from libc.stdint cimport uint8_t

cdef enum:
    IDR_SLICE = 5
    SEQUENCE_PARAMETER_SET = 7
    STAP_A = 24
    FU_A = 28


cdef inline bint is_h264_key_frame(const uint8_t *payload, int size) noexcept nogil:
    """Whether a decoder can begin with this packet."""
    cdef int unit_type
    if size < 1:
        return False
    unit_type = payload[0] & 0x1F
    if unit_type == FU_A:
        return size > 1 and payload[1] >= 0x80 and starts_h264(payload[1])  # only a unit's first piece
    if unit_type == STAP_A:
        return aggregate_starts(payload, size)
    return starts_h264(payload[0])


cdef inline bint may_hold_parameter_sets(const uint8_t *payload) noexcept nogil:
    """By the first NAL unit type: a sequence parameter set, or several units together."""
    return payload[0] & 0x1F == SEQUENCE_PARAMETER_SET or payload[0] & 0x1F == STAP_A


cdef inline bint starts_h264(uint8_t unit_header) noexcept nogil:
    return unit_header & 0x1F == IDR_SLICE or unit_header & 0x1F == SEQUENCE_PARAMETER_SET


cdef inline bint aggregate_starts(const uint8_t *payload, int size) noexcept nogil:
    cdef int position = 1, unit_size
    while position + 2 < size:
        unit_size = payload[position] << 8 | payload[position + 1]
        if unit_size and starts_h264(payload[position + 2]):
            return True
        position += 2 + unit_size
    return False
