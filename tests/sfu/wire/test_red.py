"""Redundant audio: what is read, what is built, and that no bytes lead anywhere else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire import red, rtp
from sfu.wire.red import Redundancy

OPUS = 111
BLOCKS = st.lists(st.tuples(st.integers(0, red.MAX_TIMESTAMP_OFFSET), st.binary(max_size=80)), max_size=4)

# As Chromium sends it: 20 ms earlier, three bytes, then the primary's two.
CHROMIUM = bytes.fromhex("ef 0f00 03 6f aabbcc 7879")


def test_reads_what_browsers_send() -> None:
    assert red.read(CHROMIUM, OPUS) == Redundancy(primary_at=8, previous=(5, 8, 960))
    assert red.build([(960, b"\xaa\xbb\xcc")], b"xy", OPUS) == CHROMIUM
    assert red.read(b"\x6fxy", OPUS) == Redundancy(primary_at=1, previous=None)  # the first packet of all


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("", "nothing"),
        ("ef 0f00 03", "no primary"),
        ("ef 0f", "a header is cut short"),
        ("ef 0f00 03 6f aabb", "a block is cut short"),
        ("ef 0f00 03 ef 0f00 00", "headers without end"),
        ("e0 0f00 00 6f", "a block of another payload type"),
        ("ef 0f00 00 60", "a primary of another payload type"),
    ],
)
def test_refuses_what_contradicts_itself(payload: str, why: str) -> None:
    assert red.read(bytes.fromhex(payload), OPUS) is None, why


@given(BLOCKS, st.binary(max_size=80), st.integers(0, 127))
def test_what_was_built_is_read_and_renamed(repeated: list[tuple[int, bytes]], primary: bytes, other: int) -> None:
    payload = red.build(repeated, primary, OPUS)
    found = red.read(payload, OPUS)
    assert found is not None and payload[found.primary_at :] == primary
    if repeated and repeated[-1][1]:
        assert found.previous is not None
        start, end, earlier = found.previous
        assert (earlier, payload[start:end]) == repeated[-1]
    else:
        assert found.previous is None
    renamed = red.rename(payload, other)
    assert renamed == red.build(repeated, primary, other)
    assert red.read(renamed, other) == found


@given(st.binary(max_size=60), st.integers(0, 127))
def test_whatever_is_read_lies_within(payload: bytes, payload_type: int) -> None:
    found = red.read(payload, payload_type)
    if found is None:
        return
    assert 0 < found.primary_at <= len(payload)
    if found.previous is not None:
        start, end, _ = found.previous
        assert 0 < start < end == found.primary_at
    assert red.rename(payload, payload_type) == payload


@given(BLOCKS, st.binary(min_size=1, max_size=80), st.integers(0, 40), st.booleans())
def test_stripped_it_is_the_packet_it_would_have_been(
    repeated: list[tuple[int, bytes]], primary: bytes, padding: int, marker: bool
) -> None:
    extension = bytes.fromhex("bede 0001 10410000")
    fields: Any = {"sequence_number": 65535, "timestamp": 1 << 31, "ssrc": 7, "marker": marker, "extension": extension}
    packet = rtp.build(payload_type=63, payload=red.build(repeated, primary, OPUS), padding=padding, **fields)
    header = rtp.parse(packet)
    found = red.read(packet[header.payload_offset : header.payload_end], OPUS)
    assert found is not None
    plain = rtp.build(payload_type=OPUS, payload=primary, **fields)
    assert red.strip(packet, header, found.primary_at, OPUS) == plain


@pytest.mark.parametrize("block", [(red.MAX_TIMESTAMP_OFFSET + 1, b""), (-1, b""), (0, bytes(1024))])
def test_what_a_header_cannot_say_is_not_built(block: tuple[int, bytes]) -> None:
    with pytest.raises(ValueError, match="too many"):
        red.build([block], b"", OPUS)
