"""Signatures: what is signed is verified, and nothing else is."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.webhooks.signature import InvalidSignature, sign, verify

SECRET = "w" * 32
NOW = 1_800_000_000.0
BODY = b'{"type":"room.created"}'


def test_the_header_is_what_the_documentation_says() -> None:
    expected = hmac.new(SECRET.encode(), b"1800000000." + BODY, sha256).hexdigest()
    assert sign((SECRET,), BODY, NOW + 0.9) == f"t=1800000000,v1={expected}"


@given(st.binary(), st.text(min_size=1), st.floats(0, 1e11))
def test_what_is_signed_is_verified(body: bytes, secret: str, now: float) -> None:
    try:
        secret.encode()
    except UnicodeEncodeError:
        return
    verify(secret, sign((secret,), body, now), body, now=now)


def test_while_a_secret_is_replaced_both_are_good() -> None:
    header = sign(("new" * 11, SECRET), BODY, NOW)
    verify(SECRET, header, BODY, now=NOW)
    verify("new" * 11, header, BODY, now=NOW)


@pytest.mark.parametrize(
    ("secret", "header", "body", "now"),
    [
        ("x" * 32, sign((SECRET,), BODY, NOW), BODY, NOW),
        (SECRET, sign((SECRET,), BODY, NOW), BODY + b" ", NOW),
        (SECRET, sign((SECRET,), BODY, NOW), BODY, NOW + 302),
        (SECRET, sign((SECRET,), BODY, NOW), BODY, NOW - 301),
        (SECRET, sign((SECRET,), BODY, NOW).replace("t=18", "t=17"), BODY, NOW),
        (SECRET, "", BODY, NOW),
        (SECRET, "t=1800000000", BODY, NOW),
        (SECRET, "v1=00", BODY, NOW),
        (SECRET, "t=soon,v1=00", BODY, NOW),
        (SECRET, "t=١٨٠٠٠٠٠٠٠٠,v1=00", BODY, NOW),
        (SECRET, f"t={'9' * 400},v1=00", BODY, NOW),
        (SECRET, "t=1,t=2,v1=00", BODY, NOW),
        (SECRET, "t=1800000000,v1=\ud800", BODY, NOW),
    ],
)
def test_anything_else_is_not(secret: str, header: str, body: bytes, now: float) -> None:
    with pytest.raises(InvalidSignature):
        verify(secret, header, body, now=now)


@given(st.text())
def test_whatever_comes_as_a_header_nothing_else_is_raised(header: str) -> None:
    with pytest.raises(InvalidSignature):
        verify(SECRET, header, BODY, now=NOW)
