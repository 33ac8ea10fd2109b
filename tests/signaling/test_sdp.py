"""The grammar of descriptions: sections, limits, and which line an error names."""

from __future__ import annotations

import pytest

from signaling import sdp
from signaling.errors import ProtocolError
from tests.signaling.descriptions import captured, captured_names

SMALL = "v=0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=mid:0\r\na=rtcp-mux\r\na=mid:1\r\n"


def test_splits_into_the_session_and_one_section_per_m_line() -> None:
    description = sdp.parse(SMALL)
    assert description.session.first("group") == sdp.Attribute("group", "BUNDLE 0", 2)
    (media,) = description.media
    assert (media.kind, media.port, media.protocol, media.formats) == ("audio", 9, "UDP/TLS/RTP/SAVPF", ("111", "0"))
    assert media.line == 3
    assert media.has("rtcp-mux")
    assert not media.has("group")
    assert [attribute.value for attribute in media.every("mid")] == ["0", "1"]
    assert media.first("mid") == sdp.Attribute("mid", "0", 4)


@pytest.mark.parametrize("text", [SMALL.replace("\r\n", "\n"), SMALL.rstrip(), SMALL + "\r\n\r\n"])
def test_line_ends_are_taken_as_they_come(text: str) -> None:
    assert sdp.parse(text) == sdp.parse(SMALL)


@pytest.mark.parametrize("name", captured_names())
def test_reads_every_captured_description_whole(name: str) -> None:
    text = captured(name)
    description = sdp.parse(text)
    attributes = [one for section in (description.session, *description.media) for one in section.attributes]
    assert len(attributes) == text.count("\na=")
    assert len(description.media) == text.count("\nm=")


def test_a_value_keeps_its_colons_and_loses_outer_spaces() -> None:
    description = sdp.parse(SMALL + "a=msid-semantic: WMS a:b \r\n")
    assert description.media[0].first("msid-semantic") == sdp.Attribute("msid-semantic", "WMS a:b", 7)


def test_the_names_of_sessions_may_be_written_in_any_script() -> None:
    sdp.parse(SMALL.replace("v=0\r\n", "v=0\r\ns=Besprechung über Grünes\r\n"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: a description begins with v=0"),
        ("hello", "line 1: not a line of SDP"),
        ("v=1\r\nm=audio 9 RTP/SAVPF 0\r\n", "line 1: a description begins with v=0"),
        ("v=0\r\ns=-\r\n", "line 2: there is no m-line"),
        ("v=0\r\n\r\nm=audio 9 RTP/SAVPF 0", "line 2: not a line of SDP"),
        ("v=0\r\na=x\0y\r\nm=audio 9 RTP/SAVPF 0", "line 2: not a line of SDP"),
        ("v=0\r\na=x\ry\r\nm=audio 9 RTP/SAVPF 0", "line 2: not a line of SDP"),
        ("v=0\r\na=x\x1by\r\nm=audio 9 RTP/SAVPF 0", "line 2: not a line of SDP"),
        ("v=0\r\na=größe\r\nm=audio 9 RTP/SAVPF 0", "line 2: not a line of SDP"),
        ("v=0\r\nm=audio 9 RTP/SAVPF", "line 2: an m-line has a kind, a port, a protocol and formats"),
        ("v=0\r\nm=audio x RTP/SAVPF 0", "line 2: 'x' is not a number up to 65535"),
        ("v=0\r\nm=audio 65536 RTP/SAVPF 0", "line 2: '65536' is not a number up to 65535"),
        ("v=0\r\nm=audio -1 RTP/SAVPF 0", "line 2: '-1' is not a number up to 65535"),
        ("v=0\r\nm=audio 9 RTP/SAVPF (", "line 2: an m-line is made of tokens"),
    ],
)
def test_what_is_malformed_is_named_by_its_line(text: str, reason: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        sdp.parse(text)
    assert (caught.value.code, caught.value.reason) == ("sdp_malformed", reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("v=0\r\n" + "a=x\r\n" * 60_000, "300005 characters are more than 250000"),
        ("v=0\r\na=" + "x" * 4000, "line 2: longer than 4000 characters"),
        ("v=0\r\n" + "m=audio 9 RTP/SAVPF 0\r\n" * 257, "line 258: more than 256 m-lines"),
        (
            "v=0\r\n" + "a=x\r\n" * 256 + "m=audio 9 RTP/SAVPF 0\r\n",
            "line 257: more than 256 lines before the first m-line",
        ),
    ],
)
def test_limits_are_named(text: str, reason: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        sdp.parse(text)
    assert (caught.value.code, caught.value.reason) == ("sdp_unsupported", reason)


@pytest.mark.parametrize("text", ["", "+1", "1_0", " 1", "²", "٣", "-0", "0x1", "1" * 11, "256"])
def test_numbers_are_plain_ascii_digits_in_their_range(text: str) -> None:
    with pytest.raises(ProtocolError):
        sdp.number(text, 1, 255)
    assert sdp.number("0255", 1, 255) == 255


def test_writes_lines_with_their_ends() -> None:
    assert sdp.write(["v=0", "s=-"]) == "v=0\r\ns=-\r\n"
