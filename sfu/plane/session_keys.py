"""What SRTP encrypts with, derived from the keys that DTLS exports (RFC 3711 §4.3, RFC 7714 §11)."""

from __future__ import annotations

from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sfu.plane.interface import SrtpKeys


class SessionKeys(NamedTuple):
    key: bytes
    salt: bytes
    authentication: bytes  # empty where the cipher authenticates by itself


_KEY_LABEL: Final = 0x00
_AUTHENTICATION_LABEL: Final = 0x01
_SALT_LABEL: Final = 0x02
# Profile → octets of key, salt and authentication key
_SIZES: Final = {
    "SRTP_AEAD_AES_128_GCM": (16, 12, 0),
    "SRTP_AEAD_AES_256_GCM": (32, 12, 0),
    "SRTP_AES128_CM_SHA1_80": (16, 14, 20),
}


def sending_keys(keys: SrtpKeys) -> SessionKeys:
    """Of the RTP that we send. KeyError for an unknown profile."""
    key_size, salt_size, authentication_size = _SIZES[keys.profile]
    master, salt = keys.send_key[:key_size], keys.send_key[key_size:]
    return SessionKeys(
        derive(master, salt, _KEY_LABEL, key_size),
        derive(master, salt, _SALT_LABEL, salt_size),
        derive(master, salt, _AUTHENTICATION_LABEL, authentication_size),
    )


def derive(master_key: bytes, master_salt: bytes, label: int, size: int) -> bytes:
    """`size` octets of the key stream that belongs to `label`. No key derivation rate: what DTLS-SRTP has."""
    counter = bytearray(master_salt.ljust(16, b"\0"))
    counter[7] ^= label
    stream = Cipher(algorithms.AES(master_key), modes.CTR(bytes(counter))).encryptor()
    return stream.update(bytes(size))
