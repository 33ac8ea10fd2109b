"""Frames to payloads and back: VP8, H.264; loss, reordering of access units, and hostile payloads."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.types import Codec
from sfu.wire import h264, vp8
from signaling.client.packetising import PAYLOAD_BYTES, h264_payloads, nal_units, vp8_payloads
from signaling.client.reassembly import EncodedFrame, FrameAssembler
from signaling.client.receiving import ReceivedPacket

# The beginnings of VP8 frames (RFC 6386 §9.1): a key frame of 320x176, and one that is not.
KEY = b"\x10\x00\x00\x9d\x01\x2a\x40\x01\xb0\x00"
DELTA = b"\x11\x00\x00"
START = b"\x00\x00\x00\x01"
SPS, PPS, IDR, SLICE = b"\x67\x42\xe0\x1f", b"\x68\xce\x3c", b"\x65\x88\x80", b"\x41\x9a\x02"


def packets(payloads: list[bytes], first: int, timestamp: int) -> list[ReceivedPacket]:
    return [
        ReceivedPacket(first + index, timestamp, index == len(payloads) - 1, 96, payload, {}, 0.0)
        for index, payload in enumerate(payloads)
    ]


def vp8_stream(*frames: bytes) -> list[ReceivedPacket]:
    stream: list[ReceivedPacket] = []
    for number, frame in enumerate(frames):
        stream += packets(vp8_payloads(frame, number, number), len(stream), 6000 * number)
    return stream


def h264_stream(*units: bytes) -> list[ReceivedPacket]:
    stream: list[ReceivedPacket] = []
    for number, unit in enumerate(units):
        stream += packets(h264_payloads(unit), len(stream), 6000 * number)
    return stream


def assemble(assembler: FrameAssembler, stream: list[ReceivedPacket]) -> list[EncodedFrame]:
    return [frame for packet in stream if (frame := assembler.on_packet(packet))]


def bitstreams(frames: list[EncodedFrame]) -> list[bytes]:
    return [frame.bitstream for frame in frames]


def test_vp8_descriptors_are_what_the_server_reads() -> None:
    payloads = vp8_payloads(KEY + bytes(2 * PAYLOAD_BYTES), picture_id=0x8005, tl0_picture_index=0x107)
    assert len(payloads) == 3
    assert max(map(len, payloads)) <= PAYLOAD_BYTES
    descriptors = [vp8.parse(payload) for payload in payloads]
    assert all(one is not None for one in descriptors)
    read = [
        (one.start_of_partition, one.key_frame, one.picture_id, one.picture_id_bits, one.tl0_picture_index)
        for one in descriptors
        if one is not None
    ]
    assert read == [(True, True, 5, 15, 7), (False, False, 5, 15, 7), (False, False, 5, 15, 7)]
    assert {one.temporal_id for one in descriptors if one} == {0}


@given(st.lists(st.binary(max_size=4000), min_size=1, max_size=5))
def test_vp8_frames_come_back_whole(contents: list[bytes]) -> None:
    frames = [KEY + contents[0], *(DELTA + content for content in contents[1:])]
    assembled = assemble(FrameAssembler(Codec.VP8), vp8_stream(*frames))
    assert bitstreams(assembled) == frames
    assert [frame.key_frame for frame in assembled] == [True, *(False for _ in contents[1:])]


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=4))
def test_h264_access_units_come_back_whole(sizes: list[int]) -> None:
    units = [START + SPS + START + PPS + START + IDR + b"\xaa" * sizes[0]]
    units += [START + SLICE + b"\xbb" * size for size in sizes[1:]]
    assembled = assemble(FrameAssembler(Codec.H264), h264_stream(*units))
    assert bitstreams(assembled) == units
    assert [frame.key_frame for frame in assembled] == [True, *(False for _ in sizes[1:])]


def test_h264_key_frames_are_what_the_server_reads() -> None:
    payloads = h264_payloads(START + SPS + START + PPS + START + IDR + bytes(range(1, 200)) * 20)
    assert max(map(len, payloads)) <= PAYLOAD_BYTES
    assert [h264.is_key_frame(payload) for payload in payloads[:3]] == [True, False, True]


def test_start_codes_of_both_lengths_are_understood() -> None:
    assert nal_units(b"\x00\x00\x01" + SPS + b"\x00\x00\x00\x01" + PPS + b"\x00\x00\x01" + IDR) == [SPS, PPS, IDR]


def test_aggregated_units_are_taken_apart() -> None:
    payload = b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in (SPS, PPS, IDR))
    (frame,) = assemble(FrameAssembler(Codec.H264), packets([payload], 0, 0))
    assert frame.bitstream == START + SPS + START + PPS + START + IDR
    assert frame.key_frame


def test_nothing_comes_before_a_key_frame() -> None:
    assembler = FrameAssembler(Codec.VP8)
    assert assemble(assembler, vp8_stream(DELTA, DELTA)) == []
    assert assembler.awaiting_key_frame


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.H264])
def test_a_lost_packet_costs_all_frames_up_to_the_next_key_frame(codec: Codec) -> None:
    if codec is Codec.VP8:
        key, delta = KEY + bytes(2000), DELTA + bytes(2000)
        stream = vp8_stream(key, delta, delta, key, delta)
    else:
        key, delta = START + SPS + START + IDR + b"\xaa" * 2000, START + SLICE + b"\xbb" * 2000
        stream = h264_stream(key, delta, delta, key, delta)
    second = next(index for index, packet in enumerate(stream) if packet.timestamp == 6000)
    assembler = FrameAssembler(codec)
    assembled = assemble(assembler, stream[: second + 1] + stream[second + 2 :])
    assert bitstreams(assembled) == [key, key, delta]
    assert assembler.damaged == 1
    assert not assembler.awaiting_key_frame


def test_padding_in_between_does_no_harm() -> None:
    stream = vp8_stream(KEY + bytes(2000), DELTA)
    for packet in stream[1:]:
        packet.sequence_number += 1
    stream.insert(1, ReceivedPacket(1, 0, False, 96, b"", {}, 0.0))
    assert len(assemble(FrameAssembler(Codec.VP8), stream)) == 2


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.H264])
def test_random_payloads_only_damage(codec: Codec, seed: int) -> None:
    """Whatever the payloads hold, nothing raises."""
    random = Random(seed)
    assembler = FrameAssembler(codec)
    number = 0
    for _ in range(3000):
        number += random.choice((1, 1, 1, 2))
        payload = random.randbytes(random.randrange(12))
        assembler.on_packet(ReceivedPacket(number, random.randrange(3), random.random() < 0.3, 96, payload, {}, 0.0))
