"""Connectivity checks that only repeat what is known. As `sfu/wire/stun.py`, explained there."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memcpy

from sfu.plane.compiled.numbers cimport read16, read32, write16, write32
from sfu.plane.compiled.paths cimport Endpoint
from sfu.plane.compiled.sha1 cimport DIGEST, HmacKey, hmac_sha1
from sfu.plane.compiled.system cimport AF_INET

cdef enum:
    LONGEST_FRAGMENT = 32  # ours are 10
    LONGEST_CHECK = 1500
    LONGEST_ANSWER = 80
    HEADER = 20
    INTEGRITY = 24
    FINGERPRINT = 8
    REQUEST = 0x0001
    SUCCESS = 0x0101
    COOKIE = 0x2112A442
    FINGERPRINT_MASK = 0x5354554E
    TYPE_USERNAME = 0x0006
    TYPE_INTEGRITY = 0x0008
    TYPE_MAPPED_ADDRESS = 0x0020
    TYPE_PRIORITY = 0x0024
    TYPE_USE_CANDIDATE = 0x0025
    TYPE_FINGERPRINT = 0x8028
    TYPE_ICE_CONTROLLED = 0x8029
    OPTIONAL = 0x8000


cdef struct Consent:
    # What a remote's checks must name and prove
    int username_size  # 0: nothing is answered
    uint8_t username[LONGEST_FRAGMENT + 1]  # and its colon
    HmacKey key


cdef inline int answer_to_check(
    const Consent *consent, const uint8_t *check, int size, const Endpoint *source, uint8_t *answer
) noexcept nogil:
    """How long the answer is; 0: this is no such check. There is room for `LONGEST_ANSWER`."""
    if not consent.username_size or size < HEADER + INTEGRITY + FINGERPRINT or size > LONGEST_CHECK:
        return 0
    if read16(check) != REQUEST or read32(check + 4) != COOKIE or <int>read16(check + 2) != size - HEADER:
        return 0
    if not asks_for_nothing(consent, check, size) or not is_authentic(consent, check, size):
        return 0
    return write_answer(consent, check, source, answer)


cdef inline bint asks_for_nothing(const Consent *consent, const uint8_t *check, int size) noexcept nogil:
    cdef int position = HEADER, protected = size - INTEGRITY - FINGERPRINT
    cdef int kind, length
    cdef bint names_us = False
    while position < protected:
        kind, length = read16(check + position), read16(check + position + 2)
        position += 4
        if kind == TYPE_USERNAME:
            if names_us or length < consent.username_size or position + length > protected:
                return False
            if memcmp(check + position, consent.username, consent.username_size) != 0:
                return False
            names_us = True
        elif kind == TYPE_ICE_CONTROLLED:
            return False
        elif kind < OPTIONAL and kind != TYPE_PRIORITY and kind != TYPE_USE_CANDIDATE:
            return False
        position += (length + 3) & ~3
    if not names_us or position != protected:
        return False
    return (
        read32(check + protected) == (TYPE_INTEGRITY << 16 | DIGEST)
        and read32(check + protected + INTEGRITY) == (<uint32_t>TYPE_FINGERPRINT << 16 | 4)
    )


cdef inline bint is_authentic(const Consent *consent, const uint8_t *check, int size) noexcept nogil:
    cdef uint8_t signed_part[LONGEST_CHECK]
    cdef uint8_t digest[DIGEST]
    cdef int index, differing = 0, protected = size - INTEGRITY - FINGERPRINT
    if fingerprint_of(check, size - FINGERPRINT) != read32(check + size - 4):
        return False
    memcpy(signed_part, check, protected)
    write16(signed_part + 2, protected + INTEGRITY - HEADER)
    hmac_sha1(&consent.key, signed_part, protected, digest)
    for index in range(DIGEST):  # always all of them, so that time does not tell how far a guess is right
        differing |= digest[index] ^ check[protected + 4 + index]
    return differing == 0


cdef inline int write_answer(
    const Consent *consent, const uint8_t *check, const Endpoint *source, uint8_t *answer
) noexcept nogil:
    cdef int index, at = HEADER, address_size = 4 if source.family == AF_INET else 16
    write16(answer, SUCCESS)
    memcpy(answer + 4, check + 4, HEADER - 4)  # cookie and transaction
    write16(answer + at, TYPE_MAPPED_ADDRESS)
    write16(answer + at + 2, 4 + address_size)
    write16(answer + at + 4, 1 if source.family == AF_INET else 2)
    write16(answer + at + 6, source.port ^ COOKIE >> 16)
    for index in range(address_size):
        answer[at + 8 + index] = source.address[index] ^ check[4 + index]
    at += 8 + address_size
    write16(answer + 2, at + INTEGRITY - HEADER)
    hmac_sha1(&consent.key, answer, at, answer + at + 4)
    write32(answer + at, TYPE_INTEGRITY << 16 | DIGEST)
    at += INTEGRITY
    write16(answer + 2, at + FINGERPRINT - HEADER)
    write32(answer + at, <uint32_t>TYPE_FINGERPRINT << 16 | 4)
    write32(answer + at + 4, fingerprint_of(answer, at))
    return at + FINGERPRINT


cdef inline uint32_t fingerprint_of(const uint8_t *message, int size) noexcept nogil:
    """CRC-32 as of Ethernet, bit by bit, and RFC 8489 §14.7's mask."""
    cdef uint32_t crc = 0xFFFFFFFF
    cdef int index, bit
    for index in range(size):
        crc ^= message[index]
        for bit in range(8):
            crc = crc >> 1 ^ (<uint32_t>0xEDB88320 & (0 - (crc & 1)))
    return ~crc ^ FINGERPRINT_MASK
