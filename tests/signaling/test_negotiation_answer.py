"""Answering an offer: what is read of it, and the fate of every m-line."""

from __future__ import annotations

import pytest

from sfu.control import SsrcGroup
from sfu.core.types import Codec, PayloadFormat
from sfu.wire.extensions import ExtensionIds
from signaling.errors import ProtocolError
from signaling.negotiation import Answerer
from tests.signaling.answering import DATA, H265, negotiate, receivable, summary
from tests.signaling.descriptions import (
    LOCAL,
    audio,
    captured,
    captured_names,
    described,
    section,
    sections_of,
    video,
)

# --- what browsers offer ---------------------------------------------------------------------------------------


def test_reads_chromiums_camera_screen_and_data_channel() -> None:
    offer = Answerer().on_offer(captured("chromium-camera-screen-data"))
    microphone, camera, screen = offer.media
    assert (microphone.mid, microphone.kind, microphone.sends, microphone.rids) == ("0", "audio", True, ())
    assert microphone.formats == (PayloadFormat(63, Codec.RED, 48000), PayloadFormat(111, Codec.OPUS, 48000))
    assert (camera.mid, camera.kind, camera.rids, camera.ssrcs) == ("1", "video", ("q", "h", "f"), ())
    assert camera.formats == (
        PayloadFormat(96, Codec.VP8, 90000),
        PayloadFormat(97, Codec.VP8, 90000, repairs=96),
        PayloadFormat(108, Codec.H264, 90000),
        PayloadFormat(109, Codec.H264, 90000, repairs=108),
        PayloadFormat(45, Codec.AV1, 90000),
        PayloadFormat(46, Codec.AV1, 90000, repairs=45),
        PayloadFormat(98, Codec.VP9, 90000),
        PayloadFormat(99, Codec.VP9, 90000, repairs=98),
    )
    assert (screen.mid, screen.rids, len(screen.ssrcs)) == ("2", (), 1)
    assert screen.ssrcs[0].rtx_ssrc is not None
    assert offer.remote.dtls_client is False
    assert offer.remote.sctp_port == 5000
    assert len(offer.remote.fingerprints) == 1
    assert offer.remote.receive_extensions == ExtensionIds(
        mid=4,
        rid=10,
        repaired_rid=11,
        abs_send_time=2,
        transport_cc=3,
        audio_level=1,
        video_orientation=13,
        playout_delay=5,
    )
    assert offer.remote.send_extensions == ExtensionIds()


def test_reads_firefoxs_simulcast_by_rid_although_it_states_ssrcs() -> None:
    offer = Answerer().on_offer(captured("firefox-camera-screen-data"))
    _, camera, screen = offer.media
    assert (camera.rids, camera.ssrcs) == (("q", "h", "f"), ())
    assert [one.codec for one in camera.formats if one.repairs is None] == [Codec.VP8, Codec.VP9, Codec.AV1]
    assert len(screen.ssrcs) == 1
    assert offer.remote.receive_extensions == ExtensionIds(
        mid=3, rid=9, repaired_rid=10, abs_send_time=4, transport_cc=7, audio_level=1
    )


def test_reads_the_preferred_codec_first() -> None:
    (camera,) = Answerer().on_offer(captured("chromium-h264-first")).media
    assert [one.codec for one in camera.formats if one.repairs is None] == [
        Codec.H264,
        Codec.VP8,
        Codec.AV1,
        Codec.VP9,
    ]


def test_ffmpeg_opens_the_handshake_to_nobody_so_we_do() -> None:
    offer, answer = negotiate(Answerer(), captured("ffmpeg-whip"))
    assert offer.remote.dtls_client is True
    assert offer.media[0].ssrcs == (SsrcGroup(1491431218),)
    assert offer.media[1].ssrcs == (SsrcGroup(1491431219, 1491431220),)
    assert [one.codec for one in offer.media[1].formats] == [Codec.H264, Codec.H264]
    assert offer.remote.receive_extensions == ExtensionIds()
    assert all("a=setup:active" in lines for lines in answer[1:])


