"""Transport-cc feedback, for writing. As `build` in `sfu/wire/twcc.py`."""

from libc.math cimport rint
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

from sfu.plane.compiled.numbers cimport write16, write32
from sfu.plane.compiled.tables cimport Arrival

cdef enum:
    FEEDBACK_HEADER_BYTES = 20
    LONGEST_FEEDBACK = 1240  # 300 arrivals, two bytes each at worst, and two bytes of chunk per seven of 2000 numbers
    MOST_NUMBERS = 2001
    TICKS_PER_S = 4000
    TICKS_PER_REFERENCE = 256  # 64 ms
    LONGEST_RUN = 0x1FFF
    ONE_BIT_VECTOR = 14
    TWO_BIT_VECTOR = 7
    LOST = 0
    SMALL = 1
    LARGE = 2


cdef inline int build_feedback(
    uint8_t *out,
    uint32_t sender_ssrc,
    uint32_t media_ssrc,
    uint32_t feedback_count,
    int64_t first,
    const Arrival *told,
    int count,
) noexcept nogil:
    """The packet's size. `told` is sorted and begins at `first` or later; the caller has cut it so that it fits."""
    cdef uint8_t symbols[MOST_NUMBERS]
    cdef uint8_t deltas[600]
    cdef int span = <int>(told[count - 1].number - first + 1), delta_bytes = 0, size, padding, index
    cdef int64_t reference = <int64_t>rint(told[0].at_s * TICKS_PER_S)
    cdef int64_t last, delta
    reference = (reference - ((reference % TICKS_PER_REFERENCE) + TICKS_PER_REFERENCE) % TICKS_PER_REFERENCE)
    last = reference
    memset(symbols, LOST, span)
    for index in range(count):
        delta = <int64_t>rint(told[index].at_s * TICKS_PER_S) - last  # of whole steps, so that rounding does not add up
        last += delta
        if 0 <= delta <= 0xFF:
            symbols[told[index].number - first] = SMALL
            deltas[delta_bytes] = <uint8_t>delta
            delta_bytes += 1
        else:
            symbols[told[index].number - first] = LARGE
            write16(deltas + delta_bytes, <uint32_t>delta & 0xFFFF)
            delta_bytes += 2
    write32(out + 4, sender_ssrc)
    write32(out + 8, media_ssrc)
    write16(out + 12, <uint32_t>first & 0xFFFF)
    write16(out + 14, span)
    write32(out + 16, <uint32_t>(reference // TICKS_PER_REFERENCE) << 8 | feedback_count & 0xFF)
    size = FEEDBACK_HEADER_BYTES + write_chunks(out + FEEDBACK_HEADER_BYTES, symbols, span)
    for index in range(delta_bytes):
        out[size + index] = deltas[index]
    size += delta_bytes
    padding = -size & 3
    if padding:
        memset(out + size, 0, padding)
        out[size + padding - 1] = padding
        size += padding
    out[0] = 0x8F | (0x20 if padding else 0)
    out[1] = 205
    write16(out + 2, size // 4 - 1)
    return size


cdef inline int write_chunks(uint8_t *out, const uint8_t *symbols, int count) noexcept nogil:
    """Each time the chunk that covers most symbols. A vector must be full, except at the end."""
    cdef int position = 0, size = 0, run, covered, index
    cdef uint32_t chunk
    while position < count:
        run = run_length(symbols, position, count)
        if run < ONE_BIT_VECTOR and not has_large(symbols, position, min(position + ONE_BIT_VECTOR, count)):
            chunk, covered = 0x8000, ONE_BIT_VECTOR
            for index in range(min(covered, count - position)):
                chunk |= <uint32_t>symbols[position + index] << (13 - index)
        elif run < TWO_BIT_VECTOR:
            chunk, covered = 0xC000, TWO_BIT_VECTOR
            for index in range(min(covered, count - position)):
                chunk |= <uint32_t>symbols[position + index] << (12 - 2 * index)
        else:
            chunk, covered = <uint32_t>symbols[position] << 13 | <uint32_t>run, run
        write16(out + size, chunk)
        size += 2
        position += covered
    return size


cdef inline int run_length(const uint8_t *symbols, int start, int count) noexcept nogil:
    """How many equal symbols begin at `start`, as far as one chunk can say."""
    cdef int end = start
    while end < count and end - start < LONGEST_RUN and symbols[end] == symbols[start]:
        end += 1
    return end - start


cdef inline bint has_large(const uint8_t *symbols, int start, int end) noexcept nogil:
    cdef int index
    for index in range(start, end):
        if symbols[index] == LARGE:
            return True
    return False
