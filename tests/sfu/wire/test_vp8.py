from itertools import pairwise

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire import rtp, vp8
from sfu.wire.serial import is_newer
from sfu.wire.vp8 import Vp8Descriptor
from tests.sfu.wire.captured import Capture, capture, captures

KEY_FRAME = "10 0000 9d012a 8002 6801"  # P bit clear, start code, 640×360
DELTA = "11 000000"


def described(payload: str) -> Vp8Descriptor:
    descriptor = vp8.parse(bytes.fromhex(payload))
    assert descriptor is not None
    return descriptor


@pytest.mark.parametrize(
    ("payload", "descriptor"),
    [
        # start, partition, picture id, its bits, TL0PICIDX, temporal id, layer sync, key frame, length, size
        ("10" + KEY_FRAME, Vp8Descriptor(True, 0, None, 0, None, None, False, True, 1, 640, 360)),
        ("10" + DELTA, Vp8Descriptor(True, 0, None, 0, None, None, False, False, 1, None, None)),
        ("00" + KEY_FRAME, Vp8Descriptor(False, 0, None, 0, None, None, False, False, 1, None, None)),
        ("11" + KEY_FRAME, Vp8Descriptor(True, 1, None, 0, None, None, False, False, 1, None, None)),
        ("14" + KEY_FRAME, Vp8Descriptor(True, 4, None, 0, None, None, False, False, 1, None, None)),
        ("30" + KEY_FRAME, Vp8Descriptor(True, 0, None, 0, None, None, False, True, 1, 640, 360)),  # N: no reference
        ("9080 11" + DELTA, Vp8Descriptor(True, 0, 17, 7, None, None, False, False, 3, None, None)),
        ("9080 9234" + DELTA, Vp8Descriptor(True, 0, 0x1234, 15, None, None, False, False, 4, None, None)),
        ("9080 8001" + DELTA, Vp8Descriptor(True, 0, 1, 15, None, None, False, False, 4, None, None)),
        ("9040 07" + DELTA, Vp8Descriptor(True, 0, None, 0, 7, None, False, False, 3, None, None)),
        ("9020 a0" + DELTA, Vp8Descriptor(True, 0, None, 0, None, 2, True, False, 3, None, None)),
        ("9010 bf" + DELTA, Vp8Descriptor(True, 0, None, 0, None, None, False, False, 3, None, None)),  # KEYIDX alone
        ("9000" + DELTA, Vp8Descriptor(True, 0, None, 0, None, None, False, False, 2, None, None)),
        ("90e0 9234 07 40" + DELTA, Vp8Descriptor(True, 0, 0x1234, 15, 7, 1, False, False, 6, None, None)),
        ("90f0 11 07 7f" + KEY_FRAME, Vp8Descriptor(True, 0, 17, 7, 7, 1, True, True, 5, 640, 360)),
        # A key frame cut short, or without its start code, has no size
        ("10 10", Vp8Descriptor(True, 0, None, 0, None, None, False, True, 1, None, None)),
        ("10 100000 9d012a 800268", Vp8Descriptor(True, 0, None, 0, None, None, False, True, 1, None, None)),
        ("10 100000 000000 80026801", Vp8Descriptor(True, 0, None, 0, None, None, False, True, 1, None, None)),
        # Scaling bits above the 14 of each dimension
        ("10 100000 9d012a 80426881", Vp8Descriptor(True, 0, None, 0, None, None, False, True, 1, 640, 360)),
    ],
)
def test_parses(payload: str, descriptor: Vp8Descriptor) -> None:
    assert described(payload) == descriptor


@pytest.mark.parametrize("payload", ["", "10", "90", "9080", "9080 92", "9080 9234", "90e0 9234 07", "90e0 9234 07 40"])
def test_gives_nothing_for_a_payload_cut_short(payload: str) -> None:
    assert vp8.parse(bytes.fromhex(payload)) is None


@pytest.mark.parametrize(
    ("payload", "rewritten"),
    [
        ("90e0 9234 07 40", "90e0 fabc de 40"),
        ("90e0 11 07 40", "90e0 3c de 40"),  # seven bits stay seven
        ("9080 8001", "9080 fabc"),  # fifteen stay fifteen
        ("9040 07", "9040 de"),
        ("9020 40", "9020 40"),
        ("10", "10"),
    ],
)
def test_rewrites_counters_in_their_own_form(payload: str, rewritten: str) -> None:
    original = bytes.fromhex(payload + DELTA)
    # 0x17abc and 0x1de are reduced to 15 (or 7) and 8 bits
    assert vp8.rewrite(original, described(payload + DELTA), 0x1FABC, 0x1DE) == bytes.fromhex(rewritten + DELTA)


