"""Arithmetic on counters that wrap, and on bytes: what `sfu/wire/serial.py` and `struct` are to the twin."""

from libc.stdint cimport int64_t, uint8_t, uint32_t


cdef struct Unwrapper:
    # Integers that go on growing, relative to the highest seen so far.
    int64_t highest
    bint begun


cdef inline int64_t unwrap(Unwrapper *unwrapper, int64_t value, int bits) noexcept nogil:
    """The integer congruent to `value` that lies nearest to the highest one returned so far."""
    cdef int64_t half = 1LL << (bits - 1)
    cdef int64_t mask = (1LL << bits) - 1
    cdef int64_t unwrapped
    if not unwrapper.begun:
        unwrapper.begun = True
        unwrapper.highest = value
        return value
    unwrapped = unwrapper.highest + ((value - unwrapper.highest + half) & mask) - half
    if unwrapped > unwrapper.highest:
        unwrapper.highest = unwrapped
    return unwrapped


cdef inline bint is_newer(uint32_t a, uint32_t b) noexcept nogil:
    """Of 32 bit counters, the shorter way round."""
    return 0 < <uint32_t>(a - b) < 0x80000000U


cdef inline int64_t signed32(int64_t difference) noexcept nogil:
    """A difference of 32 bit timestamps, the shorter way round."""
    return ((difference + 0x80000000LL) & 0xFFFFFFFFLL) - 0x80000000LL


cdef inline int64_t floor_mod(int64_t number, int64_t size) noexcept nogil:
    """Never negative: unwrapped numbers may be."""
    cdef int64_t rest = number % size
    return rest + size if rest < 0 else rest


cdef inline uint32_t read16(const uint8_t *at) noexcept nogil:
    return <uint32_t>at[0] << 8 | at[1]


cdef inline uint32_t read32(const uint8_t *at) noexcept nogil:
    return <uint32_t>at[0] << 24 | <uint32_t>at[1] << 16 | <uint32_t>at[2] << 8 | at[3]


cdef inline void write16(uint8_t *at, uint32_t value) noexcept nogil:
    at[0] = <uint8_t>(value >> 8)
    at[1] = <uint8_t>value


cdef inline void write32(uint8_t *at, uint32_t value) noexcept nogil:
    write16(at, value >> 16)
    write16(at + 2, value)
