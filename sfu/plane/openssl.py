"""OpenSSL's ciphers and SHA-1 inside the pylibsrtp wheel, for compiled code that encrypts by itself.

All of them are public, and unchanged since OpenSSL 1.1; libsrtp in the same file calls the ciphers, too. A pylibsrtp
built on something else lacks them, and then libsrtp does all of it.
"""

from __future__ import annotations

import ctypes
from typing import Final

from pylibsrtp import _binding

FUNCTIONS: Final = (
    "EVP_CIPHER_CTX_new",
    "EVP_CIPHER_CTX_free",
    "EVP_aes_128_gcm",
    "EVP_aes_256_gcm",
    "EVP_aes_128_ctr",
    "EVP_EncryptInit_ex",
    "EVP_EncryptUpdate",
    "EVP_EncryptFinal_ex",
    "EVP_CIPHER_CTX_ctrl",
    "SHA1_Init",
    "SHA1_Update",
    "SHA1_Final",
)


def function_addresses() -> list[int] | None:
    """Of FUNCTIONS, in their order; None where they are missing."""
    library = ctypes.CDLL(_binding.__file__)
    if any(not hasattr(library, name) for name in FUNCTIONS):
        return None
    return [ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in FUNCTIONS]