@given(
    picture_id=st.none() | st.integers(0, 0x7FFF),
    tl0_picture_index=st.none() | st.integers(0, 255),
    temporal_id=st.none() | st.tuples(st.integers(0, 3), st.integers(0, 1)),
    key_index=st.none() | st.integers(0, 31),
    start=st.integers(0, 1),
    partition=st.integers(0, 7),
    new_picture_id=st.integers(0, 0x7FFF),
    new_tl0_picture_index=st.integers(0, 255),
)
def test_agrees_with_aiortc_and_rewriting_changes_only_the_counters(
    picture_id: int | None,
    tl0_picture_index: int | None,
    temporal_id: tuple[int, int] | None,
    key_index: int | None,
    start: int,
    partition: int,
    new_picture_id: int,
    new_tl0_picture_index: int,
) -> None:
    theirs = VpxPayloadDescriptor(start, partition, picture_id, tl0_picture_index, temporal_id, key_index)
    payload = bytes(theirs) + b"\x01rest"
    ours = vp8.parse(payload)
    assert ours is not None
    assert (ours.start_of_partition, ours.partition_index) == (bool(start), partition)
    assert (ours.picture_id, ours.tl0_picture_index) == (picture_id, tl0_picture_index)
    assert ours.temporal_id == (temporal_id[0] if temporal_id else None)
    assert ours.layer_sync == bool(temporal_id and temporal_id[1])
    assert payload[ours.length :] == b"\x01rest"

    rewritten = vp8.rewrite(payload, ours, new_picture_id, new_tl0_picture_index)
    assert len(rewritten) == len(payload)
    again = vp8.parse(rewritten)
    assert again is not None
    mask = (1 << ours.picture_id_bits) - 1
    ours.picture_id = None if picture_id is None else new_picture_id & mask
    ours.tl0_picture_index = None if tl0_picture_index is None else new_tl0_picture_index
    assert again == ours


def video(capture: Capture) -> list[tuple[rtp.RtpHeader, bytes, Vp8Descriptor]]:
    packets = []
    for packet in capture.of_kind("rtp"):
        header = rtp.parse(packet)
        if header.payload_type == capture.payload_types["VP8"]:
            payload = packet[header.payload_offset : header.payload_end]
            descriptor = vp8.parse(payload)
            assert descriptor is not None
            packets.append((header, payload, descriptor))
    return packets


def test_reads_three_simulcast_layers_of_chromium() -> None:
    layers = capture("chromium-vp8")
    sizes = {layers.rids[header.ssrc]: (d.width, d.height) for header, _, d in video(layers) if d.key_frame}
    assert sizes == {"q": (240, 135), "h": (480, 270), "f": (960, 540)}
    assert {d.temporal_id for _, _, d in video(layers)} == {0, 1, 2}
    for ssrc in layers.rids:
        stream = [(header, descriptor) for header, _, descriptor in video(layers) if header.ssrc == ssrc]
        stream.sort(key=lambda entry: entry[0].sequence_number)
        for (before, earlier), (header, descriptor) in pairwise(stream):
            assert descriptor.picture_id_bits == 15
            assert descriptor.key_frame <= (descriptor.temporal_id == 0)
            assert earlier.picture_id is not None and descriptor.picture_id is not None
            assert is_newer(descriptor.picture_id, earlier.picture_id, 15) == (before.timestamp != header.timestamp)


def test_chromium_leaves_the_counters_out_when_the_dependency_descriptor_has_them() -> None:
    for _, _, descriptor in video(capture("chromium-vp8-dependency-descriptor")):
        assert descriptor.length == 1
        assert (descriptor.picture_id, descriptor.tl0_picture_index, descriptor.temporal_id) == (None, None, None)


@pytest.mark.parametrize("capture", [c for c in captures() if "VP8" in c.payload_types], ids=lambda c: c.name)
def test_rewriting_with_its_own_counters_changes_nothing(capture: Capture) -> None:
    for _, payload, descriptor in video(capture):
        same = vp8.rewrite(payload, descriptor, descriptor.picture_id or 0, descriptor.tl0_picture_index or 0)
        assert same == payload
