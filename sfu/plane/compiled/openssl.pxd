"""OpenSSL's ciphers and SHA-1 inside the pylibsrtp wheel, called at the addresses that it exports (`openssl.py`).

One context of each cipher serves everybody and is given the key with each packet, which takes 0.05 µs. A context of its
own for each Transport would be 1.2 kB, most of it behind a pointer of OpenSSL's: to fetch it from memory takes longer.
"""

from libc.stdint cimport uint8_t, uint32_t, uintptr_t
from libc.string cimport memcpy

cdef enum:
    FUNCTIONS = 12


cdef struct Sha1:
    # OpenSSL's SHA_CTX, which is public.
    uint32_t state[5]
    uint32_t bits_low, bits_high
    uint32_t block[16]
    unsigned int filled


cdef struct Functions:
    # In the order of openssl.FUNCTIONS; those that say how it went say 1 for well.
    void *(*context_new)() noexcept nogil
    void (*context_free)(void *context) noexcept nogil
    const void *(*aes_128_gcm)() noexcept nogil
    const void *(*aes_256_gcm)() noexcept nogil
    const void *(*aes_128_ctr)() noexcept nogil
    int (*start)(void *context, const void *cipher, void *, const uint8_t *key, const uint8_t *nonce) noexcept nogil
    int (*update)(void *context, uint8_t *out, int *written, const uint8_t *plain, int size) noexcept nogil
    int (*finish)(void *context, uint8_t *out, int *written) noexcept nogil
    int (*control)(void *context, int command, int size, void *value) noexcept nogil
    int (*sha1_start)(Sha1 *hash) noexcept nogil
    int (*sha1_update)(Sha1 *hash, const void *bytes, size_t size) noexcept nogil
    int (*sha1_finish)(uint8_t *digest, Sha1 *hash) noexcept nogil


cdef struct OpenSsl:
    bint known  # else libsrtp does everything
    Functions call
    void *gcm_128
    void *gcm_256
    void *ctr_128


cdef inline bint openssl_open(OpenSsl *openssl, const uintptr_t *functions) noexcept nogil:
    """False without memory."""
    memcpy(&openssl.call, functions, sizeof(Functions))
    openssl.gcm_128 = context_of(openssl, openssl.call.aes_128_gcm())
    openssl.gcm_256 = context_of(openssl, openssl.call.aes_256_gcm())
    openssl.ctr_128 = context_of(openssl, openssl.call.aes_128_ctr())
    openssl.known = openssl.gcm_128 != NULL and openssl.gcm_256 != NULL and openssl.ctr_128 != NULL
    return openssl.known


cdef inline void *context_of(const OpenSsl *openssl, const void *cipher) noexcept nogil:
    cdef void *context = openssl.call.context_new()
    if context != NULL and openssl.call.start(context, cipher, NULL, NULL, NULL) != 1:
        openssl.call.context_free(context)
        return NULL
    return context


cdef inline void openssl_close(OpenSsl *openssl) noexcept nogil:
    if openssl.call.context_free != NULL:
        openssl.call.context_free(openssl.gcm_128)
        openssl.call.context_free(openssl.gcm_256)
        openssl.call.context_free(openssl.ctr_128)
