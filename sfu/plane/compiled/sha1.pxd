"""SHA-1 (FIPS 180-4) and HMAC with it (RFC 2104), for connectivity checks: a hundred bytes now and then, so that speed
matters little. ICE asks for it; nothing else here trusts it."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from sfu.plane.compiled.numbers cimport read32, write32

cdef enum:
    BLOCK = 64
    DIGEST = 20


cdef struct HmacKey:
    # Both states after the block that is made of the key
    uint32_t inner[5]
    uint32_t outer[5]


cdef inline void hmac_key(HmacKey *key, const uint8_t *secret, int size) noexcept nogil:
    """`secret` is no longer than a block."""
    cdef uint8_t inner[BLOCK]
    cdef uint8_t outer[BLOCK]
    cdef int index
    memset(inner, 0, BLOCK)
    memcpy(inner, secret, size)
    for index in range(BLOCK):
        outer[index] = inner[index] ^ 0x5C
        inner[index] ^= 0x36
    sha1_begin(key.inner)
    sha1_begin(key.outer)
    sha1_block(key.inner, inner)
    sha1_block(key.outer, outer)


cdef inline void hmac_sha1(const HmacKey *key, const uint8_t *message, int size, uint8_t *digest) noexcept nogil:
    cdef uint32_t state[5]
    cdef uint8_t within[DIGEST]
    memcpy(state, key.inner, sizeof(state))
    sha1_end(state, message, size, within)
    memcpy(state, key.outer, sizeof(state))
    sha1_end(state, within, DIGEST, digest)


cdef inline void sha1_begin(uint32_t *state) noexcept nogil:
    state[0], state[1], state[2], state[3], state[4] = 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0


cdef inline void sha1_end(uint32_t *state, const uint8_t *message, int size, uint8_t *digest) noexcept nogil:
    """One block was taken before this message, which is all that follows."""
    cdef uint8_t last[2 * BLOCK]
    cdef int index, left = size % BLOCK, blocks = 1 if left < BLOCK - 8 else 2
    for index in range(size // BLOCK):
        sha1_block(state, message + index * BLOCK)
    memset(last, 0, sizeof(last))
    memcpy(last, message + size - left, left)
    last[left] = 0x80
    write32(last + blocks * BLOCK - 4, (BLOCK + size) * 8)
    for index in range(blocks):
        sha1_block(state, last + index * BLOCK)
    for index in range(5):
        write32(digest + 4 * index, state[index])


cdef inline void sha1_block(uint32_t *state, const uint8_t *block) noexcept nogil:
    cdef uint32_t words[80]
    cdef uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], mixed
    cdef int index
    for index in range(16):
        words[index] = read32(block + 4 * index)
    for index in range(16, 80):
        words[index] = rotated(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1)
    for index in range(80):
        if index < 20:
            mixed = ((b & c) | (~b & d)) + <uint32_t>0x5A827999
        elif index < 40:
            mixed = (b ^ c ^ d) + <uint32_t>0x6ED9EBA1
        elif index < 60:
            mixed = ((b & c) | (b & d) | (c & d)) + <uint32_t>0x8F1BBCDC
        else:
            mixed = (b ^ c ^ d) + <uint32_t>0xCA62C1D6
        mixed += rotated(a, 5) + e + words[index]
        e, d, c, b, a = d, c, rotated(b, 30), a, mixed
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e


cdef inline uint32_t rotated(uint32_t word, int bits) noexcept nogil:
    return word << bits | word >> (32 - bits)
