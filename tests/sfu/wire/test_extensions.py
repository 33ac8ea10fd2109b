import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire import rtp
from sfu.wire.errors import MalformedRtp
from sfu.wire.extensions import (
    UPRIGHT,
    URIS,
    AudioLevel,
    ExtensionIds,
    Orientation,
    abs_send_time,
    pack,
    pack_audio_level,
    pack_orientation,
    parse,
    parse_audio_level,
    parse_capture_time,
    parse_orientation,
)
from tests.sfu.wire.captured import Capture, captures

ONE_BYTE, TWO_BYTE = 0xBEDE, 0x1000


@pytest.mark.parametrize(
    ("profile", "block", "elements"),
    [
        (ONE_BYTE, "", {}),
        (ONE_BYTE, "10aa21bbbb000033cccccccc", {1: "aa", 2: "bbbb", 3: "cccccccc"}),  # RFC 8285 §4.2, padding inside
        (ONE_BYTE, "10aa0000", {1: "aa"}),
        (ONE_BYTE, "10aaf120bb000000", {1: "aa"}),  # id 15 ends the block
        (ONE_BYTE, "10aa0120bb000000", {1: "aa"}),  # id 0 with a length, too
        (ONE_BYTE, "1011 10220000", {1: "22"}),  # the same id twice
        (ONE_BYTE, "ef" + "aa" * 16 + "000000", {14: "aa" * 16}),
        (TWO_BYTE, "", {}),
        (TWO_BYTE, "0100 0201bb 0003 04cccccccc", {1: "", 2: "bb", 3: "cccccccc"}),  # RFC 8285 §4.3
        (TWO_BYTE, "ff01aa00", {255: "aa"}),
        (TWO_BYTE, "0f01aa00", {15: "aa"}),  # 15 is an id like any other here
        (0x100F, "0101aa00", {1: "aa"}),  # the four free bits of the profile
        (0x1010, "0101aa00", {}),  # not RFC 8285
        (0x0000, "10aa0000", {}),
    ],
)
def test_parses_both_forms(profile: int, block: str, elements: dict[int, str]) -> None:
    assert parse(profile, bytes.fromhex(block)) == {n: bytes.fromhex(value) for n, value in elements.items()}


@pytest.mark.parametrize(
    ("profile", "block"),
    [
        (ONE_BYTE, "12aabb"),
        (ONE_BYTE, "10"),
        (TWO_BYTE, "01"),
        (TWO_BYTE, "0104aabb"),
        (TWO_BYTE, "000000ff"),
    ],
)
def test_refuses_elements_that_run_past_the_block(profile: int, block: str) -> None:
    with pytest.raises(MalformedRtp):
        parse(profile, bytes.fromhex(block))


@pytest.mark.parametrize(
    ("elements", "packed"),
    [
        ([], ""),
        ([(1, "aa")], "bede0001 10aa0000"),
        ([(1, "aa"), (14, "bbbb")], "bede0002 10aae1bb bb000000"),
        ([(3, "aabbcc")], "bede0001 32aabbcc"),
        ([(15, "aa")], "10000001 0f01aa00"),
        ([(1, "")], "10000001 01000000"),
        ([(1, "aa"), (2, "cc" * 17)], "10000006 0101aa02 11" + "cc" * 17 + "0000"),
    ],
)
def test_packs_the_one_byte_form_when_it_can(elements: list[tuple[int, str]], packed: str) -> None:
    assert pack([(number, bytes.fromhex(value)) for number, value in elements]) == bytes.fromhex(packed)


@pytest.mark.parametrize(("number", "length"), [(0, 1), (256, 1), (-1, 1), (1, 256)])
def test_refuses_to_pack_what_no_form_can_carry(number: int, length: int) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        pack([(number, bytes(length))])