@pytest.mark.parametrize("name", [name for name in captured_names() if not name.startswith("answer-")])
def test_answers_every_captured_offer_line_by_line(name: str) -> None:
    offered = sections_of(captured(name))[1:]
    offer, answer = negotiate(Answerer(), captured(name))
    assert answer[0][4] == f"a=group:BUNDLE {' '.join(str(mid) for mid in range(len(offered)))}"
    assert "a=ice-lite" in answer[0]
    for before, after in zip(offered, answer[1:], strict=True):
        kind, _, protocol, *formats = before[0].split()
        assert after[0].split()[:3] == [kind, "9", protocol]
        assert set(after[0].split()[3:]) <= set(formats)
        assert [line for line in after if line.startswith("a=mid:")] == [
            line for line in before if line.startswith("a=mid:")
        ]
        media = kind != "m=application"
        assert ("a=rtcp-mux" in after) is media
        assert ("a=rtcp-rsize" in after) is ("a=rtcp-rsize" in before)
        assert not any("goog-remb" in line for line in after)
        assert any("dependency-descriptor" in line for line in after) is (media and name == "chromium-h264-first")
        expected = "a=recvonly" if "a=sendonly" in before else "a=inactive"
        assert (expected in after) is media
    assert sum("a=end-of-candidates" in lines for lines in answer) == 1
    assert len(receivable(offer)) == sum("a=recvonly" in lines for lines in answer)


@pytest.mark.parametrize("name", ["chromium-camera-screen-data", "firefox-camera-screen-data"])
def test_answers_simulcast_and_data(name: str) -> None:
    _, (_, microphone, camera, screen, data) = negotiate(Answerer(), captured(name))
    simulcast = [line for line in camera if line.startswith(("a=rid", "a=simulcast"))]
    assert simulcast == ["a=rid:q recv", "a=rid:h recv", "a=rid:f recv", "a=simulcast:recv q;h;f"]
    assert not any("simulcast" in line or "a=rid" in line for line in microphone + screen)
    assert data[3:5] == ["a=sctp-port:5000", "a=max-message-size:65536"]
    assert not any("rtcp" in line or "candidate" in line for line in data)


def test_a_viewers_numbers_and_what_no_answer_can_have() -> None:
    text = described(audio("a", "a=recvonly"), video("v", "a=sendrecv"), H265, video("o"), bundle="a v 0")
    offer = Answerer().on_offer(text)
    assert [(one.line, one.mid, one.sends, one.receives) for one in offer.media] == [
        (6, "a", False, True),
        (16, "v", True, True),
        (28, "0", True, False),
        (37, "o", False, False),
    ]
    assert offer.media[0].payload_types == {Codec.OPUS: (111, None)}
    assert offer.media[1].payload_types == {Codec.VP8: (96, 97)}
    assert offer.media[2].payload_types == {}
    assert offer.rejected == (28, 37), "nothing to forward, and outside of the group"


# --- the whole answer ------------------------------------------------------------------------------------------


def test_the_answer_to_a_small_offer_word_for_word() -> None:
    answerer = Answerer()
    answerer.on_offer(described(audio("a", "a=sendonly", "a=setup:actpass"), session=["a=extmap-allow-mixed"]))
    assert answerer.answer(LOCAL, receive=["a"]).split("\r\n") == [
        "v=0",
        "o=- 27693830566733672 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE a",
        "a=msid-semantic: WMS *",
        "a=ice-lite",
        "a=extmap-allow-mixed",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=mid:a",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1",
        "a=ice-ufrag:0abcdefgh",
        "a=ice-pwd:0123456789abcdefghijklmn",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:passive",
        "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host",
        "a=candidate:2 1 udp 2130706175 ::1 9 typ host",
        "a=end-of-candidates",
        "",
    ]


