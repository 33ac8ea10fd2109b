"""The one connectivity check that needs no decision: a remote repeats what is known (RFC 7675, RFC 8489).

Read strictly: whatever is not exactly as browsers send it is left to `sfu/net/stun.py`, which knows STUN.
"""

from __future__ import annotations

import hmac
import ipaddress
import struct
import zlib

LONGEST_CHECK = 1500  # bytes; one is about 100
HEADER_BYTES = 20
INTEGRITY_BYTES = 24  # the attribute: its head and a SHA-1
FINGERPRINT_BYTES = 8

_REQUEST, _SUCCESS = 0x0001, 0x0101  # Binding
_COOKIE = 0x2112A442
_FINGERPRINT_MASK = 0x5354554E
_USERNAME, _PRIORITY, _USE_CANDIDATE = 0x0006, 0x0024, 0x0025
_INTEGRITY, _MAPPED_ADDRESS, _FINGERPRINT = 0x0008, 0x0020, 0x8028
_ICE_CONTROLLED = 0x8029
_OPTIONAL = 0x8000  # attribute types from here on may be passed over
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")


def answer_to_check(check: bytes, username: bytes, password: bytes, host: str, port: int) -> bytes | None:
    """The success response to an authentic check from this address; `None` if this is no such check.

    `username` is how its USERNAME must begin: our fragment and a colon. Its last attributes are MESSAGE-INTEGRITY and
    FINGERPRINT; of the others none asks for anything."""
    if not HEADER_BYTES <= len(check) <= LONGEST_CHECK:
        return None
    kind, size, cookie, transaction = _HEADER.unpack_from(check)
    if kind != _REQUEST or cookie != _COOKIE or size != len(check) - HEADER_BYTES:
        return None
    if not _asks_for_nothing(check, username) or not _is_authentic(check, password):
        return None
    address = ipaddress.ip_address(host).packed
    mask = check[4:HEADER_BYTES]
    mapped = struct.pack("!BBH", 0, 1 if len(address) == 4 else 2, port ^ _COOKIE >> 16)
    mapped += bytes(byte ^ masking for byte, masking in zip(address, mask, strict=False))
    attributes = _ATTRIBUTE.pack(_MAPPED_ADDRESS, len(mapped)) + mapped
    answer = _HEADER.pack(_SUCCESS, len(attributes) + INTEGRITY_BYTES, cookie, transaction) + attributes
    answer += _ATTRIBUTE.pack(_INTEGRITY, 20) + hmac.digest(password, answer, "sha1")
    answer = _with_size(answer, len(answer) + FINGERPRINT_BYTES)
    return answer + _ATTRIBUTE.pack(_FINGERPRINT, 4) + struct.pack("!I", zlib.crc32(answer) ^ _FINGERPRINT_MASK)


def _asks_for_nothing(check: bytes, username: bytes) -> bool:
    """Whether its attributes are those of a check like the one before, and end as they must."""
    position, protected = HEADER_BYTES, len(check) - INTEGRITY_BYTES - FINGERPRINT_BYTES
    names_us = False
    while position < protected:
        kind, size = _ATTRIBUTE.unpack_from(check, position)
        position += 4
        if kind == _USERNAME:
            if names_us or not check.startswith(username, position, position + size):
                return False
            names_us = True
        elif kind == _ICE_CONTROLLED or (kind < _OPTIONAL and kind not in (_PRIORITY, _USE_CANDIDATE)):
            return False
        position += size + -size % 4
    ends = _ATTRIBUTE.pack(_INTEGRITY, 20), _ATTRIBUTE.pack(_FINGERPRINT, 4)
    return names_us and position == protected and (check[-32:-28], check[-8:-4]) == ends


def _is_authentic(check: bytes, password: bytes) -> bool:
    protected = len(check) - INTEGRITY_BYTES - FINGERPRINT_BYTES
    signed = _with_size(check[:protected], protected + INTEGRITY_BYTES)
    (fingerprint,) = struct.unpack_from("!I", check, len(check) - 4)
    return zlib.crc32(check[:-FINGERPRINT_BYTES]) ^ _FINGERPRINT_MASK == fingerprint and hmac.compare_digest(
        hmac.digest(password, signed, "sha1"), check[protected + 4 : -FINGERPRINT_BYTES]
    )


def _with_size(message: bytes, size: int) -> bytes:
    """`size`: of all of it, as its header states it."""
    return message[:2] + (size - HEADER_BYTES).to_bytes(2, "big") + message[4:]
