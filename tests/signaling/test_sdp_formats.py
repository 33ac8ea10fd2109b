"""Which payload types are taken, and how they are answered."""

from __future__ import annotations

import pytest

from sfu.core.types import Codec, Kind, PayloadFormat
from signaling import sdp_formats
from signaling.errors import ProtocolError
from signaling.sdp import Attribute, Media, parse
from signaling.sdp_formats import accept_formats, read_formats, to_payload_formats, write_formats
from tests.signaling.descriptions import captured, described, section

H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="


def line(kind: Kind, formats: str, *attributes: str) -> Media:
    return parse(described(section(f"{kind} 9 UDP/TLS/RTP/SAVPF {formats}", "0", *attributes))).media[0]


def accepted(kind: Kind, formats: str, *attributes: str) -> tuple[PayloadFormat, ...]:
    return to_payload_formats(accept_formats(kind, read_formats(line(kind, formats, *attributes))))


VP8 = PayloadFormat(96, Codec.VP8, 90000)
VP9 = PayloadFormat(98, Codec.VP9, 90000)
AV1 = PayloadFormat(45, Codec.AV1, 90000)
OPUS = PayloadFormat(111, Codec.OPUS, 48000)


@pytest.mark.parametrize(
    ("kind", "formats", "attributes", "expected"),
    [
        pytest.param("video", "96", ["a=rtpmap:96 VP8/90000"], [VP8], id="a codec we know"),
        pytest.param("video", "96", ["a=rtpmap:96 vp8/90000"], [VP8], id="names are compared without case"),
        pytest.param("video", "96", ["a=rtpmap:96 H265/90000"], [], id="a codec we do not know"),
        pytest.param("video", "98", ["a=rtpmap:98 VP9/90000"], [VP9], id="VP9, whose profile is 0 if it says nothing"),
        pytest.param("video", "98", ["a=rtpmap:98 VP9/90000", "a=fmtp:98 profile-id=0"], [VP9], id="or if it says so"),
        pytest.param("video", "98", ["a=rtpmap:98 VP9/90000", "a=fmtp:98 profile-id=2"], [], id="ten bits in VP9"),
        pytest.param("video", "45", ["a=rtpmap:45 AV1/90000", "a=fmtp:45 tier=0;profile=0"], [AV1], id="AV1"),
        pytest.param("video", "45", ["a=rtpmap:45 AV1/90000", "a=fmtp:45 profile=1"], [], id="4:4:4 in AV1"),
        pytest.param("video", "96", [], [], id="nothing said of it"),
        pytest.param("video", "97", ["a=rtpmap:96 VP8/90000"], [], id="said of what the m-line does not list"),
        pytest.param("video", "96", ["a=rtpmap:96 VP8/48000"], [], id="another clock"),
        pytest.param("audio", "96", ["a=rtpmap:96 VP8/90000"], [], id="video on an audio line"),
        pytest.param("video", "72", ["a=rtpmap:72 VP8/90000"], [], id="looks like RTCP on a shared port"),
        pytest.param("audio", "111", ["a=rtpmap:111 opus/48000/2"], [OPUS], id="opus"),
        pytest.param("audio", "111", ["a=rtpmap:111 opus/48000"], [], id="opus always has two channels in SDP"),
        pytest.param("audio", "0", ["a=rtpmap:0 PCMU/8000"], [], id="G.711"),
        pytest.param(
            "video",
            "100 96",
            ["a=rtpmap:96 VP8/90000", "a=rtpmap:100 VP8/90000"],
            [PayloadFormat(100, Codec.VP8, 90000)],
            id="of one codec the first on the m-line",
        ),
        pytest.param(
            "video",
            "96 97 98",
            ["a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000", "a=fmtp:97 rtx-time=3000; apt=96"],
            [VP8, PayloadFormat(97, Codec.VP8, 90000, repairs=96)],
            id="with its RTX",
        ),
        pytest.param(
            "video",
            "96 97",
            ["a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=98"],
            [VP8],
            id="not with the RTX of another",
        ),
        pytest.param(
            "video",
            "108 96",
            ["a=rtpmap:96 VP8/90000", "a=rtpmap:108 H264/90000", f"a=fmtp:108 {H264}42e01f"],
            [PayloadFormat(108, Codec.H264, 90000), VP8],
            id="in the order that the remote prefers",
        ),
    ],
)
def test_takes_the_codecs_it_forwards(
    kind: Kind, formats: str, attributes: list[str], expected: list[PayloadFormat]
) -> None:
    assert list(accepted(kind, formats, *attributes)) == expected


