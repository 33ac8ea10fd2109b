"""What the sequence numbers of one SSRC say: how many there should be, how many came, twice, or late."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from loadtest.traffic.compiled.tables cimport Incoming, WINDOW

cdef enum:
    NEW
    DUPLICATE


cdef inline int note_number(Incoming *stream, uint32_t sequence_number) noexcept nogil:
    """NEW or DUPLICATE; what is older than the window counts as a duplicate, for it cannot be told."""
    cdef int64_t number, step
    if not stream.begun:
        stream.begun = True
        # Far from zero, so that what was overtaken by the first packet has a number too.
        stream.first = stream.highest = (1 << 20) + sequence_number
        stream.received = 1
        mark_seen(stream, stream.highest)
        return NEW
    step = (sequence_number - stream.highest) & 0xFFFF
    if step >= 0x8000:
        step -= 0x10000
    number = stream.highest + step
    if step > 0:
        forget_seen(stream, stream.highest + 1, number)
        stream.highest = number
    elif step <= -WINDOW or was_seen(stream, number):
        stream.duplicates += 1
        return DUPLICATE
    else:
        stream.reordered += 1
        if number < stream.first:
            stream.first = number
    mark_seen(stream, number)
    stream.received += 1
    return NEW


cdef inline int64_t expected(const Incoming *stream) noexcept nogil:
    return stream.highest - stream.first + 1 if stream.begun else 0


cdef inline bint was_seen(const Incoming *stream, int64_t number) noexcept nogil:
    return stream.seen[(number % WINDOW) >> 6] >> (number & 63) & 1


cdef inline void mark_seen(Incoming *stream, int64_t number) noexcept nogil:
    stream.seen[(number % WINDOW) >> 6] |= <uint64_t>1 << (number & 63)


cdef inline void forget_seen(Incoming *stream, int64_t first, int64_t last) noexcept nogil:
    cdef int64_t number
    if last - first >= WINDOW:
        memset(stream.seen, 0, sizeof(stream.seen))
        return
    for number in range(first, last + 1):
        stream.seen[(number % WINDOW) >> 6] &= ~(<uint64_t>1 << (number & 63))
