"""SRTP's key derivation, by the RFC's own numbers."""

from __future__ import annotations

import pytest

from sfu.plane.interface import SrtpKeys
from sfu.plane.session_keys import derive, sending_keys

# RFC 3711 appendix B.3
MASTER_KEY = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
MASTER_SALT = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")


def test_derives_as_rfc_3711_does() -> None:
    assert derive(MASTER_KEY, MASTER_SALT, 0x00, 16).hex() == "c61e7a93744f39ee10734afe3ff7a087"
    assert derive(MASTER_KEY, MASTER_SALT, 0x02, 14).hex() == "30cbbc08863d8c85d49db34a9ae1"
    assert derive(MASTER_KEY, MASTER_SALT, 0x01, 20).hex().startswith("cebe321f6ff7716b6fd4ab49af256a15")


def test_is_of_the_direction_in_which_we_send() -> None:
    key, salt = bytes(range(16)), bytes(range(12))
    assert sending_keys(SrtpKeys("SRTP_AEAD_AES_128_GCM", bytes(28), key + salt)) == (
        derive(key, salt, 0, 16),
        derive(key, salt, 2, 12),
        b"",
    )


@pytest.mark.parametrize(
    ("profile", "master", "sizes"),
    [
        ("SRTP_AEAD_AES_128_GCM", 28, (16, 12, 0)),
        ("SRTP_AEAD_AES_256_GCM", 44, (32, 12, 0)),
        ("SRTP_AES128_CM_SHA1_80", 30, (16, 14, 20)),
    ],
)
def test_is_as_long_as_the_profile_wants(profile: str, master: int, sizes: tuple[int, int, int]) -> None:
    derived = sending_keys(SrtpKeys(profile, bytes(master), bytes(master)))
    assert tuple(len(part) for part in derived) == sizes
