import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire import rtp, rtx
from sfu.wire.errors import MalformedRtp
from tests.sfu.wire.captured import Capture, captures


def test_puts_the_original_sequence_number_in_front() -> None:
    assert rtx.wrap(b"\xaa\xbb", 0x1234) == b"\x12\x34\xaa\xbb"
    assert rtx.unwrap(b"\x12\x34\xaa\xbb") == (0x1234, b"\xaa\xbb")
    assert rtx.unwrap(b"\x00\x01") == (1, b"")


@pytest.mark.parametrize("payload", [b"", b"\x12"])
def test_refuses_a_payload_without_sequence_number(payload: bytes) -> None:
    with pytest.raises(MalformedRtp):
        rtx.unwrap(payload)


@given(st.binary(), st.integers(0, 0xFFFF))
def test_unwraps_what_it_wrapped(payload: bytes, sequence_number: int) -> None:
    assert rtx.unwrap(rtx.wrap(payload, sequence_number)) == (sequence_number, payload)


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
def test_chromium_repeats_payload_timestamp_and_marker_of_the_original(capture: Capture) -> None:
    originals = {}
    found = 0
    for packet in capture.of_kind("rtp"):
        header = rtp.parse(packet)
        payload = packet[header.payload_offset : header.payload_end]
        if header.payload_type != capture.payload_types["rtx"]:
            originals[header.timestamp, header.sequence_number] = (payload, header.marker)
        elif payload:
            number, original = rtx.unwrap(payload)
            if (known := originals.get((header.timestamp, number))) is not None:
                assert known == (original, header.marker)
                again = rtx.restore(packet, header.payload_offset, 96, 0xDEADBEEF)
                restored = rtp.parse(again)
                assert (again[restored.payload_offset : restored.payload_end], restored.marker) == known
                assert restored.extensions == header.extensions
                assert (restored.sequence_number, restored.timestamp) == (number, header.timestamp)
                assert (restored.payload_type, restored.ssrc) == (96, 0xDEADBEEF)
                found += 1
    assert found >= 5
