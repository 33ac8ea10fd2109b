"""SRTP's key derivation, by the RFC's own numbers."""

from __future__ import annotations

from sfu.plane.interface import SrtpKeys
from sfu.plane.session_keys import derive, sending_keys

# RFC 3711 appendix B.3
MASTER_KEY = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
MASTER_SALT = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")


def test_derives_as_rfc_3711_does() -> None:
    assert derive(MASTER_KEY, MASTER_SALT, 0x00, 16).hex() == "c61e7a93744f39ee10734afe3ff7a087"
    assert derive(MASTER_KEY, MASTER_SALT, 0x02, 14).hex() == "30cbbc08863d8c85d49db34a9ae1"
    assert derive(MASTER_KEY, MASTER_SALT, 0x01, 94).hex().startswith("cebe321f6ff7716b6fd4ab49af256a15")


def test_is_of_the_direction_in_which_we_send_and_of_gcm_alone() -> None:
    key, salt = bytes(range(16)), bytes(range(12))
    assert sending_keys(SrtpKeys("SRTP_AEAD_AES_128_GCM", bytes(28), key + salt)) == (
        derive(key, salt, 0, 16),
        derive(key, salt, 2, 12),
    )
    long = sending_keys(SrtpKeys("SRTP_AEAD_AES_256_GCM", bytes(44), bytes(44)))
    assert long is not None and (len(long.key), len(long.salt)) == (32, 12)
    assert sending_keys(SrtpKeys("SRTP_AES128_CM_SHA1_80", bytes(30), bytes(30))) is None
