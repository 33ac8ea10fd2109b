"""SRTP for what Slots send, without what libsrtp does around it.

libsrtp looks for the SSRC's stream in a list, moves a window of 1024 bits along, and has its memory where nothing can
be fetched ahead. A Slot knows its roll-over counter from its unwrapped numbers, and `spent.pxd` what it has sent. The
ciphers are OpenSSL's.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from sfu.plane.compiled.numbers cimport read16, write16, write32
from sfu.plane.compiled.openssl cimport OpenSsl, Sha1

cdef enum Protection:
    BY_LIBSRTP
    AES_GCM_128
    AES_GCM_256
    AES_CM_SHA1_80

cdef enum:
    LONGEST_KEY = 32
    LONGEST_SALT = 14
    GCM_NONCE_BYTES = 12
    GCM_TAG_BYTES = 16
    GET_TAG = 0x10  # EVP_CTRL_AEAD_GET_TAG
    COUNTER_BYTES = 16
    SHA1_BLOCK_BYTES = 64
    SHA1_BYTES = 20
    SHA1_TAG_BYTES = 10


cdef struct RtpKeys:
    # Of one Transport, for what it is sent.
    Protection protection
    uint8_t key[LONGEST_KEY]
    uint8_t salt[LONGEST_SALT]
    # Where HMAC's two hashes stand after the block that the key fills (RFC 2104)
    uint32_t inner[5]
    uint32_t outer[5]


cdef inline bint protect_as(
    const OpenSsl *openssl, const RtpKeys *keys, int64_t number, uint8_t *packet, int *size
) noexcept nogil:
    """In place, with room for the tag behind it; `number` is the whole packet index. The packet must be one of ours:
    without contributing sources."""
    cdef int header = 12
    if packet[0] & 0x10:
        header += 4 + 4 * <int>read16(packet + 14)
    if keys.protection == AES_CM_SHA1_80:
        return protect_cm(openssl, keys, number, packet, header, size)
    return protect_gcm(openssl, keys, number, packet, header, size)


cdef inline bint protect_gcm(
    const OpenSsl *openssl, const RtpKeys *keys, int64_t number, uint8_t *packet, int header, int *size
) noexcept nogil:
    """RFC 7714."""
    cdef void *context = openssl.gcm_128 if keys.protection == AES_GCM_128 else openssl.gcm_256
    cdef uint8_t nonce[GCM_NONCE_BYTES]
    cdef int index, written = 0
    # §8.1: two octets of nothing, the SSRC, the roll-over counter, the sequence number
    nonce[0] = nonce[1] = 0
    memcpy(nonce + 2, packet + 8, 4)
    write32(nonce + 6, <uint32_t>(number >> 16))
    write16(nonce + 10, <uint32_t>number)
    for index in range(<int>GCM_NONCE_BYTES):
        nonce[index] ^= keys.salt[index]
    if (
        openssl.call.start(context, NULL, NULL, keys.key, nonce) != 1
        or openssl.call.update(context, NULL, &written, packet, header) != 1
        or openssl.call.update(context, packet + header, &written, packet + header, size[0] - header) != 1
        or openssl.call.finish(context, packet + size[0], &written) != 1
        or openssl.call.control(context, GET_TAG, GCM_TAG_BYTES, packet + size[0]) != 1
    ):
        return False
    size[0] += <int>GCM_TAG_BYTES
    return True


cdef inline bint protect_cm(
    const OpenSsl *openssl, const RtpKeys *keys, int64_t number, uint8_t *packet, int header, int *size
) noexcept nogil:
    """RFC 3711 §4.1.1 and §4.2.1."""
    cdef uint8_t counter[COUNTER_BYTES]
    cdef uint8_t rollovers[4]
    cdef uint8_t digest[SHA1_BYTES]
    cdef Sha1 hash
    cdef int index, written = 0
    memset(counter, 0, sizeof(counter))
    memcpy(counter + 4, packet + 8, 4)
    write32(counter + 8, <uint32_t>(number >> 16))
    write16(counter + 12, <uint32_t>number)
    for index in range(<int>LONGEST_SALT):
        counter[index] ^= keys.salt[index]
    if (
        openssl.call.start(openssl.ctr_128, NULL, NULL, keys.key, counter) != 1
        or openssl.call.update(openssl.ctr_128, packet + header, &written, packet + header, size[0] - header) != 1
    ):
        return False
    write32(rollovers, <uint32_t>(number >> 16))
    hash_goes_on(&hash, keys.inner)
    openssl.call.sha1_update(&hash, packet, size[0])
    openssl.call.sha1_update(&hash, rollovers, sizeof(rollovers))
    openssl.call.sha1_finish(digest, &hash)
    hash_goes_on(&hash, keys.outer)
    openssl.call.sha1_update(&hash, digest, SHA1_BYTES)
    openssl.call.sha1_finish(digest, &hash)
    memcpy(packet + size[0], digest, SHA1_TAG_BYTES)
    size[0] += <int>SHA1_TAG_BYTES
    return True


cdef inline void hash_goes_on(Sha1 *hash, const uint32_t *state) noexcept nogil:
    """After one block."""
    memset(hash, 0, sizeof(Sha1))
    memcpy(hash.state, state, sizeof(hash.state))
    hash.bits_low = 8 * <int>SHA1_BLOCK_BYTES


cdef inline void set_hash_key(const OpenSsl *openssl, RtpKeys *keys, const uint8_t *key, int size) noexcept nogil:
    """`size`: at most a block."""
    hash_block(openssl, keys.inner, key, size, 0x36)
    hash_block(openssl, keys.outer, key, size, 0x5C)


cdef inline void hash_block(
    const OpenSsl *openssl, uint32_t *state, const uint8_t *key, int size, uint8_t pad
) noexcept nogil:
    cdef uint8_t block[SHA1_BLOCK_BYTES]
    cdef Sha1 hash
    cdef int index
    for index in range(<int>SHA1_BLOCK_BYTES):
        block[index] = pad ^ (key[index] if index < size else 0)
    openssl.call.sha1_start(&hash)
    openssl.call.sha1_update(&hash, block, SHA1_BLOCK_BYTES)
    memcpy(state, hash.state, sizeof(hash.state))
