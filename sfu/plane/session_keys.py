"""What SRTP encrypts with, derived from the keys that DTLS exports (RFC 3711 §4.3, RFC 7714 §11)."""

from __future__ import annotations

from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sfu.plane.interface import SrtpKeys

_KEY_LABEL: Final = 0x00
_SALT_LABEL: Final = 0x02
_SALT_BYTES: Final = 12
_GCM_KEY_BYTES: Final = {"SRTP_AEAD_AES_128_GCM": 16, "SRTP_AEAD_AES_256_GCM": 32}


class SessionKeys(NamedTuple):
    key: bytes
    salt: bytes


def sending_keys(keys: SrtpKeys) -> SessionKeys | None:
    """Of the RTP that we send; None unless the profile is of AES-GCM."""
    size = _GCM_KEY_BYTES.get(keys.profile)
    if size is None:
        return None
    master, salt = keys.send_key[:size], keys.send_key[size:]
    return SessionKeys(derive(master, salt, _KEY_LABEL, size), derive(master, salt, _SALT_LABEL, _SALT_BYTES))


def derive(master_key: bytes, master_salt: bytes, label: int, size: int) -> bytes:
    """`size` octets of the key stream that belongs to `label`. No key derivation rate: what DTLS-SRTP has."""
    counter = bytearray(master_salt.ljust(16, b"\0"))
    counter[7] ^= label
    stream = Cipher(algorithms.AES(master_key), modes.CTR(bytes(counter))).encryptor()
    return stream.update(bytes(size))
