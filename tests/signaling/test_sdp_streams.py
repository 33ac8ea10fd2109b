"""Mids, directions, rids and SSRCs of an m-line."""

from __future__ import annotations

import pytest

from sfu.control import SsrcGroup
from signaling import sdp_streams
from signaling.errors import ProtocolError
from signaling.sdp import Media, parse
from signaling.sdp_streams import Direction, Rid, read_direction, read_mid, read_rids, read_ssrcs
from tests.signaling.descriptions import captured, described, section

QHF = ("a=rid:q send", "a=rid:h send", "a=rid:f send")


def line(*attributes: str) -> Media:
    return parse(described(section("video 9 UDP/TLS/RTP/SAVPF 96", None, *attributes))).media[0]


def names(*attributes: str) -> list[str]:
    return [rid.name for rid in read_rids(line(*attributes))]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param([*QHF, "a=simulcast:send q;h;f"], ["q", "h", "f"], id="as browsers write it"),
        pytest.param([*QHF, "a=simulcast:send f;h;q"], ["f", "h", "q"], id="the order is that of the list"),
        pytest.param([*QHF, "a=simulcast:send q;~h;f"], ["q", "h", "f"], id="a paused stream is one, too"),
        pytest.param([*QHF, "a=simulcast:send q,h;f"], ["q", "f"], id="of alternatives the first"),
        pytest.param([*QHF, "a=simulcast:send ~q,~h;f"], ["q", "f"], id="also of paused ones"),
        pytest.param([*QHF, "a=simulcast:send q;q;f"], ["q", "f"], id="named twice"),
        pytest.param([*QHF, "a=simulcast:send q;x;f"], ["q", "f"], id="not declared"),
        pytest.param([*QHF, "a=simulcast:recv q;h;f"], [], id="received, not sent"),
        pytest.param([*QHF, "a=simulcast:recv q send h;f"], ["h", "f"], id="both directions"),
        pytest.param(
            [*QHF, "a=rid:a send", "a=rid:b send", "a=simulcast:send a;q;h;f;b"],
            ["a", "q", "h"],
            id="at most three",
        ),
        pytest.param(["a=rid:only send"], ["only"], id="one needs no list"),
        pytest.param(QHF, [], id="several without a list have no order"),
        pytest.param(["a=rid:q recv", "a=rid:f send", "a=simulcast:send q;f"], ["f"], id="one is received"),
        pytest.param(["a=simulcast:send q;h"], [], id="a list of nothing"),
        pytest.param([], [], id="no simulcast"),
    ],
)
def test_rids(attributes: list[str], expected: list[str]) -> None:
    assert names(*attributes) == expected


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ("a=rid:q", "not `a=rid:<rid> send`"),
        ("a=rid:", "not `a=rid:<rid> send`"),
        ("a=rid:q sideways", "not `a=rid:<rid> send`"),
        ("a=rid:q;h send", "not `a=rid:<rid> send`"),
        ("a=rid:" + "q" * 17 + " send", "not `a=rid:<rid> send`"),
        ("a=rid:f send", "rid f comes twice"),
        ("a=simulcast:", "not `a=simulcast:send <rid>;<rid>…`"),
        ("a=simulcast:send", "not `a=simulcast:send <rid>;<rid>…`"),
        ("a=simulcast:f;q", "not `a=simulcast:send <rid>;<rid>…`"),
        ("a=simulcast:send f send q", "not `a=simulcast:send <rid>;<rid>…`"),
        ("a=simulcast:send f recv", "not `a=simulcast:send <rid>;<rid>…`"),
        ("a=simulcast: send rid=q;h extra", "not `a=simulcast:send <rid>;<rid>…`"),
    ],
)
def test_malformed_simulcast_is_named_by_its_line(attribute: str, reason: str) -> None:
    media = line("a=rid:f send", attribute)
    with pytest.raises(ProtocolError) as caught:
        read_rids(media)
    assert (caught.value.code, caught.value.reason) == ("sdp_malformed", f"line {media.line + 7}: {reason}")


def test_answers_simulcast_with_the_same_rids_received() -> None:
    media = line(*QHF, "a=simulcast:send q;~h;f")
    assert sdp_streams.write_received_rids(media, ["96"]) == [
        "a=rid:q recv",
        "a=rid:h recv",
        "a=rid:f recv",
        "a=simulcast:recv q;h;f",
    ]


