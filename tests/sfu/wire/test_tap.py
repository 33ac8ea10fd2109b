"""Frames of a local sink."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sfu.wire import tap
from sfu.wire.errors import MalformedTapFrame
from sfu.wire.tap import FrameKind, SenderClock, TapFrame

numbers = st.integers(-(1 << 63), (1 << 63) - 1)
frames = st.builds(
    TapFrame,
    kind=st.integers(0, 255),
    layer=st.integers(0, 255),
    recovered=st.booleans(),
    dropped=st.integers(0, (1 << 32) - 1),
    track=numbers,
    sequence_number=numbers,
    arrived_at_s=st.floats(allow_nan=False),
    body=st.binary(max_size=60),
)
EXAMPLE = TapFrame(FrameKind.RTP, 2, True, 5, 11, 65_540, 1000.5, b"\x80rtp")


def test_the_layout_is_what_the_docstring_says() -> None:
    assert tap.pack(EXAMPLE).hex(" ", 4) == (
        "01010201 05000000 0b000000 00000000 04000100 00000000 00000000 00448f40 80727470"
    )


@given(frame=frames)
def test_round_trip(frame: TapFrame) -> None:
    packed = tap.pack(frame)
    assert len(packed) == tap.HEADER_BYTES + len(frame.body)
    assert tap.parse(packed) == frame


@given(frame=frames, dropped=st.integers(0, 1 << 40))
def test_the_count_can_be_set_later(frame: TapFrame, dropped: int) -> None:
    assert tap.with_dropped(tap.pack(frame), dropped) == tap.pack(frame._replace(dropped=dropped))


def test_the_count_wraps() -> None:
    assert tap.parse(tap.pack(EXAMPLE._replace(dropped=(1 << 32) + 7))).dropped == 7


@pytest.mark.parametrize(
    "frame", [EXAMPLE._replace(layer=256), EXAMPLE._replace(track=1 << 63), EXAMPLE._replace(kind=-1)]
)
def test_what_does_not_fit_is_refused(frame: TapFrame) -> None:
    with pytest.raises(ValueError):
        tap.pack(frame)


@pytest.mark.parametrize("datagram", [b"", tap.pack(EXAMPLE)[:31], b"\x02" + tap.pack(EXAMPLE)[1:]])
def test_what_is_no_frame_is_refused(datagram: bytes) -> None:
    with pytest.raises(MalformedTapFrame):
        tap.parse(datagram)


def test_flags_and_kinds_of_later_versions_do_no_harm() -> None:
    packed = bytearray(tap.pack(EXAMPLE))
    packed[1], packed[3] = 99, 0xFE
    assert tap.parse(bytes(packed)) == EXAMPLE._replace(kind=99, recovered=False)


@given(clock=st.builds(SenderClock, st.integers(0, (1 << 64) - 1), *[st.integers(0, (1 << 32) - 1)] * 2))
def test_sender_reports_round_trip(clock: SenderClock) -> None:
    body = tap.pack_clock(clock)
    assert tap.parse_clock(body) == tap.parse_clock(body + b"more") == clock
    with pytest.raises(MalformedTapFrame):
        tap.parse_clock(body[:-1])