@pytest.mark.parametrize(
    ("profile_level_id", "constrained", "plain"),
    [
        ("42e01f", True, False),
        ("42E01F", True, False),
        ("42c01f", True, False),
        ("42c034", True, False),  # a higher level: the sender's affair
        ("4d801f", True, False),
        ("58c01f", True, False),
        ("42001f", False, True),
        ("428016", False, True),
        ("42f01f", True, False),
        ("42e11f", False, False),  # a reserved bit
        ("4d001f", False, False),
        ("640c1f", False, False),
        ("42e0", False, False),
        ("42e01g", False, False),
        ("", False, False),
    ],
)
def test_h264_profiles(profile_level_id: str, constrained: bool, plain: bool) -> None:
    assert sdp_formats.is_constrained_baseline(profile_level_id) is constrained
    assert sdp_formats.is_baseline(profile_level_id) is plain


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ([f"{H264}42e01f"], 100),
        ([f"{H264}42001f", f"{H264}42e01f"], 101),  # as Chromium offers: the exact one
        ([f"{H264}420016"], 100),  # as FFmpeg offers: nothing better
        ([f"{H264}4d001f", f"{H264}640c1f"], None),
        (["profile-level-id=42e01f"], None),  # packetization-mode 0
        (["packetization-mode=0;profile-level-id=42e01f", f"{H264}42c028"], 101),
        (["packetization-mode=1"], None),  # no profile means baseline at level 1, which nobody sends
    ],
)
def test_h264_is_taken_as_constrained_baseline_in_packetization_mode_1(
    parameters: list[str], expected: int | None
) -> None:
    attributes = []
    for payload_type, text in enumerate(parameters, start=100):
        attributes += [f"a=rtpmap:{payload_type} H264/90000", f"a=fmtp:{payload_type} {text}"]
    formats = accepted("video", "100 101", *attributes)
    assert [one.payload_type for one in formats] == ([] if expected is None else [expected])


def test_answers_h264_with_the_parameters_it_was_offered() -> None:
    media = line("video", "102", "a=rtpmap:102 H264/90000", f"a=fmtp:102 {H264}42c028;sprop-parameter-sets=Z0,aM==")
    lines = write_formats(accept_formats("video", read_formats(media)))
    assert f"a=fmtp:102 {H264}42c028;sprop-parameter-sets=Z0,aM==" in lines


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("", "minptime=10;useinbandfec=1;usedtx=1"),
        ("maxplaybackrate=48000;stereo=1;useinbandfec=1", "minptime=10;useinbandfec=1;usedtx=1;stereo=1"),
        ("stereo=0;usedtx=1", "minptime=10;useinbandfec=1;usedtx=1"),
    ],
)
def test_answers_opus_with_what_we_want_and_stereo_if_asked(offered: str, answered: str) -> None:
    media = line("audio", "111", "a=rtpmap:111 opus/48000/2", f"a=fmtp:111 {offered}")
    lines = write_formats(accept_formats("audio", read_formats(media)))
    assert lines == ["a=rtpmap:111 opus/48000/2", f"a=fmtp:111 {answered}"]


OPUS_LINE, RED_LINE = "a=rtpmap:111 opus/48000/2", "a=rtpmap:63 red/48000/2"
RED = PayloadFormat(63, Codec.RED, 48000)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("111/111", [RED, OPUS]),
        ("111/111/111", [RED, OPUS]),
        ("109/109", [OPUS]),  # of something else
        ("111/0", [OPUS]),  # of something else, too
        ("111", [OPUS]),  # which would be no redundancy
        ("111/", [OPUS]),
        ("minptime=10", [OPUS]),
        (None, [OPUS]),  # of what it may be
    ],
)
def test_red_is_taken_of_opus_and_preferred(parameters: str | None, expected: list[PayloadFormat]) -> None:
    attributes = [OPUS_LINE, RED_LINE, *([] if parameters is None else [f"a=fmtp:63 {parameters}"])]
    assert list(accepted("audio", "111 63", *attributes)) == expected


def test_red_is_answered_as_it_was_offered_and_left_out_where_it_is_not_wanted() -> None:
    offered = read_formats(line("audio", "111 63", OPUS_LINE, RED_LINE, "a=fmtp:63 111/111"))
    assert write_formats(accept_formats("audio", offered))[:2] == [RED_LINE, "a=fmtp:63 111/111"]
    assert to_payload_formats(accept_formats("audio", offered, redundancy=False)) == (OPUS,)


def test_red_of_pictures_is_another_thing() -> None:
    attributes = ["a=rtpmap:96 VP8/90000", "a=rtpmap:118 red/90000", "a=fmtp:118 96/96"]
    assert list(accepted("video", "96 118", *attributes)) == [VP8]
    assert list(accepted("audio", "63", RED_LINE, "a=fmtp:63 111/111")) == []


