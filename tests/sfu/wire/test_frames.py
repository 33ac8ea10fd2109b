"""Frames on a stream: whole again however it is cut, and nothing longer than what is allowed is collected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire.frames import FrameSplitter, FrameTooLong, prefixed


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 50))
def test_frames_come_out_as_they_were_sent_however_the_stream_is_cut(frames: list[bytes], cut: int) -> None:
    stream = b"".join(map(prefixed, frames))
    splitter = FrameSplitter(40)
    chunks = [stream[at : at + cut] for at in range(0, len(stream), cut)]
    assert [frame for chunk in chunks for frame in splitter.feed(chunk)] == frames


def test_the_longest_frame_passes_and_one_byte_more_does_not() -> None:
    assert FrameSplitter(5).feed(prefixed(b"12345")) == [b"12345"]
    with pytest.raises(FrameTooLong, match="6 bytes"):
        FrameSplitter(5).feed(prefixed(b"123456"))


def test_a_length_that_is_too_long_is_not_waited_for() -> None:
    splitter = FrameSplitter(1 << 20)
    assert splitter.feed(b"\xff\xff\xff") == []
    with pytest.raises(FrameTooLong):
        splitter.feed(b"\xff")


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_too_long(stream: bytes) -> None:
    splitter, taken = FrameSplitter(64), 0
    try:
        taken = sum(4 + len(frame) for frame in splitter.feed(stream))
    except FrameTooLong:
        return
    assert taken <= len(stream)