def test_answers_one_rid_without_a_list_in_kind() -> None:
    assert sdp_streams.write_received_rids(line("a=rid:only send"), ["96"]) == ["a=rid:only recv"]


def test_repeats_restrictions_but_only_for_payload_types_that_are_left() -> None:
    media = line("a=rid:q send pt=96,98;max-width=320", "a=rid:f send pt=98", "a=simulcast:send q;f")
    assert read_rids(media) == (Rid("q", "pt=96,98;max-width=320"), Rid("f", "pt=98"))
    assert sdp_streams.write_received_rids(media, ["96"])[:2] == ["a=rid:q recv pt=96;max-width=320", "a=rid:f recv"]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param(["a=ssrc:7 cname:x", "a=ssrc:7 msid:a b"], [SsrcGroup(7)], id="media alone"),
        pytest.param(
            ["a=ssrc-group:FID 7 8", "a=ssrc:7 cname:x", "a=ssrc:8 cname:x"], [SsrcGroup(7, 8)], id="with RTX"
        ),
        pytest.param(
            ["a=ssrc:8 cname:x", "a=ssrc:7 cname:x", "a=ssrc-group:FID 7 8"],
            [SsrcGroup(7, 8)],
            id="whatever comes first",
        ),
        pytest.param(
            ["a=ssrc:7 cname:x", "a=ssrc:9 cname:x", "a=ssrc-group:FEC-FR 7 9"], [SsrcGroup(7)], id="FEC is not media"
        ),
        pytest.param(
            ["a=ssrc:1 cname:x", "a=ssrc:2 cname:x", "a=ssrc-group:SIM 1 2"],
            [SsrcGroup(1)],
            id="simulcast without rids: its first layer",
        ),
        pytest.param(["a=ssrc:7"], [SsrcGroup(7)], id="nothing said of it"),
        pytest.param([], [], id="none"),
    ],
)
def test_ssrcs(attributes: list[str], expected: list[SsrcGroup]) -> None:
    assert list(read_ssrcs(line(*attributes))) == expected


@pytest.mark.parametrize("attribute", ["a=ssrc:", "a=ssrc:x cname:y", "a=ssrc:4294967296 x", "a=ssrc-group:"])
def test_malformed_ssrcs(attribute: str) -> None:
    with pytest.raises(ProtocolError, match="sdp_malformed: line 11"):
        read_ssrcs(line(attribute))


def test_firefox_states_ssrcs_beside_rids_and_the_rids_count() -> None:
    simulcast = parse(captured("firefox-camera-screen-data")).media[1]
    assert [rid.name for rid in read_rids(simulcast)] == ["q", "h", "f"]
    assert simulcast.has("ssrc")


@pytest.mark.parametrize(
    ("media", "session", "expected"),
    [
        ("a=sendonly", "a=inactive", Direction(True, False)),
        ("a=x", "a=recvonly", Direction(False, True)),
        ("a=x", "a=x", Direction(True, True)),
        ("a=inactive", "a=x", Direction(False, False)),
        ("a=sendrecv", "a=x", Direction(True, True)),
    ],
)
def test_a_direction_of_the_m_line_goes_before_that_of_the_session(
    media: str, session: str, expected: Direction
) -> None:
    description = parse(described(section("video 9 UDP/TLS/RTP/SAVPF 96", "0", media), session=[session]))
    assert read_direction(description.media[0], description.session) == expected


def test_directions_are_written_as_they_are_read() -> None:
    for name in ("sendrecv", "sendonly", "recvonly", "inactive"):
        description = parse(described(section("video 9 UDP/TLS/RTP/SAVPF 96", "0", f"a={name}")))
        assert str(read_direction(description.media[0], description.session)) == name


@pytest.mark.parametrize("mid", ["", "a b", "a" * 17, "ä"])
def test_a_mid_fits_a_header_extension(mid: str) -> None:
    with pytest.raises(ProtocolError, match="sdp_malformed"):
        read_mid(line(f"a=mid:{mid}"))
    assert read_mid(line("a=mid:{0-a}")) == "{0-a}"
    assert read_mid(line()) is None
