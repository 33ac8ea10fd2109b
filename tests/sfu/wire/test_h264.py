import pytest

from sfu.wire import h264, rtp
from tests.sfu.wire.captured import capture


@pytest.mark.parametrize(
    ("payload", "key_frame"),
    [
        ("", False),
        ("65", True),  # IDR slice
        ("25", True),  # whatever its importance
        ("67 42e01f", True),  # sequence parameter set
        ("68 ce3c80", False),  # picture parameter set alone
        ("41 9a", False),
        ("61 e0", False),
        ("06 05", False),  # SEI
        ("7c 85 b8", True),  # FU-A: start of an IDR slice
        ("7c 05 3c", False),  # its middle
        ("7c 45 26", False),  # its end
        ("7c 87 42", True),  # start of a parameter set
        ("7c 81 e0", False),  # start of another slice
        ("7c", False),
        ("78 0003 6742e0 0002 68ce", True),  # STAP-A: parameter sets
        ("78 0002 68ce 0002 65b8", True),  # IDR slice second
        ("78 0002 68ce 0002 419a", False),
        ("78 0002 0605", False),
        ("78 0000 0002 65b8", True),  # an empty unit is stepped over
        ("78 0002 68ce 00", False),  # cut in a length
        ("78 ffff 67", True),  # cut in the unit itself: what can be read counts
        ("78 ffff 41 65", False),
        ("78 0000", False),
        ("78", False),
        ("79 0000 0002 65b8", False),  # STAP-B and the other kinds of interleaved mode are not for us
    ],
)
def test_knows_where_a_decoder_can_begin(payload: str, key_frame: bool) -> None:
    assert h264.is_key_frame(bytes.fromhex(payload)) is key_frame


def test_finds_the_key_frames_of_chromium() -> None:
    layers = capture("chromium-h264")
    first_packets: dict[tuple[int, int], tuple[bool, int]] = {}  # (SSRC, timestamp): key frame, descriptor bytes
    descriptors = layers.extension_ids.dependency_descriptor
    for packet in layers.of_kind("rtp"):
        header = rtp.parse(packet)
        if header.payload_type == layers.payload_types["H264"]:
            descriptor = header.extensions[descriptors]
            if descriptor[0] & 0x80:  # first packet of its frame
                key_frame = h264.is_key_frame(packet[header.payload_offset : header.payload_end])
                first_packets[header.ssrc, header.timestamp] = (key_frame, len(descriptor))
    # The dependency descriptor carries its template structure (RTP payload format for AV1, A.4) on key frames only;
    # it is then the long one: a second opinion.
    assert {rid for (ssrc, _), (key, _) in first_packets.items() if key for rid in [layers.rids[ssrc]]} == set("qhf")
    assert len({key for key, _ in first_packets.values()}) == 2
    for key_frame, length in first_packets.values():
        assert key_frame == (length > 8)
