"""Order, payload formats, and what an Opus packet says of itself: tables, and that nothing raises or hangs."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.media import obu, opus
from recorder.media.frames import GapReason, PictureAssembler
from recorder.media.pictures import JOIN, join_h264, join_vp9
from recorder.media.reordering import OrderedPacket, ReorderBuffer
from sfu.core.types import Codec


def packet(number: int, at_s: float = 0.0, payload: bytes = b"x", marker: bool = True) -> OrderedPacket:
    return OrderedPacket(number, number * 3000, marker, 96, payload, at_s)


@given(st.permutations(list(range(12))), st.sets(st.integers(1, 11), max_size=4))
def test_packets_come_out_once_in_order_with_holes_counted(order: list[int], lost: set[int]) -> None:
    buffer = ReorderBuffer(1.0, 100)
    out = buffer.on_packet(packet(0))
    for number in order:
        if number not in lost:
            out += buffer.on_packet(packet(number))
    out += buffer.finish()
    assert [one.sequence_number for one in out] == [number for number in range(12) if number not in lost]
    trailing = next((count for count in range(12) if 11 - count not in lost), 0)
    assert sum(one.missing for one in out) == len(lost) - trailing
    assert buffer.duplicates == 1


def test_a_hole_is_waited_for_and_then_given_up() -> None:
    buffer = ReorderBuffer(1.0, 100)
    assert buffer.on_packet(packet(1, 0.0)) and not buffer.on_packet(packet(3, 0.1))
    assert not buffer.on_time(1.0)
    (late,) = buffer.on_time(1.1)
    assert (late.sequence_number, late.missing, buffer.lost) == (3, 1, 1)
    assert not buffer.on_packet(packet(2, 1.2))


def test_a_full_buffer_waits_no_longer() -> None:
    buffer = ReorderBuffer(1000.0, 10)
    out = buffer.on_packet(packet(0)) + [one for number in range(2, 20) for one in buffer.on_packet(packet(number))]
    assert [one.sequence_number for one in out] == [0, *range(2, 20)]


OPUS = {
    b"": None,
    b"\x78": 960,  # 20 ms, of which nothing is sent: DTX
    b"\xf8\xff\xfe": 960,
    b"\xe0abc": 120,
    b"\x00a": 480,
    b"\x18a": 2880,
    b"\xf9abcd": 1920,  # two alike
    b"\xf9abc": None,
    b"\xfa\x02abc": 1920,  # two, the first of two bytes
    b"\xfa\x09abc": None,
    b"\xfb\x03abc": 2880,  # three alike
    b"\xfb\x03abcd": None,
    b"\xfb\x00abc": None,
    b"\x1b\x3fabc": None,  # more than 120 ms
    b"\xfb\x83\x01\x01abc": 2880,  # three with lengths
    b"\xfb\x83\x09\x09abc": None,
    b"\xfb\x43\x02abcpp": 2880,  # two of padding
    b"\xfb\x43\xff": None,
}


@pytest.mark.parametrize("content", OPUS, ids=[content.hex() or "nothing" for content in OPUS])
def test_an_opus_packet_says_how_long_it_sounds(content: bytes) -> None:
    assert opus.duration_samples(content) == OPUS[content]


def test_packets_of_silence_are_as_long_as_they_should_be() -> None:
    assert [opus.duration_samples(opus.silence(samples)) for samples in opus.SILENCE_SAMPLES] == [960, 480, 240, 120]


def test_h264_units_are_put_together_and_gaps_refused() -> None:
    sets, idr = b"\x67spsps", b"\x65" + b"i" * 30
    aggregate = b"\x78" + len(sets).to_bytes(2, "big") + sets
    pieces = [b"\x7c\x85" + idr[1:11], b"\x7c\x05" + idr[11:21], b"\x7c\x45" + idr[21:]]
    start = b"\x00\x00\x00\x01"
    joined = join_h264([aggregate, *pieces])
    assert joined is not None and joined == (start + sets + start + idr, True)
    assert join_h264([aggregate, *pieces[:-1]]) is None
    assert join_h264([aggregate, *pieces[1:]]) is None
    assert join_h264([aggregate[:-1]]) is None
    assert join_h264([b"\x61\x9a"]) == (start + b"\x61\x9a", False)


def test_spatial_layers_of_vp9_become_a_superframe() -> None:
    first = b"\xa8\x01\x00\x00" + b"low"  # I, L, B: layer 0
    second = b"\xac\x01\x03\x00" + b"higher"  # layer 1, depends on it
    joined = join_vp9([first, second])
    assert joined is not None
    assert joined.bitstream == b"low" + b"higher" + b"\xc1\x03\x06\xc1"


def test_av1_elements_over_packets_become_units_with_sizes() -> None:
    unit = b"\x30" + b"f" * 200  # a frame without a size
    assert obu.temporal_unit([b"\x50" + unit[:100], b"\x90" + unit[100:]]) == (
        b"\x12\x00" + b"\x32\xc8\x01" + unit[1:],
        False,
    )
    assert obu.temporal_unit([b"\x50" + unit[:100]]) is None
    assert obu.temporal_unit([b"\x90" + unit[100:]]) is None
    assert obu.temporal_unit([b"\x58", b""]) is None


def test_after_a_loss_nothing_comes_until_the_next_key_frame() -> None:
    key, delta = b"\x10\x00\x00\x00\x9d\x01\x2a\x10\x00\x10\x00", b"\x10\x01\x00\x00"
    assembler = PictureAssembler(Codec.VP8, 1 << 20)
    taken = []
    for number, (payload, missing) in enumerate([(delta, 0), (key, 0), (delta, 0), (delta, 1), (delta, 0), (key, 0)]):
        one = packet(number, payload=payload)._replace(missing=missing)
        taken += [(number, frame.gap) for frame in assembler.on_packet(one)]
    assert taken == [(1, GapReason.BEGIN), (2, GapReason.NONE), (5, GapReason.LOSS)]


@pytest.mark.parametrize("codec", JOIN)
def test_no_payload_makes_a_parser_raise(codec: Codec, seed: int) -> None:
    random = Random(seed)
    for _ in range(3000):
        JOIN[codec]([random.randbytes(random.randrange(12)) for _ in range(random.randrange(1, 4))])
        opus.duration_samples(random.randbytes(random.randrange(8)))
