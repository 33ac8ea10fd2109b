"""Redundant audio (RFC 2198). As `sfu/wire/red.py`, explained there."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    RED_HEADER = 4
    RED_MORE = 0x80


cdef struct Redundancy:
    int primary_at
    int previous_at
    int previous_size  # 0: none
    uint32_t earlier  # its timestamp, than the packet's own


cdef inline bint read_red(const uint8_t *payload, int size, int payload_type, Redundancy *red) noexcept nogil:
    """False when it contradicts itself, or a block is of another payload type."""
    cdef int at = 0, repeated = 0
    red.previous_size = 0
    red.earlier = 0
    while at < size and payload[at] & RED_MORE:
        if at + RED_HEADER > size or payload[at] & 0x7F != payload_type:
            return False
        red.previous_size = (payload[at + 2] & 0x03) << 8 | payload[at + 3]
        red.earlier = <uint32_t>(payload[at + 1] << 6 | payload[at + 2] >> 2)
        repeated += red.previous_size
        at += RED_HEADER
    red.primary_at = at + 1 + repeated
    red.previous_at = red.primary_at - red.previous_size
    return at < size and payload[at] == payload_type and red.primary_at <= size


cdef inline void rename_red(uint8_t *payload, int payload_type) noexcept nogil:
    """Gives its blocks another payload type. It is one that `read_red` has read."""
    cdef int at = 0
    while payload[at] & RED_MORE:
        payload[at] = <uint8_t>(RED_MORE | payload_type)
        at += RED_HEADER
    payload[at] = <uint8_t>payload_type