@pytest.mark.parametrize("name", ["chromium-camera-screen-data", "firefox-camera-screen-data", "chromium-receiving"])
def test_browsers_are_asked_for_fec_and_for_silence_in_silence(name: str) -> None:
    sound = next(media for media in parse(captured(name)).media if media.kind == "audio")
    formats = accept_formats("audio", read_formats(sound))
    (opus,) = (one for one in formats if one.codec is Codec.OPUS)
    assert (opus.parameters["useinbandfec"], opus.parameters["usedtx"]) == ("1", "1")
    assert [one.codec for one in formats][:-1] == ([Codec.RED] if "chromium" in name else [])


def test_answers_only_the_feedback_that_both_know() -> None:
    feedback = ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli", "nack rpsi"]
    media = line("video", "96", "a=rtpmap:96 VP8/90000", *(f"a=rtcp-fb:96 {one}" for one in feedback))
    both = ["a=rtcp-fb:96 transport-cc", "a=rtcp-fb:96 ccm fir", "a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli"]
    accepted = accept_formats("video", read_formats(media))
    assert write_formats(accepted)[1:] == both
    assert write_formats(accepted, sends=True)[1:] == ["a=rtcp-fb:96 goog-remb", *both]


def test_feedback_for_all_payload_types_counts_for_each() -> None:
    media = line("video", "96", "a=rtpmap:96 VP8/90000", "a=rtcp-fb:* nack pli", "a=rtcp-fb:* CCM FIR")
    (one,) = accept_formats("video", read_formats(media))
    assert one.feedback == ("ccm fir", "nack pli")


def test_asks_for_no_repeats_of_audio() -> None:
    media = line("audio", "111", "a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 nack", "a=rtcp-fb:111 transport-cc")
    (one,) = accept_formats("audio", read_formats(media))
    assert one.feedback == ("transport-cc",)


def test_looks_through_an_m_line_a_few_times_however_many_formats_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a description of the greatest size, with each line read once per payload type, a second would pass."""
    looks: list[str] = []

    def every(media: Media, name: str) -> list[Attribute]:
        looks.append(name)
        return [attribute for attribute in media.attributes if attribute.name == name]

    payload_types = range(128)
    media = line(
        "audio",
        " ".join(map(str, payload_types)),
        *(f"a=rtpmap:{number} opus/48000/2" for number in payload_types),
        *(f"a=fmtp:{number} minptime=10" for number in payload_types),
    )
    monkeypatch.setattr(Media, "every", every)
    assert len(read_formats(media)) == len(payload_types)
    assert len(looks) < 10


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ("a=rtpmap:96", "not `a=rtpmap:<payload type> <name>/<clock rate>`"),
        ("a=rtpmap:96 VP8", "not `a=rtpmap:<payload type> <name>/<clock rate>`"),
        ("a=rtpmap:96 VP8/90000/1/1", "not `a=rtpmap:<payload type> <name>/<clock rate>`"),
        ("a=rtpmap:96 VP8/x", "'x' is not a number up to 1000000"),
        ("a=rtpmap:128 VP8/90000", "'128' is not a number up to 127"),
        ("a=rtpmap:97 VP9/90000", "payload type 97 has two meanings"),
        ("a=fmtp:x apt=1", "'x' is not a number up to 127"),
    ],
)
def test_malformed_formats_are_named_by_their_line(attribute: str, reason: str) -> None:
    media = line("video", "96 97", "a=rtpmap:97 VP8/90000", "a=rtpmap:97 VP8/90000", attribute)
    with pytest.raises(ProtocolError) as caught:
        read_formats(media)
    assert (caught.value.code, caught.value.reason) == ("sdp_malformed", f"line {media.line + 9}: {reason}")


def test_formats_of_an_m_line_are_payload_types() -> None:
    with pytest.raises(ProtocolError, match="sdp_malformed"):
        read_formats(line("video", "96 128"))


@pytest.mark.parametrize("name", ["chromium-camera-screen-data", "firefox-camera-screen-data", "aiortc"])
def test_what_it_writes_it_reads_back(name: str) -> None:
    for media in parse(captured(name)).media:
        if media.kind not in ("audio", "video"):
            continue
        kind: Kind = "audio" if media.kind == "audio" else "video"
        formats = accept_formats(kind, read_formats(media))
        payload_types = " ".join(sdp_formats.listed_payload_types(formats))
        again = line(kind, payload_types, *write_formats(formats, sends=True))
        assert accept_formats(kind, read_formats(again)) == formats
