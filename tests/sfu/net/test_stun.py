"""Connectivity checks as bytes."""

from __future__ import annotations

import struct

import pytest
from aioice import stun as messages

from sfu.control import IceParameters
from sfu.net import stun
from sfu.plane.interface import Path
from tests.support.ice import binding_request, read_answer

SERVER = IceParameters("00abcdefgh", "passwordpasswordpassword")
PATH_4 = Path(0, "192.0.2.7", 50000)
PATH_6 = Path(1, "2001:db8::7", 50001)

# RFC 5769 §2.1, a request of an ICE agent: USERNAME evtj:h6vY, password VOkJxbRl1RmTxUk/WvJxBt, SOFTWARE, PRIORITY and
# ICE-CONTROLLED.
RFC5769_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151"
    "263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RFC5769_PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"


def parsed(payload: bytes) -> stun.Check:
    check = stun.parse_check(payload)
    assert check is not None
    return check


def with_attribute(payload: bytes, kind: int, value: bytes) -> bytes:
    """The request with one more attribute ahead of the others, protected again."""
    attribute = struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)
    body = payload[20 : len(payload) - 24 - 8]  # without MESSAGE-INTEGRITY and FINGERPRINT
    message = messages.set_body_length(payload[:20] + attribute + body, len(attribute) + len(body))
    integrity = messages.message_integrity(message, SERVER.password.encode())
    message = messages.set_body_length(message, len(message) - 20 + 24) + struct.pack("!HH", 8, 20) + integrity
    fingerprint = messages.message_fingerprint(message)
    return messages.set_body_length(message, len(message) - 20 + 8) + struct.pack("!HHI", 0x8028, 4, fingerprint)


def test_reads_the_request_of_rfc_5769() -> None:
    check = parsed(RFC5769_REQUEST)
    assert check.username_fragment == "evtj"
    assert check.is_authentic(RFC5769_PASSWORD)
    assert not check.is_authentic(RFC5769_PASSWORD + "x")
    assert check.remote_is_controlled
    assert not check.nominates
    assert check.unknown_attributes == ()


@pytest.mark.parametrize("nominate", [False, True])
def test_says_whether_the_remote_nominates(nominate: bool) -> None:
    check = parsed(binding_request(SERVER, nominate=nominate))
    assert (check.nominates, check.remote_is_controlled) == (nominate, False)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "empty"),
        (b"\x00\x01", "no header"),
        (RFC5769_REQUEST[:-1], "cut short"),
        (RFC5769_REQUEST + b"\0" * 4, "longer than it says"),
        (RFC5769_REQUEST[:4] + bytes(4) + RFC5769_REQUEST[8:], "no magic cookie"),
        (b"\x01\x01" + RFC5769_REQUEST[2:], "a response"),
        (b"\x00\x11" + RFC5769_REQUEST[2:], "an indication"),
        (b"\x00\x03" + RFC5769_REQUEST[2:], "an Allocate request"),
        (RFC5769_REQUEST[:-1] + b"\0", "wrong FINGERPRINT"),
        (messages.set_body_length(RFC5769_REQUEST, 0x50)[:-8], "no FINGERPRINT"),
        (RFC5769_REQUEST[:22] + b"\xff\xff" + RFC5769_REQUEST[24:], "an attribute past the end"),
        (RFC5769_REQUEST[:40] + b"\x00\x24\x00\x03" + RFC5769_REQUEST[44:], "a PRIORITY of three bytes"),
        (bytes(messages.Message(messages.Method.BINDING, messages.Class.REQUEST)), "no attributes at all"),
        (b"\x00\x01\x10\x00" + RFC5769_REQUEST[4:20] + bytes(0x1000), "larger than any check"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_drops_what_is_not_a_check(payload: bytes, why: str) -> None:
    assert stun.parse_check(payload) is None, why


def test_username_that_is_not_utf_8_is_no_check() -> None:
    message = with_attribute(binding_request(SERVER), 6, b"\xff\xfe:x")
    assert stun.parse_check(message) is None


@pytest.mark.parametrize("username", ["00abcdefgh", ""])
def test_a_username_of_one_part_names_nobody(username: str) -> None:
    request = messages.Message(messages.Method.BINDING, messages.Class.REQUEST, attributes={"USERNAME": username})
    request.add_message_integrity(SERVER.password.encode())
    assert parsed(bytes(request)).username_fragment is None


def test_a_username_without_integrity_names_nobody() -> None:
    request = messages.Message(messages.Method.BINDING, messages.Class.REQUEST, attributes={"USERNAME": "00abcdefgh:r"})
    request.add_fingerprint()
    assert parsed(bytes(request)).username_fragment is None


@pytest.mark.parametrize(
    ("kind", "unknown"),
    [(0x7FFE, (0x7FFE,)), (0x0003, (0x0003,)), (0xC057, ()), (0xC070, ()), (0x8022, ())],
    ids=["unknown", "known to aioice only", "network cost", "DTLS in STUN", "SOFTWARE"],
)
def test_finds_attributes_that_must_be_understood(kind: int, unknown: tuple[int, ...]) -> None:
    check = parsed(with_attribute(binding_request(SERVER), kind, b"\0\0\0\1"))
    assert check.is_authentic(SERVER.password)
    assert check.unknown_attributes == unknown


def test_what_follows_message_integrity_does_not_count() -> None:
    request = binding_request(SERVER)[:-8]
    request = messages.set_body_length(request, len(request) - 20 + 8) + struct.pack("!HHI", 0x7FFE, 4, 1)
    fingerprint = messages.message_fingerprint(request)
    request = messages.set_body_length(request, len(request) - 20 + 8) + struct.pack("!HHI", 0x8028, 4, fingerprint)
    assert parsed(request).unknown_attributes == ()


@pytest.mark.parametrize("path", [PATH_4, PATH_6], ids=["IPv4", "IPv6"])
def test_success_names_the_address_the_check_came_from(path: Path) -> None:
    request = binding_request(SERVER, transaction_id=bytes(range(12)))
    answer = read_answer(stun.success(parsed(request), path, SERVER.password), SERVER)
    assert (answer.message_class, answer.transaction_id) == (messages.Class.RESPONSE, bytes(range(12)))
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == (path.host, path.port)


@pytest.mark.parametrize("code", [400, 401, 420, 487])
@pytest.mark.parametrize("password", [None, SERVER.password], ids=["bare", "protected"])
def test_errors_are_well_formed(code: int, password: str | None) -> None:
    request = with_attribute(binding_request(SERVER), 0x7FFE, b"")
    payload = stun.error(parsed(request), code, password)
    answer = read_answer(payload, SERVER if password else None)
    assert answer.error_code == code
    assert ("MESSAGE-INTEGRITY" in answer.attributes) == (password is not None)
    assert (b"\x00\x0a\x00\x02\x7f\xfe\x00\x00" in payload) == (code == 420)  # UNKNOWN-ATTRIBUTES
