"""OpenSSL's AES-GCM inside the pylibsrtp wheel, for compiled code that encrypts by itself.

The functions are EVP's, public and unchanged since OpenSSL 1.1; libsrtp in the same file calls them too. A pylibsrtp
built on something else has none of them, and then libsrtp does all of it.
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
    "EVP_EncryptInit_ex",
    "EVP_EncryptUpdate",
    "EVP_EncryptFinal_ex",
    "EVP_CIPHER_CTX_ctrl",
)


def function_addresses() -> list[int] | None:
    """Of FUNCTIONS, in their order; None where they are missing."""
    library = ctypes.CDLL(_binding.__file__)
    if any(not hasattr(library, name) for name in FUNCTIONS):
        return None
    return [ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in FUNCTIONS]
