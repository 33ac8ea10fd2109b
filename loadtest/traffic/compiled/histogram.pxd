"""Durations in buckets that grow with the value. As `counts.bucket_of`."""

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    STEPS_BITS = 5
    STEPS = 1 << 5
    BUCKETS = 40 << 5


cdef struct Histogram:
    uint64_t buckets[BUCKETS]


cdef inline void note_duration(Histogram *histogram, int64_t duration_ns) noexcept nogil:
    cdef int bits, index
    if duration_ns < STEPS:
        # Below zero: the clock was set back meanwhile.
        histogram.buckets[duration_ns if duration_ns > 0 else 0] += 1
        return
    bits = 0
    while duration_ns >> bits >= 2 * STEPS:
        bits += 1
    index = ((bits + 1) << STEPS_BITS) + <int>(duration_ns >> bits) - STEPS
    histogram.buckets[index if index < BUCKETS else BUCKETS - 1] += 1
