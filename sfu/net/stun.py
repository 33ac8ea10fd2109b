"""Connectivity checks as bytes: what counts as one, and the answers to it (RFC 8489, RFC 8445 §7).

Messages are read and written by aioice. It is called only for what has the shape of a Binding request, because it
raises on much else; and it passes over attributes it does not know, so those are looked for here.
Pure: who may check what, and how often strangers are answered, is decided in `ice.py`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from aioice import stun

from sfu.plane.interface import Path

# A check is about 100 bytes. Chromium may append a DTLS flight in an attribute of its own: one datagram at most.
_MAX_BYTES = 1500
_BINDING_REQUEST = b"\x00\x01"
_COOKIE = stun.COOKIE.to_bytes(4, "big")
_ATTRIBUTE_HEADER = struct.Struct("!HH")
_COMPREHENSION_OPTIONAL = 0x8000  # attribute types from here on may be passed over
_MESSAGE_INTEGRITY = 0x0008
_UNKNOWN_ATTRIBUTES = 0x000A
_FINGERPRINT = 0x8028
_UNDERSTOOD = frozenset((0x0006, _MESSAGE_INTEGRITY, 0x0024, 0x0025))  # USERNAME, PRIORITY, USE-CANDIDATE

_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    420: "Unknown Attribute",
    487: "Role Conflict",
}


@dataclass(frozen=True, slots=True)
class Check:
    """A Binding request. Nothing in it is true before `is_authentic`."""

    message: stun.Message
    username_fragment: str | None  # the part of USERNAME that is ours; None: no USERNAME or no integrity
    nominates: bool
    remote_is_controlled: bool
    unknown_attributes: tuple[int, ...]

    def is_authentic(self, password: str) -> bool:
        return self.message.check_message_integrity(password.encode())


def parse_check(payload: bytes) -> Check | None:
    """None: not a Binding request with a valid FINGERPRINT, to be dropped without an answer. Never raises."""
    if not (
        stun.HEADER_LENGTH <= len(payload) <= _MAX_BYTES and payload[:2] == _BINDING_REQUEST and payload[4:8] == _COOKIE
    ):
        return None
    unknown = _unknown_attributes(payload)
    if unknown is None:
        return None
    try:
        message = stun.parse_message(payload)
    except (ValueError, struct.error):
        return None
    # RFC 8445 §7.1: every check carries it. On a port shared with media it is what makes this STUN at all.
    if "FINGERPRINT" not in message.attributes:
        return None
    local, separator, _ = message.attributes.get("USERNAME", "").partition(":")
    return Check(
        message=message,
        username_fragment=local if separator and "MESSAGE-INTEGRITY" in message.attributes else None,
        nominates="USE-CANDIDATE" in message.attributes,
        remote_is_controlled="ICE-CONTROLLED" in message.attributes,
        unknown_attributes=unknown,
    )


def success(check: Check, path: Path, password: str) -> bytes:
    answer = _answer(check, stun.Class.RESPONSE)
    answer.attributes["XOR-MAPPED-ADDRESS"] = (path.host, path.port)
    answer.add_message_integrity(password.encode())
    return bytes(answer)


def error(check: Check, code: int, password: str | None) -> bytes:
    """`password` None: the remote has not proved who it is, so the answer cannot be protected either."""
    answer = _answer(check, stun.Class.ERROR)
    answer.attributes["ERROR-CODE"] = (code, _REASONS[code])
    message = bytes(answer)
    if code == 420:
        types = b"".join(number.to_bytes(2, "big") for number in check.unknown_attributes)
        message = _append(message, _UNKNOWN_ATTRIBUTES, types)
    if password is not None:
        message = _append(message, _MESSAGE_INTEGRITY, stun.message_integrity(message, password.encode()))
    return _append(message, _FINGERPRINT, stun.message_fingerprint(message).to_bytes(4, "big"))


def _answer(check: Check, kind: stun.Class) -> stun.Message:
    return stun.Message(stun.Method.BINDING, kind, transaction_id=check.message.transaction_id)


def _append(message: bytes, kind: int, value: bytes) -> bytes:
    grown = message + _ATTRIBUTE_HEADER.pack(kind, len(value)) + value + bytes(-len(value) % 4)
    return stun.set_body_length(grown, len(grown) - stun.HEADER_LENGTH)


def _unknown_attributes(payload: bytes) -> tuple[int, ...] | None:
    """Types of the attributes we would have to understand and do not. None: an attribute runs past the end.

    What follows MESSAGE-INTEGRITY is not protected by it and does not count (RFC 8489 §14.5).
    """
    unknown = []
    position, end = stun.HEADER_LENGTH, len(payload)
    is_protected = True
    while position < end:
        if position + 4 > end:
            return None
        kind, length = _ATTRIBUTE_HEADER.unpack_from(payload, position)
        position += 4 + length + -length % 4
        if position > end:
            return None
        if is_protected and kind < _COMPREHENSION_OPTIONAL and kind not in _UNDERSTOOD:
            unknown.append(kind)
        is_protected = is_protected and kind != _MESSAGE_INTEGRITY
    return tuple(unknown)
