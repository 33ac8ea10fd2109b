"""Offering Slots: what every subscriber is offered, what their answers may say, and what the next offer keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sfu.core.types import Codec
from sfu.wire.extensions import ExtensionIds
from signaling.errors import ProtocolError
from signaling.negotiation import OFFERED_EXTENSIONS, OFFERED_PAYLOAD_TYPES, Answerer, Offerer, ReadAnswer, SlotLine
from tests.signaling.descriptions import LINES, LOCAL, captured, sections_of

AUDIO, VIDEO, FREE = LINES
EVERYTHING = {Codec.VP8: (96, 97), Codec.H264: (102, 103), Codec.VP9: (98, 99), Codec.AV1: (104, 105)}
NO_H264 = {codec: numbers for codec, numbers in EVERYTHING.items() if codec is not Codec.H264}


def answered(name: str, *changes: tuple[str, str]) -> ReadAnswer:
    """A captured answer to LINES, with some of its text replaced."""
    offerer = Offerer()
    offerer.offer(LOCAL, LINES)
    text = captured(f"answer-{name}")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return offerer.on_answer(text)


def rejecting(text: str, index: int) -> str:
    """The answer with port 0 in one m-line, which also leaves the group."""
    sections = sections_of(text)
    lines = sections[index + 1]
    kind, _, rest = lines[0].split(" ", 2)
    lines[0] = f"{kind} 0 {rest}"
    mid = next(line[6:] for line in lines if line.startswith("a=mid:"))
    sections[0] = [
        " ".join(word for word in line.split() if word != mid) if line.startswith("a=group") else line
        for line in sections[0]
    ]
    return "\r\n".join(line for section in sections for line in section) + "\r\n"


# --- the offer -------------------------------------------------------------------------------------------------


TRANSPORT_LINES = [
    "a=ice-ufrag:0abcdefgh",
    "a=ice-pwd:0123456789abcdefghijklmn",
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
    "a=setup:actpass",
]
VIDEO_LINES = [
    "a=rtcp-mux",
    "a=rtcp-rsize",
    "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "a=extmap:5 urn:3gpp:video-orientation",
    "a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    "a=extmap:7 https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
    "a=rtpmap:96 VP8/90000",
    "a=rtcp-fb:96 goog-remb",
    "a=rtcp-fb:96 transport-cc",
    "a=rtcp-fb:96 ccm fir",
    "a=rtcp-fb:96 nack",
    "a=rtcp-fb:96 nack pli",
    "a=rtpmap:97 rtx/90000",
    "a=fmtp:97 apt=96",
    "a=rtpmap:102 H264/90000",
    "a=rtcp-fb:102 goog-remb",
    "a=rtcp-fb:102 transport-cc",
    "a=rtcp-fb:102 ccm fir",
    "a=rtcp-fb:102 nack",
    "a=rtcp-fb:102 nack pli",
    "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    "a=rtpmap:103 rtx/90000",
    "a=fmtp:103 apt=102",
    "a=rtpmap:98 VP9/90000",
    "a=rtcp-fb:98 goog-remb",
    "a=rtcp-fb:98 transport-cc",
    "a=rtcp-fb:98 ccm fir",
    "a=rtcp-fb:98 nack",
    "a=rtcp-fb:98 nack pli",
    "a=fmtp:98 profile-id=0",
    "a=rtpmap:99 rtx/90000",
    "a=fmtp:99 apt=98",
    "a=rtpmap:104 AV1/90000",
    "a=rtcp-fb:104 goog-remb",
    "a=rtcp-fb:104 transport-cc",
    "a=rtcp-fb:104 ccm fir",
    "a=rtcp-fb:104 nack",
    "a=rtcp-fb:104 nack pli",
    "a=fmtp:104 level-idx=5;profile=0;tier=0",
    "a=rtpmap:105 rtx/90000",
    "a=fmtp:105 apt=104",
]


def test_the_offer_word_for_word() -> None:
    assert Offerer().offer(LOCAL, LINES).split("\r\n") == [
        "v=0",
        "o=- 27693830566733672 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1 2",
        "a=msid-semantic: WMS *",
        "a=ice-lite",
        "a=extmap-allow-mixed",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=sendonly",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc",
        "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "a=msid:bob-camera TR_1",
        "a=ssrc:1000 cname:bob-camera",
        *TRANSPORT_LINES,
        "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host",
        "a=candidate:2 1 udp 2130706175 ::1 9 typ host",
        "a=end-of-candidates",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 98 99 104 105",
        "c=IN IP4 0.0.0.0",
        "a=mid:1",
        "a=sendonly",
        *VIDEO_LINES,
        "a=msid:bob-camera TR_2",
        "a=ssrc-group:FID 1002 1003",
        "a=ssrc:1002 cname:bob-camera",
        "a=ssrc:1003 cname:bob-camera",
        *TRANSPORT_LINES,
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 98 99 104 105",
        "c=IN IP4 0.0.0.0",
        "a=mid:2",
        "a=inactive",
        *VIDEO_LINES,
        "a=ssrc-group:FID 1004 1005",
        "a=ssrc:1004 cname:free",
        "a=ssrc:1005 cname:free",
        *TRANSPORT_LINES,
        "",
    ]


def test_payload_types_and_extensions_are_the_same_for_everybody_and_distinct() -> None:
    numbers = [
        number for codecs in OFFERED_PAYLOAD_TYPES.values() for pair in codecs.values() for number in pair if number
    ]
    assert len(set(numbers)) == len(numbers)
    assert all(96 <= number <= 127 or 35 <= number <= 63 for number in numbers)
    ids = list(OFFERED_EXTENSIONS.to_uris().values())
    assert sorted(ids) == list(range(1, len(ids) + 1))


def test_the_next_offer_counts_on_and_keeps_what_there_was() -> None:
    offerer = Offerer()
    first = sections_of(offerer.offer(LOCAL, LINES))
    offerer.on_answer(captured("answer-chromium"))
    more = SlotLine("3", "audio", 1006, None, "eve-camera", "TR_9")
    moved = replace(FREE, stream="eve-camera", track="TR_8")
    second = sections_of(offerer.offer(LOCAL, (replace(AUDIO, stream=None, track=None), VIDEO, moved, more)))
    assert first[0][1].split()[2:3] == ["1"]
    assert second[0][1].split()[2:3] == ["2"]
    assert second[0][4] == "a=group:BUNDLE 0 1 2 3"
    assert second[2] == first[2]
    assert "a=inactive" in second[1]
    assert "a=ssrc:1000 cname:free" in second[1], "an SSRC of ours never leaves the description"
    assert not any("msid:" in line for line in second[1])
    assert {"a=sendonly", "a=msid:eve-camera TR_8", "a=ssrc-group:FID 1004 1005"} <= set(second[3])


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (AUDIO, VIDEO),
        (VIDEO, AUDIO, FREE),
        (AUDIO, VIDEO, replace(FREE, mid="1")),
        (replace(AUDIO, ssrc=7), VIDEO, FREE),
        (AUDIO, replace(VIDEO, rtx_ssrc=7), FREE),
        (AUDIO, replace(VIDEO, kind="audio"), FREE),
    ],
)
def test_lines_may_only_be_added(lines: tuple[SlotLine, ...]) -> None:
    offerer = Offerer()
    offerer.offer(LOCAL, LINES)
    with pytest.raises(ValueError, match="only be added"):
        offerer.offer(LOCAL, lines)
    with pytest.raises(ValueError, match="only be added"):
        Offerer().offer(LOCAL, lines[:0])


@pytest.mark.parametrize(
    ("stream", "track"),
    [("bob smith", "t"), ("bob\r\na=x", "t"), ("", "t"), ("bob", "x" * 65), ("böb", "t"), ("bob", None), (None, "t")],
)
def test_streams_and_tracks_are_tokens(stream: str | None, track: str | None) -> None:
    with pytest.raises(ValueError, match=r"msid|both"):
        replace(FREE, stream=stream, track=track)


# --- the answer ------------------------------------------------------------------------------------------------


def test_chromium_takes_everything() -> None:
    read = answered("chromium")
    assert read.rejected == frozenset()
    assert read.payload_types == {"0": {Codec.OPUS: (111, None)}, "1": EVERYTHING, "2": EVERYTHING}
    assert read.remote.dtls_client is False
    assert read.remote.send_extensions == OFFERED_EXTENSIONS
    assert read.remote.receive_extensions == ExtensionIds()
    assert read.remote.sctp_port is None


def test_firefox_drops_h264_and_some_extensions() -> None:
    read = answered("firefox")
    assert read.rejected == frozenset()
    assert read.payload_types["1"] == NO_H264
    assert read.remote.send_extensions == replace(OFFERED_EXTENSIONS, video_orientation=0, dependency_descriptor=0)


def test_our_own_answerer_understands_our_offers() -> None:
    answerer, offerer = Answerer(), Offerer()
    read = answerer.on_offer(offerer.offer(LOCAL, LINES))
    assert [(one.mid, one.sends) for one in read.media] == [("0", True), ("1", True), ("2", False)]
    back = offerer.on_answer(answerer.answer(LOCAL, receive=["0", "1"]))
    assert (back.rejected, back.payload_types["1"]) == (frozenset(), EVERYTHING)
    assert (read.remote.dtls_client, back.remote.dtls_client) == (False, True)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(("a=extmap:3 ", "a=extmap:8 "), {"transport_cc": 0}, id="under another number"),
        pytest.param(("a=extmap:3 ", "a=extmap:3/recvonly "), {}, id="which it receives"),
        pytest.param(("a=extmap:3 ", "a=extmap:3/sendonly "), {"transport_cc": 0}, id="which it does not receive"),
        pytest.param(("a=extmap-allow-mixed", "a=x"), {"dependency_descriptor": 0}, id="too long for short ones"),
        pytest.param(("a=extmap:4 ", "a=x:4 "), {"audio_level": 0}, id="left out"),
    ],
)
def test_only_accepted_extensions_are_sent(change: tuple[str, str], expected: dict[str, int]) -> None:
    assert answered("chromium", change).remote.send_extensions == replace(OFFERED_EXTENSIONS, **expected)


def test_payload_types_are_those_of_the_answer() -> None:
    read = answered("firefox", ("96 97 ", "120 121 "), (":96", ":120"), (":97", ":121"), ("apt=96", "apt=120"))
    assert read.payload_types["1"] == {**NO_H264, Codec.VP8: (120, 121)}


def test_without_rtx_there_is_none() -> None:
    assert answered("firefox", ("apt=96", "apt=100")).payload_types["1"] == {
        **NO_H264,
        Codec.VP8: (96, None),
    }


@pytest.mark.parametrize("index", [0, 1])
def test_port_0_rejects_a_slot_for_good(index: int) -> None:
    offerer = Offerer()
    offerer.offer(LOCAL, LINES)
    text = rejecting(captured("answer-chromium"), index)
    read = offerer.on_answer(text)
    assert read.rejected == {str(index)}
    assert set(read.payload_types) == {"0", "1", "2"} - {str(index)}
    again = sections_of(offerer.offer(LOCAL, LINES))
    assert again[index + 1][0].split()[1] == "0"
    assert "a=inactive" in again[index + 1]
    assert not any("ice-ufrag" in line or "candidate" in line for line in again[index + 1])
    assert again[0][4] == f"a=group:BUNDLE {' '.join(str(mid) for mid in range(3) if mid != index)}"
    assert sum("a=end-of-candidates" in lines for lines in again) == 1
    assert offerer.on_answer(text).rejected == {str(index)}


def test_a_rejected_m_line_may_lose_its_mid_in_the_answer() -> None:
    offerer = Offerer()
    offerer.offer(LOCAL, LINES)
    text = rejecting(captured("answer-chromium"), 1).replace("a=mid:1\r\n", "")
    assert offerer.on_answer(text).rejected == {"1"}


def test_inactive_rejects_a_track_but_only_for_now() -> None:
    offerer = Offerer()
    offerer.offer(LOCAL, LINES)
    sections = sections_of(captured("answer-chromium"))
    sections[2] = ["a=inactive" if line == "a=recvonly" else line for line in sections[2]]
    assert offerer.on_answer("\r\n".join(line for one in sections for line in one)).rejected == {"1"}
    assert "m=video 0" not in offerer.offer(LOCAL, LINES)
    assert offerer.on_answer(captured("answer-chromium")).rejected == frozenset()


def test_a_free_slot_that_is_rejected_rejects_no_track() -> None:
    offerer = Offerer()
    offerer.offer(LOCAL, LINES)
    read = offerer.on_answer(rejecting(captured("answer-chromium"), 2))
    assert read.rejected == frozenset()
    assert set(read.payload_types) == {"0", "1"}
    carrying = replace(FREE, stream="eve", track="TR_3")
    offerer.offer(LOCAL, (AUDIO, VIDEO, carrying))
    assert offerer.on_answer(rejecting(captured("answer-chromium"), 2)).rejected == {"2"}


def test_no_common_codec_is_a_rejection() -> None:
    read = answered("firefox", *((f"{codec}/90000", "H265/90000") for codec in NO_H264))
    assert read.rejected == {"1"}
    assert set(read.payload_types) == {"0"}


@pytest.mark.parametrize(("setup", "dtls_client"), [("active", False), ("passive", True)])
def test_the_answer_chooses_the_dtls_role(setup: str, dtls_client: bool) -> None:
    assert answered("chromium", ("a=setup:active", f"a=setup:{setup}")).remote.dtls_client is dtls_client


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ([("a=setup:active", "a=setup:actpass")], "sdp_malformed: .*a=setup:active or a=setup:passive"),
        ([("a=setup:active", "a=x:y")], "sdp_malformed: .*a=setup:active or a=setup:passive"),
        ([("a=mid:1", "a=mid:x")], "sdp_malformed: .*the offer has video with mid 1 here"),
        ([("m=video 9 UDP/TLS/RTP/SAVPF", "m=audio 9 UDP/TLS/RTP/SAVPF")], "sdp_malformed: .*the offer has video"),
        ([("a=mid:2\r\n", "")], "sdp_malformed: .*the offer has video with mid 2 here"),
        ([("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1")], "sdp_unsupported: .*outside of the BUNDLE group"),
        ([("a=group:BUNDLE 0 1 2", "a=group:BUNDLE x 0 1 2")], "sdp_unsupported: .*outside of the BUNDLE group"),
        ([("a=group:BUNDLE 0 1 2", "a=x")], "sdp_unsupported: .*outside of the BUNDLE group"),
        ([("a=rtcp-mux", "a=x")], "sdp_unsupported: .*without a=rtcp-mux"),
        ([("m=audio 9", "m=audio 0"), ("m=video 9", "m=video 0")], "sdp_unsupported: .*every m-line is rejected"),
        ([("a=ice-ufrag", "a=x")], "sdp_malformed: .*a=ice-ufrag is missing"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_and_another_may_follow(
    changes: list[tuple[str, str]], error: str
) -> None:
    offerer = Offerer()
    offerer.offer(LOCAL, LINES)
    text = captured("answer-chromium")
    for old, new in changes:
        text = text.replace(old, new)
    with pytest.raises(ProtocolError, match=error):
        offerer.on_answer(text)
    assert offerer.on_answer(captured("answer-chromium")).rejected == frozenset()


def test_as_many_m_lines_are_answered_as_were_offered() -> None:
    offerer = Offerer()
    offerer.offer(LOCAL, (AUDIO, VIDEO))
    with pytest.raises(ProtocolError, match=r"sdp_malformed: line [0-9]+: 3 m-lines answer 2"):
        offerer.on_answer(captured("answer-chromium"))


def test_the_role_stays_once_chosen() -> None:
    offerer = Offerer()
    offerer.offer(LOCAL, LINES)
    offerer.on_answer(captured("answer-chromium"))
    offerer.offer(LOCAL, LINES)
    with pytest.raises(ProtocolError, match=r"sdp_unsupported: .*roles"):
        offerer.on_answer(captured("answer-chromium").replace("a=setup:active", "a=setup:passive"))


def test_one_m_line_needs_no_group() -> None:
    offerer = Offerer()
    offerer.offer(LOCAL, (AUDIO,))
    sections = sections_of(captured("answer-chromium"))
    session = [line for line in sections[0] if not line.startswith("a=group")]
    assert offerer.on_answer("\r\n".join([*session, *sections[1]])).rejected == frozenset()


def test_an_answer_without_an_offer_is_our_mistake() -> None:
    offerer = Offerer()
    with pytest.raises(ValueError, match="no offer"):
        offerer.on_answer(captured("answer-chromium"))
    offerer.offer(LOCAL, LINES)
    offerer.on_answer(captured("answer-chromium"))
    with pytest.raises(ValueError, match="no offer"):
        offerer.on_answer(captured("answer-chromium"))


def test_a_room_of_a_hundred_fits_a_message() -> None:
    """200 Slots: PROTOCOL.md allows 320 KiB, and line ends take two more characters each in JSON."""
    lines = [
        SlotLine(str(index), "video" if index % 2 else "audio", 2 * index, None if index % 2 == 0 else 2 * index + 1,
                 f"{'a' * 24}-camera", f"TR_{'x' * 12}")
        for index in range(200)
    ]  # fmt: skip
    text = Offerer().offer(LOCAL, lines)
    assert len(text) + 2 * text.count("\r\n") < (320 - 40) * 1024  # 40 KiB remain for `slots`