def test_the_version_grows_and_the_session_stays_even_over_an_ice_restart() -> None:
    answerer = Answerer()
    _, first = negotiate(answerer, described(audio("a")))
    answerer.on_offer(described(audio("a")).replace("a=ice-ufrag:remote", "a=ice-ufrag:changed"))
    renewed = type(LOCAL)(
        call=2,
        ice=type(LOCAL.ice)("0otherone", LOCAL.ice.password),
        fingerprints=LOCAL.fingerprints,
        candidates=LOCAL.candidates,
    )
    second = sections_of(answerer.answer(renewed, receive=["a"]))
    session, version = first[0][1].split()[1:3]
    assert second[0][1].split()[1:3] == [session, str(int(version) + 1)]
    assert "a=ice-ufrag:0otherone" in second[1]


# --- fates of m-lines ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "receive", "expected"),
    [
        pytest.param(
            described(audio("a"), video("v")), ["a", "v"], ["9 a recvonly", "9 v recvonly"], id="all are wanted"
        ),
        pytest.param(described(audio("a"), video("v")), ["v"], ["9 a inactive", "9 v recvonly"], id="one is wanted"),
        pytest.param(
            described(audio("a", "a=recvonly"), video("v", "a=sendrecv")),
            ["v"],
            ["9 a inactive", "9 v recvonly"],
            id="one sends nothing",
        ),
        pytest.param(
            described(audio("a"), video("v", "a=sendonly", "a=bundle-only", port=0)),
            ["a", "v"],
            ["9 a recvonly", "9 v recvonly"],
            id="bundle-only with port 0 is live",
        ),
        pytest.param(
            described(audio("a"), video("v", port=0), bundle="a"),
            ["a"],
            ["9 a recvonly", "0 v inactive"],
            id="port 0 alone is rejected",
        ),
        pytest.param(
            described(audio("a"), [line.replace("a=mid:0", "a=mid:v") for line in H265]),
            ["a"],
            ["9 a recvonly", "0 v inactive"],
            id="nothing to forward",
        ),
        pytest.param(
            described(H265, audio("a")),
            ["a"],
            ["9 0 inactive", "9 a recvonly"],
            id="nothing to forward, but it carries the transport",
        ),
        pytest.param(
            described(audio("a"), video("v"), bundle="a"),
            ["a"],
            ["9 a recvonly", "0 v inactive"],
            id="outside of the group",
        ),
        pytest.param(
            described(audio("a"), video("v"), bundle=""),
            ["a"],
            ["9 a recvonly", "0 v inactive"],
            id="no group: the first has the transport",
        ),
        pytest.param(
            described(audio("a"), video("v"), bundle="v a"),
            ["a", "v"],
            ["9 a recvonly", "9 v recvonly"],
            id="the group in another order",
        ),
        pytest.param(
            described(audio("a"), section("text 9 UDP/TLS/RTP/SAVPF 98", "t", "a=rtpmap:98 t140/1000")),
            ["a"],
            ["9 a recvonly", "0 t inactive"],
            id="another kind of media",
        ),
        pytest.param(
            described(audio("a"), section("video 9 RTP/AVP 96", "v", "a=rtpmap:96 VP8/90000")),
            ["a"],
            ["9 a recvonly", "0 v inactive"],
            id="unencrypted",
        ),
        pytest.param(
            described(audio("a"), ["m=application 9 DTLS/SCTP 5000", "a=mid:d", "a=sctpmap:5000 webrtc-datachannel 9"]),
            ["a"],
            ["9 a recvonly", "0 d inactive"],
            id="data channels in the form before the RFC",
        ),
        pytest.param(described(DATA), [], ["9 d -"], id="data channels alone"),
    ],
)
def test_the_fate_of_each_m_line(text: str, receive: list[str], expected: list[str]) -> None:
    _, answer = negotiate(Answerer(), text, receive)
    assert summary(answer) == expected
    group = next((line for line in answer[0] if line.startswith("a=group:BUNDLE")), "")
    offered = next((line for line in text.split("\r\n") if line.startswith("a=group:BUNDLE")), "")
    rejected = {one.split()[1] for one in expected if one.startswith("0 ")}
    assert group.split()[1:] == [mid for mid in offered.split()[1:] if mid not in rejected]


