"""How deep JSON may nest, and what becomes of bodies that are none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from signaling.api.bodies import MAX_DEPTH, decode, depth
from signaling.errors import ProtocolError

JSON = st.recursive(
    st.none() | st.text(alphabet='"\\[]{}a', max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


class Wish(Struct, forbid_unknown_fields=True):
    name: str


class Sized(Struct):
    name: str
    sizes: list[int]


def really(value: object) -> int:
    if isinstance(value, list):
        return 1 + max(map(really, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(really, value.values()), default=0)
    return 0


@given(JSON)
def test_depth_is_counted_without_reading_values(value: object) -> None:
    assert depth(json.dumps(value).encode()) == really(value)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"name":"\xff"}', "malformed"),
        (b"[" * 30_000, "malformed"),
        (b'{"name":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "malformed"),
        (b"{}", "invalid"),
        (b'{"name":1}', "invalid"),
        (b'{"name":"a","nmae":"b"}', "invalid"),
    ],
)
def test_what_is_wrong_with_a_body_has_a_code(body: bytes, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(body, Wish)
    assert caught.value.code == code


def test_a_number_without_a_fraction_is_an_integer() -> None:
    assert decode(b'{"name":"a","sizes":[3.0,4]}', Sized).sizes == [3, 4]
    with pytest.raises(ProtocolError):
        decode(b'{"name":"a","sizes":[3.5]}', Sized)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(body: bytes) -> None:
    try:
        decode(body, Wish)
    except ProtocolError as error:
        assert error.code in ("malformed", "invalid")
