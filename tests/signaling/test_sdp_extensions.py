"""Header extensions: what is taken under which number, and how it is answered."""

from __future__ import annotations

import pytest

from sfu.core.types import Codec
from sfu.wire.extensions import URIS, ExtensionIds
from signaling.errors import ProtocolError
from signaling.sdp import Description, parse
from signaling.sdp_extensions import RECEIVED, Numbering, offered_names, to_ids, write_answered, write_offered
from signaling.sdp_streams import Direction
from tests.signaling.descriptions import captured, described, section

MID, LEVEL, ORIENTATION = URIS["mid"], URIS["audio_level"], URIS["video_orientation"]


def description(*lines: list[str], session: list[str] | None = None) -> Description:
    sections = [section("video 9 UDP/TLS/RTP/SAVPF 96", str(mid), *line) for mid, line in enumerate(lines)]
    return parse(described(*sections, session=session or []))


def taken(one: Description, *, mixed: bool = False) -> list[dict[str, int]]:
    numbering = Numbering(mixed)
    return [
        {extension.name: extension.number for extension in numbering.take(media, one.session, list(URIS))}
        for media in one.media
    ]


def test_takes_the_extensions_it_knows_by_uri() -> None:
    one = description([f"a=extmap:4 {MID}", "a=extmap:5 urn:example:other", f"a=extmap:6 {LEVEL} vad=on"])
    assert taken(one) == [{"mid": 4, "audio_level": 6}]


def test_those_of_the_session_count_for_every_m_line() -> None:
    assert taken(description([], [], session=[f"a=extmap:4 {MID}"])) == [{"mid": 4}, {"mid": 4}]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([f"a=extmap:4 {MID}"], [f"a=extmap:4 {MID}"], {"mid": 4}),
        ([f"a=extmap:4 {MID}"], [f"a=extmap:5 {MID}"], {}),
        ([f"a=extmap:4 {MID}"], [f"a=extmap:4 {LEVEL}"], {}),
        ([], [f"a=extmap:4 {MID}", f"a=extmap:5 {MID}"], {"mid": 4}),
    ],
)
def test_one_numbering_for_the_connection(first: list[str], second: list[str], expected: dict[str, int]) -> None:
    assert taken(description(first, second))[1] == expected


@pytest.mark.parametrize(
    ("number", "one_byte", "two_byte"),
    [
        (1, True, True),
        (14, True, True),
        (15, False, False),
        (16, False, True),
        (255, False, True),
        (4096, False, False),
    ],
)
def test_numbers_above_14_need_the_two_byte_form(number: int, one_byte: bool, two_byte: bool) -> None:
    one = description([f"a=extmap:{number} {MID}"])
    assert bool(taken(one)[0]) is one_byte
    assert bool(taken(one, mixed=True)[0]) is two_byte


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        (f"a=extmap:4 {MID}", [f"a=extmap:4 {MID}"]),
        (f"a=extmap:4/sendonly {MID}", [f"a=extmap:4/recvonly {MID}"]),
        (f"a=extmap:4/sendrecv {MID}", [f"a=extmap:4/recvonly {MID}"]),
        (f"a=extmap:4/recvonly {MID}", []),
        (f"a=extmap:4/inactive {MID}", []),
        (f"a=extmap:4 {MID} with attributes", [f"a=extmap:4 {MID}"]),
    ],
)
def test_answers_those_that_the_remote_sends(offered: str, answered: list[str]) -> None:
    one = description([offered])
    assert write_answered(Numbering().take(one.media[0], one.session, ["mid"])) == answered


@pytest.mark.parametrize(
    "attribute", ["a=extmap:4", "a=extmap:x urn:y", "a=extmap:0 urn:y", "a=extmap:4352 urn:y", "a=extmap:1/up urn:y"]
)
def test_malformed_extensions_are_named_by_their_line(attribute: str) -> None:
    with pytest.raises(ProtocolError, match="sdp_malformed: line 13"):
        taken(description([attribute]))


def test_publishers_are_not_asked_for_what_nobody_reads() -> None:
    chromium = parse(captured("chromium-camera-screen-data"))
    numbering = Numbering()
    assert to_ids(numbering.take(chromium.media[0], chromium.session, RECEIVED["audio"])) == ExtensionIds(
        mid=4, abs_send_time=2, transport_cc=3, audio_level=1
    )
    assert to_ids(numbering.take(chromium.media[1], chromium.session, RECEIVED["video"])) == ExtensionIds(
        mid=4,
        rid=10,
        repaired_rid=11,
        abs_send_time=2,
        transport_cc=3,
        video_orientation=13,
        playout_delay=5,
    )


@pytest.mark.parametrize(
    ("codecs", "sends", "asked"),
    [
        ((Codec.AV1, Codec.VP8), True, True),
        ((Codec.H264,), True, True),
        ((Codec.VP8, Codec.AV1, Codec.H264), True, False),
        ((Codec.VP9, Codec.AV1), True, False),
        ((), True, False),
        ((Codec.VP8, Codec.AV1), False, True),  # who only receives
        ((Codec.VP8, Codec.H264), False, False),
    ],
)
def test_the_dependency_descriptor_is_taken_where_nothing_else_tells_layers(
    codecs: tuple[Codec, ...], sends: bool, asked: bool
) -> None:
    names = offered_names("video", codecs, Direction(sends, not sends))
    assert ("dependency_descriptor" in names) is asked


def test_the_dependency_descriptor_needs_the_two_byte_form() -> None:
    one = description([f"a=extmap:7 {URIS['dependency_descriptor']}"])
    assert taken(one) == [{}]
    assert taken(one, mixed=True) == [{"dependency_descriptor": 7}]


def test_offers_what_a_kind_of_m_line_can_use() -> None:
    ids = ExtensionIds(mid=1, rid=2, audio_level=3, video_orientation=4)
    assert write_offered(ids, "audio") == [f"a=extmap:1 {MID}", f"a=extmap:3 {LEVEL}"]
    assert write_offered(ids, "video") == [f"a=extmap:1 {MID}", f"a=extmap:4 {ORIENTATION}"]
