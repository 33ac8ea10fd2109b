"""Which numbers one outgoing SSRC has used, so that none is ever encrypted twice.

Under AES-GCM two packets with one nonce give the authentication key away (RFC 7714 §14), so this does not trust those
who number: what was spent, and what is too old to know, is refused. A bit is set for each of the last numbers, in a
ring; in order, which is almost always, one bit is all that changes.
"""

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    KNOWN_NUMBERS = 1024  # as many as libsrtp is told to know (PlaneConfig.srtp_window)
    WORDS = KNOWN_NUMBERS // 64
    ROLLOVERS = 32  # bits of the roll-over counter (RFC 3711 §3.3.1)


cdef struct SpentNumbers:
    bint begun
    int64_t newest
    uint64_t bits[WORDS]


cdef inline bint spend(SpentNumbers *spent, int64_t number) noexcept nogil:
    """False if it must not be used."""
    cdef int64_t skipped
    cdef uint64_t *word = word_of(spent, number)
    if number < 0 or number >> (16 + <int>ROLLOVERS):
        return False  # no such packet index
    if not spent.begun or number >= spent.newest + <int>KNOWN_NUMBERS:
        for skipped in range(<int>WORDS):
            spent.bits[skipped] = 0
    elif number > spent.newest:
        for skipped in range(spent.newest + 1, number):
            word_of(spent, skipped)[0] &= ~bit_of(skipped)
    elif number <= spent.newest - <int>KNOWN_NUMBERS or word[0] & bit_of(number):
        return False
    word[0] |= bit_of(number)
    if not spent.begun or number > spent.newest:
        spent.newest = number
    spent.begun = True
    return True


cdef inline uint64_t *word_of(const SpentNumbers *spent, int64_t number) noexcept nogil:
    return <uint64_t *>&spent.bits[<uint64_t>number // 64 % <int>WORDS]


cdef inline uint64_t bit_of(int64_t number) noexcept nogil:
    return <uint64_t>1 << (<uint64_t>number % 64)
