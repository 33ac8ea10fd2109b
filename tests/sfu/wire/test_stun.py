"""The check that only repeats what is known is answered as aioice would; anything else is not."""

from __future__ import annotations

import struct
import zlib

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from sfu.control import IceParameters
from sfu.net.stun import parse_check, success
from sfu.plane.interface import Path
from sfu.wire.stun import answer_to_check
from tests.support.ice import binding_request

ICE = IceParameters("07abcdefgh", "0123456789abcdef01234567")
HOSTS = ("192.0.2.1", "255.255.255.255", "2001:db8::1:2")


def answer(check: bytes, host: str = HOSTS[0], port: int = 5000) -> bytes | None:
    return answer_to_check(check, f"{ICE.username_fragment}:".encode(), ICE.password.encode(), host, port)


def check_with(attributes: dict[str, object], *, more: bytes = b"") -> bytes:
    """`more`: attributes that aioice does not know, before MESSAGE-INTEGRITY."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, bytes(range(12)), dict(attributes))
    plain = stun.set_body_length(bytes(message) + more, len(bytes(message)) + len(more) - stun.HEADER_LENGTH)
    return finished(plain)


def finished(plain: bytes) -> bytes:
    signed = plain + struct.pack("!HH", 8, 20) + stun.message_integrity(plain, ICE.password.encode())
    signed = stun.set_body_length(signed, len(signed) + 8 - stun.HEADER_LENGTH)
    return signed + struct.pack("!HHI", 0x8028, 4, zlib.crc32(signed) ^ 0x5354554E)


USUAL: dict[str, object] = {"USERNAME": "07abcdefgh:rmte", "ICE-CONTROLLING": 5, "PRIORITY": 7}


@pytest.mark.parametrize("host", HOSTS)
@given(port=st.integers(0, 65535), nominate=st.booleans(), transaction_id=st.binary(min_size=12, max_size=12))
def test_answers_what_aioice_would(host: str, port: int, nominate: bool, transaction_id: bytes) -> None:
    request = binding_request(ICE, nominate=nominate, transaction_id=transaction_id)
    check = parse_check(request)
    assert check is not None and check.is_authentic(ICE.password)
    assert answer(request, host, port) == success(check, Path(0, host, port), ICE.password)


def test_passes_over_what_may_be_passed_over() -> None:
    assert check_with(USUAL) == binding_request_like()
    assert answer(check_with(USUAL, more=struct.pack("!HHI", 0xC057, 4, 1))) is not None


def binding_request_like() -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, bytes(range(12)), dict(USUAL))
    message.add_message_integrity(ICE.password.encode())
    return bytes(message)


OTHERS = {
    "another's": binding_request(ICE, username="07abcdefgi:rmte"),
    "no colon": binding_request(ICE, username="07abcdefgh"),
    "another password": binding_request(ICE, password="9" * 24),
    "no username": check_with({"ICE-CONTROLLING": 5, "PRIORITY": 7}),
    "two usernames": check_with(USUAL, more=struct.pack("!HH", 6, 12) + b"07abcdefgh:x"),
    "a remote that is controlled": check_with({"USERNAME": "07abcdefgh:rmte", "ICE-CONTROLLED": 5}),
    "something that must be understood": check_with(USUAL, more=struct.pack("!HHI", 0x0019, 4, 1)),
    "an attribute that runs past the end": check_with(USUAL, more=struct.pack("!HHI", 0xC057, 400, 1)),
    "a response": b"\x01\x01" + binding_request(ICE)[2:],
    "no fingerprint": check_with(USUAL)[:-8],
    "something behind": binding_request(ICE) + bytes(4),
    "nothing": b"",
    "a head": binding_request(ICE)[:20],
}


@pytest.mark.parametrize("what", OTHERS)
def test_anything_else_is_left_to_who_knows_stun(what: str) -> None:
    assert answer(OTHERS[what]) is None


@given(at=st.integers(0, len(binding_request(ICE)) - 1), flip=st.integers(1, 255))
def test_no_byte_may_be_another(at: int, flip: int) -> None:
    check = bytearray(binding_request(ICE, transaction_id=bytes(12)))
    check[at] ^= flip
    assert answer(bytes(check)) is None


@given(st.binary(max_size=200), st.integers(0, 80))
def test_whatever_comes_nothing_is_raised(payload: bytes, kept: int) -> None:
    assert answer(payload) is None
    assert answer(finished(binding_request(ICE)[:20] + payload[: len(payload) & ~3])) is None
    assert answer(binding_request(ICE)[:kept] + payload) is None