@given(st.dictionaries(st.integers(1, 255), st.binary(max_size=40)))
def test_parses_what_it_packed(elements: dict[int, bytes]) -> None:
    packed = pack(list(elements.items()))
    assert len(packed) % 4 == 0
    if elements:
        assert int.from_bytes(packed[2:4], "big") * 4 == len(packed) - 4
        assert parse(int.from_bytes(packed[:2], "big"), packed[4:]) == elements


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
def test_writes_byte_for_byte_what_chromium_wrote(capture: Capture) -> None:
    for packet in capture.of_kind("rtp"):
        block = packet[12 : 16 + 4 * int.from_bytes(packet[14:16], "big")]
        assert pack(list(rtp.parse(packet).extensions.items())) == block


def test_ids_come_from_uris_and_go_back() -> None:
    mapping = {URIS["mid"]: 4, URIS["transport_cc"]: 3}
    ids = ExtensionIds.from_uris(mapping | {"urn:ietf:params:rtp-hdrext:toffset": 14})
    assert ids == ExtensionIds(mid=4, transport_cc=3)
    assert ids.to_uris() == mapping
    assert ExtensionIds().to_uris() == {}


def test_every_field_has_a_uri() -> None:
    everything = {uri: number for number, uri in enumerate(URIS.values(), 1)}
    assert ExtensionIds.from_uris(everything).to_uris() == everything
    assert set(URIS) == set(ExtensionIds.__slots__)


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("00", AudioLevel(False, 0)),
        ("7f", AudioLevel(False, -127)),
        ("8a", AudioLevel(True, -10)),
        ("ff", AudioLevel(True, -127)),
    ],
)
def test_audio_levels(value: str, level: AudioLevel) -> None:
    assert parse_audio_level(bytes.fromhex(value)) == level
    assert pack_audio_level(level) == bytes.fromhex(value)


def test_audio_level_may_be_padded_but_not_empty() -> None:
    assert parse_audio_level(b"\x8a\x00") == AudioLevel(True, -10)
    with pytest.raises(MalformedRtp):
        parse_audio_level(b"")


def test_audio_levels_out_of_range_are_the_nearest() -> None:
    assert pack_audio_level(AudioLevel(False, -200)) == b"\x7f"
    assert pack_audio_level(AudioLevel(False, 3)) == b"\x00"


@pytest.mark.parametrize(
    ("now_s", "value"), [(0.0, "000000"), (1.0, "040000"), (1.5, "060000"), (63.75, "ff0000"), (64.0, "000000")]
)
def test_abs_send_time_is_6_18_fixed_point(now_s: float, value: str) -> None:
    assert abs_send_time(now_s) == bytes.fromhex(value)


def test_a_capture_time_is_told_on_the_senders_clock() -> None:
    captured = 0xE8A1_0000_8000_0000
    assert parse_capture_time(captured.to_bytes(8, "big")) == captured
    behind = (-(3 << 31)).to_bytes(8, "big", signed=True)  # the capturing clock is a second and a half ahead
    assert parse_capture_time(captured.to_bytes(8, "big") + behind) == 0xE8A0_FFFF_0000_0000
    for length in (0, 7, 9, 15, 17):
        with pytest.raises(MalformedRtp):
            parse_capture_time(bytes(length))


@pytest.mark.parametrize(
    ("value", "orientation"),
    [
        ("00", UPRIGHT),
        ("01", Orientation(1)),  # sent 90° counter-clockwise: a quarter turn clockwise makes it upright
        ("02", Orientation(2)),
        ("03", Orientation(3)),
        ("04", Orientation(0, mirrored=True)),
        ("07", Orientation(3, mirrored=True)),
        ("09", Orientation(1)),  # of the camera at the back
        ("f1", Orientation(1)),  # finer angles, of urn:3gpp:video-orientation:6
        ("0100", Orientation(1)),
    ],
)
def test_orientations_say_how_a_picture_is_made_upright(value: str, orientation: Orientation) -> None:
    assert parse_orientation(bytes.fromhex(value)) == orientation
    assert parse_orientation(pack_orientation(orientation)) == orientation


def test_an_empty_orientation_is_refused() -> None:
    with pytest.raises(MalformedRtp):
        parse_orientation(b"")
