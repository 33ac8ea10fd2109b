import pytest
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire import extensions, rtp
from sfu.wire.rtp import MalformedRtp, RtpHeader
from tests.sfu.wire.captured import Capture, captures

FIXED = "80e0 1234 00015f90 deadbeef"


@pytest.mark.parametrize(
    ("packet", "header"),
    [
        (FIXED, RtpHeader(96, True, 0x1234, 90000, 0xDEADBEEF, {}, 12, 12)),
        (FIXED + "aabb", RtpHeader(96, True, 0x1234, 90000, 0xDEADBEEF, {}, 12, 14)),
        ("806f ffff ffffffff 00000000 01", RtpHeader(111, False, 0xFFFF, 0xFFFFFFFF, 0, {}, 12, 13)),
        # Two contributing sources are skipped
        ("8260 0001 00000002 00000003 11111111 22222222 cc", RtpHeader(96, False, 1, 2, 3, {}, 20, 21)),
        # Extension
        ("9060 0001 00000002 00000003 bede0001 10aa0000 cc", RtpHeader(96, False, 1, 2, 3, {1: b"\xaa"}, 20, 21)),
        ("9060 0001 00000002 00000003 10000000 cc", RtpHeader(96, False, 1, 2, 3, {}, 16, 17)),
        # Padding is cut off; padding only leaves nothing
        ("a060 0001 00000002 00000003 ccdd 000003", RtpHeader(96, False, 1, 2, 3, {}, 12, 14)),
        ("a060 0001 00000002 00000003 00000004", RtpHeader(96, False, 1, 2, 3, {}, 12, 12)),
        # All at once
        (
            "b161 0001 00000002 00000003 11111111 bede0001 20bb0000 cc 0002",
            RtpHeader(97, False, 1, 2, 3, {2: b"\xbb"}, 24, 25),
        ),
    ],
)
def test_parses(packet: str, header: RtpHeader) -> None:
    assert rtp.parse(bytes.fromhex(packet)) == header


@pytest.mark.parametrize(
    "packet",
    [
        "",
        "80",
        "80e0 1234 00015f90 deadbe",
        "40e0 1234 00015f90 deadbeef",  # version 1
        "c0e0 1234 00015f90 deadbeef",  # version 3
        "81e0 1234 00015f90 deadbeef 000000",  # a contributing source cut short
        "90e0 1234 00015f90 deadbeef bede00",  # cut in the extension header
        "90e0 1234 00015f90 deadbeef bede0002 10aa0000",  # and in the block
        "90e0 1234 00015f90 deadbeef bede0001 17aa0000",  # and in an element
        "a0e0 1234 00015f90 deadbeef 00",  # padding of no bytes
        "a0e0 1234 00015f90 deadbeef 02",  # more than there is
        "a0e0 1234 00015f90 deadbee0",  # reaching into the header
        "b0e0 1234 00015f90 deadbeef bede0001 10aa0005",  # reaching into the extension
    ],
)
def test_refuses_what_contradicts_itself(packet: str) -> None:
    with pytest.raises(MalformedRtp):
        rtp.parse(bytes.fromhex(packet))


@given(
    payload_type=st.integers(0, 127),
    marker=st.booleans(),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFF_FFFF),
    ssrc=st.integers(0, 0xFFFF_FFFF),
    elements=st.dictionaries(st.integers(1, 255), st.binary(max_size=20), max_size=5),
    payload=st.binary(max_size=50),
    padding=st.integers(0, 255),
)
def test_parses_what_it_built(
    payload_type: int,
    marker: bool,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
    elements: dict[int, bytes],
    payload: bytes,
    padding: int,
) -> None:
    packet = rtp.build(
        payload_type=payload_type,
        sequence_number=sequence_number,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=payload,
        marker=marker,
        extension=extensions.pack(list(elements.items())),
        padding=padding,
    )
    header = rtp.parse(packet)
    assert packet[header.payload_offset : header.payload_end] == payload
    assert len(packet) == header.payload_end + padding
    assert header == RtpHeader(
        payload_type,
        marker,
        sequence_number,
        timestamp,
        ssrc,
        elements,
        header.payload_offset,
        header.payload_end,
    )


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
def test_agrees_with_aiortc_on_what_chromium_sends(capture: Capture) -> None:
    for packet in capture.of_kind("rtp"):
        header = rtp.parse(packet)
        theirs = RtpPacket.parse(packet)
        assert header.payload_type == theirs.payload_type
        assert header.marker == bool(theirs.marker)
        assert header.sequence_number == theirs.sequence_number
        assert header.timestamp == theirs.timestamp
        assert header.ssrc == theirs.ssrc
        assert packet[header.payload_offset : header.payload_end] == theirs.payload
        assert len(packet) - header.payload_end == theirs.padding_size


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
def test_builds_captured_packets_again(capture: Capture) -> None:
    for packet in capture.of_kind("rtp"):
        header = rtp.parse(packet)
        rebuilt = rtp.build(
            payload_type=header.payload_type,
            sequence_number=header.sequence_number,
            timestamp=header.timestamp,
            ssrc=header.ssrc,
            payload=packet[header.payload_offset : header.payload_end],
            marker=header.marker,
            extension=packet[12 : header.payload_offset],
            padding=len(packet) - header.payload_end,
        )
        assert rebuilt == packet


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
def test_finds_mid_rid_and_transport_cc_in_what_chromium_sends(capture: Capture) -> None:
    ids = capture.extension_ids
    rtx = capture.payload_types["rtx"]
    transport_cc = []
    for packet in capture.of_kind("rtp"):
        header = rtp.parse(packet)
        transport_cc.append(int.from_bytes(header.extensions[ids.transport_cc], "big"))
        if rid := header.extensions.get(ids.rid):
            assert capture.rids[header.ssrc] == rid.decode()
            assert ids.mid in header.extensions
        assert (ids.repaired_rid in header.extensions) <= (header.payload_type == rtx)
    assert len(set(transport_cc)) == len(transport_cc)


def test_chromium_probes_with_packets_that_are_only_padding() -> None:
    probes = 0
    for capture in captures():
        for packet in capture.of_kind("rtp"):
            header = rtp.parse(packet)
            if header.payload_end == header.payload_offset:
                assert header.payload_type == capture.payload_types["rtx"]
                probes += 1
    assert probes
