"""SRTP's AES-GCM for what Slots send (RFC 7714), with OpenSSL's cipher and without what libsrtp does around it.

libsrtp looks for the SSRC's stream in a list, moves a window of 1024 bits along, and has its memory where nothing can
be fetched ahead. A Slot knows its roll-over counter from its unwrapped numbers, and `spent.pxd` what it has sent. The
cipher is OpenSSL's, called at the addresses that pylibsrtp's binding exports (`sfu/plane/openssl.py`).

One cipher context serves everybody and is given the key with each packet, which takes 0.05 µs. A context of its own for
each Transport would be 1.2 kB, most of it behind a pointer of OpenSSL's: to fetch it from memory takes longer.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uintptr_t
from libc.string cimport memcpy

from sfu.plane.compiled.numbers cimport read16, write16, write32

cdef enum:
    FUNCTIONS = 8
    LONGEST_KEY = 32
    SALT_BYTES = 12  # and those of the nonce
    TAG_BYTES = 16
    GET_TAG = 0x10  # EVP_CTRL_AEAD_GET_TAG


cdef struct OpenSsl:
    # Of EVP what is needed, in the order of openssl.FUNCTIONS; those that say how it went say 1 for well.
    void *(*context_new)() noexcept nogil
    void (*context_free)(void *context) noexcept nogil
    const void *(*aes_128_gcm)() noexcept nogil
    const void *(*aes_256_gcm)() noexcept nogil
    int (*start)(void *context, const void *cipher, void *, const uint8_t *key, const uint8_t *nonce) noexcept nogil
    int (*update)(void *context, uint8_t *out, int *written, const uint8_t *plain, int size) noexcept nogil
    int (*finish)(void *context, uint8_t *out, int *written) noexcept nogil
    int (*control)(void *context, int command, int size, void *value) noexcept nogil


cdef struct Gcm:
    bint known  # else libsrtp does it
    OpenSsl openssl
    void *aes_128
    void *aes_256


cdef struct GcmKeys:
    int size  # of the key, in bytes; 0: none
    uint8_t key[LONGEST_KEY]
    uint8_t salt[SALT_BYTES]


cdef inline bint gcm_open(Gcm *gcm, const uintptr_t *functions) noexcept nogil:
    """False without memory."""
    memcpy(&gcm.openssl, functions, sizeof(OpenSsl))
    gcm.aes_128 = gcm.openssl.context_new()
    gcm.aes_256 = gcm.openssl.context_new()
    gcm.known = (
        gcm.aes_128 != NULL
        and gcm.aes_256 != NULL
        and gcm.openssl.start(gcm.aes_128, gcm.openssl.aes_128_gcm(), NULL, NULL, NULL) == 1
        and gcm.openssl.start(gcm.aes_256, gcm.openssl.aes_256_gcm(), NULL, NULL, NULL) == 1
    )
    return gcm.known


cdef inline void gcm_close(Gcm *gcm) noexcept nogil:
    if gcm.openssl.context_free != NULL:
        gcm.openssl.context_free(gcm.aes_128)
        gcm.openssl.context_free(gcm.aes_256)


cdef inline bint gcm_protect(
    const Gcm *gcm, const GcmKeys *keys, int64_t number, uint8_t *packet, int *size
) noexcept nogil:
    """In place, with room for TAG_BYTES behind it; `number` is the whole packet index. The packet must be one of ours:
    without contributing sources."""
    cdef const OpenSsl *openssl = &gcm.openssl
    cdef void *context = gcm.aes_128 if keys.size == 16 else gcm.aes_256
    cdef int header = 12, written = 0
    cdef uint8_t nonce[SALT_BYTES]
    if packet[0] & 0x10:
        header += 4 + 4 * <int>read16(packet + 14)
    write_nonce(nonce, keys.salt, packet + 8, number)
    if (
        openssl.start(context, NULL, NULL, keys.key, nonce) != 1
        or openssl.update(context, NULL, &written, packet, header) != 1
        or openssl.update(context, packet + header, &written, packet + header, size[0] - header) != 1
        or openssl.finish(context, packet + size[0], &written) != 1
        or openssl.control(context, GET_TAG, TAG_BYTES, packet + size[0]) != 1
    ):
        return False
    size[0] += <int>TAG_BYTES
    return True


cdef inline void write_nonce(uint8_t *nonce, const uint8_t *salt, const uint8_t *ssrc, int64_t number) noexcept nogil:
    """RFC 7714 §8.1: the SSRC, the roll-over counter and the sequence number, two octets of nothing before them."""
    cdef int index
    nonce[0] = nonce[1] = 0
    for index in range(4):
        nonce[2 + index] = ssrc[index]
    write32(nonce + 6, <uint32_t>(number >> 16))
    write16(nonce + 10, <uint32_t>number)
    for index in range(<int>SALT_BYTES):
        nonce[index] ^= salt[index]