def test_a_line_with_nothing_to_forward_has_no_formats() -> None:
    offer = Answerer().on_offer(described(H265, audio("a", port=0), bundle="0"))
    assert [(one.mid, one.sends, one.formats) for one in offer.media] == [("0", True, ()), ("a", False, ())]


def test_simulcast_of_a_line_with_nothing_to_forward_is_not_looked_at() -> None:
    _, answer = negotiate(Answerer(), described([*H265, "a=rid:?", "a=simulcast:?"], audio("a")))
    assert summary(answer) == ["9 0 inactive", "9 a recvonly"]
    assert not any("rid" in line or "simulcast" in line for line in answer[1])


def test_candidates_stand_in_the_tagged_m_line() -> None:
    _, answer = negotiate(Answerer(), described(audio("a"), video("v"), bundle="v a"))
    assert ["a=end-of-candidates" in lines for lines in answer] == [False, False, True]


def test_transport_parameters_are_those_of_the_tagged_m_line() -> None:
    other = [line.replace("remote", "others") for line in audio("a")]
    assert Answerer().on_offer(described(other, video("v"), bundle="v a")).remote.ice.username_fragment == "remote"
    assert Answerer().on_offer(described(other, video("v"), bundle="a v")).remote.ice.username_fragment == "others"


def test_data_channels_are_answered_with_our_port_and_read_with_theirs() -> None:
    offer, answer = negotiate(Answerer(), described(audio("a"), DATA))
    assert offer.remote.sctp_port == 5001
    assert "a=sctp-port:5000" in answer[2]
    assert Answerer().on_offer(described(audio("a"))).remote.sctp_port is None


def test_an_m_line_that_is_not_received_keeps_its_simulcast_for_later() -> None:
    _, answer = negotiate(Answerer(), captured("chromium-camera-screen-data"), [])
    assert summary(answer)[1] == "9 1 inactive"
    assert "a=simulcast:recv q;h;f" in answer[2]


def test_mixed_extensions_are_answered_where_they_were_offered() -> None:
    _, chromium = negotiate(Answerer(), captured("chromium-bundle-only"))
    _, firefox = negotiate(Answerer(), captured("firefox-bundle-only"))
    assert ["a=extmap-allow-mixed" in lines for lines in chromium] == [True, False, False]
    assert ["a=extmap-allow-mixed" in lines for lines in firefox] == [False, True, True]


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("v=0\r\n", "sdp_malformed: line 1: there is no m-line"),
        (described(audio("a"), video("a")), "sdp_malformed: line 16: mid a comes twice"),
        (
            described(audio("a"), section("video 9 UDP/TLS/RTP/SAVPF 96", None)),
            "sdp_malformed: line 16: this m-line has no a=mid",
        ),
        (described(audio("a"), bundle="x a"), "sdp_unsupported: line 6: no m-line that could carry the connection"),
        (described(audio("a", port=0)), "sdp_unsupported: line 6: no m-line that could carry the connection"),
        (
            described(section("text 9 UDP/TLS/RTP/SAVPF 98", "t"), audio("a")),
            "sdp_unsupported: line 6: no m-line that could carry the connection",
        ),
        (
            described([line for line in audio("a") if line != "a=rtcp-mux"]),
            "sdp_unsupported: line 6: an m-line without a=rtcp-mux",
        ),
        (
            described([line for line in audio("a") if "ice-pwd" not in line]),
            "sdp_malformed: line 6: a=ice-pwd is missing",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused_with_its_line(text: str, error: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        Answerer().on_offer(text)
    assert str(caught.value) == error
