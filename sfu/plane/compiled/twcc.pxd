"""Transport-wide congestion control feedback, for reading. As `sfu/wire/twcc.py`, with the same limits."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

from sfu.plane.compiled.numbers cimport read16, read32

cdef enum:
    TWCC_FORMAT = 15
    MAX_STATUSES = 4096
    HEADER_BYTES = 16
    TICK_US = 250
    REFERENCE_US = 64000  # one step of the reference time

cdef enum Status:
    STATUS_MISSING
    STATUS_SMALL
    STATUS_LARGE
    STATUS_RESERVED


cdef struct TransportFeedback:
    uint32_t base
    int count
    uint32_t reference_time
    const uint8_t *deltas
    uint8_t statuses[MAX_STATUSES]


cdef inline bint read_feedback(const uint8_t *body, int size, TransportFeedback *feedback) noexcept nogil:
    """The body behind the common header, without padding. False when any of it cannot be believed."""
    cdef int position, index, deltas = 0
    if size < HEADER_BYTES:
        return False
    feedback.base = read16(body + 8)
    feedback.count = read16(body + 10)
    feedback.reference_time = read32(body + 12) >> 8
    if not 0 < feedback.count <= MAX_STATUSES:
        return False
    position = read_chunks(body, size, feedback)
    if position < 0:
        return False
    for index in range(feedback.count):
        if feedback.statuses[index] == STATUS_RESERVED:
            return False
        deltas += feedback.statuses[index]  # a small one is of one byte, a large one of two
    feedback.deltas = body + position
    return position + deltas <= size


cdef inline int read_chunks(const uint8_t *body, int size, TransportFeedback *feedback) noexcept nogil:
    """Spells out the statuses; returns where the deltas begin, -1 when the body ends before."""
    cdef int position = HEADER_BYTES, known = 0, covered, index
    cdef uint32_t chunk
    while known < feedback.count:
        if position + 2 > size:
            return -1
        chunk = read16(body + position)
        position += 2
        if not chunk & 0x8000:
            covered = min(<int>(chunk & 0x1FFF), feedback.count - known)
            memset(feedback.statuses + known, chunk >> 13, covered)
        elif chunk & 0x4000:
            covered = min(7, feedback.count - known)
            for index in range(covered):
                feedback.statuses[known + index] = chunk >> (12 - 2 * index) & 3
        else:
            covered = min(14, feedback.count - known)
            for index in range(covered):
                feedback.statuses[known + index] = chunk >> (13 - index) & 1
        known += covered
    return position


cdef inline int64_t read_delta(const uint8_t **deltas, uint8_t status) noexcept nogil:
    """In microseconds; steps on to the next."""
    cdef int64_t ticks
    if status == STATUS_SMALL:
        ticks = deltas[0][0]
        deltas[0] += 1
    else:
        ticks = read16(deltas[0])
        if ticks & 0x8000:
            ticks -= 0x10000
        deltas[0] += 2
    return ticks * TICK_US
