import pytest

from sfu.wire.demux import Kind, classify
from tests.sfu.wire.captured import Capture, captures


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (0, Kind.STUN),
        (3, Kind.STUN),
        (4, Kind.UNKNOWN),
        (16, Kind.UNKNOWN),  # ZRTP
        (19, Kind.UNKNOWN),
        (20, Kind.DTLS),
        (63, Kind.DTLS),
        (64, Kind.UNKNOWN),  # TURN channel data
        (127, Kind.UNKNOWN),
        (128, Kind.RTP),
        (191, Kind.RTP),
        (192, Kind.UNKNOWN),
        (255, Kind.UNKNOWN),
    ],
)
def test_tells_kinds_apart_by_the_first_byte(first: int, kind: Kind) -> None:
    assert classify(bytes([first]) + bytes(19)) is kind


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (111, Kind.RTP),
        (191, Kind.RTP),
        (192, Kind.RTCP),
        (200, Kind.RTCP),
        (206, Kind.RTCP),
        (223, Kind.RTCP),
        (224, Kind.RTP),  # payload type 96 with marker
        (255, Kind.RTP),
    ],
)
def test_tells_rtcp_from_rtp_by_the_second_byte(second: int, kind: Kind) -> None:
    datagram = bytes([0x80, second]) + bytes(18)
    assert classify(datagram) is kind
    assert classify(memoryview(datagram)) is kind


@pytest.mark.parametrize("datagram", [b"", b"\x00", b"\x80"])
def test_nothing_is_known_of_less_than_two_bytes(datagram: bytes) -> None:
    assert classify(datagram) is Kind.UNKNOWN


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
def test_sorts_what_chromium_sends(capture: Capture) -> None:
    for captured in capture.packets:
        assert classify(captured.packet).value == captured.kind
