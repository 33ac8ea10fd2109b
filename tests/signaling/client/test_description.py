"""The client's descriptions, against the server's negotiation: each reads what the other wrote."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sfu.control import Candidate, Fingerprint, IceParameters, SsrcGroup, TransportOpened
from sfu.core.types import Codec
from signaling.client.description import (
    EXTENSIONS,
    PAYLOAD_TYPES,
    DataLine,
    LocalEndpoint,
    SentLine,
    read_answer,
    read_offer,
    write_answer,
    write_offer,
)
from signaling.errors import ProtocolError
from signaling.negotiation import OFFERED_EXTENSIONS, OFFERED_PAYLOAD_TYPES, Answerer, Offerer, SlotLine

FINGERPRINT = Fingerprint("sha-256", ":".join(["AB"] * 32))
LOCAL = LocalEndpoint(IceParameters("clnt", "clientpasswordclientpassword"), FINGERPRINT, 42)
SERVER = TransportOpened(
    call=1,
    ice=IceParameters("srvr", "serverpasswordserverpassword"),
    fingerprints=[FINGERPRINT],
    candidates=[Candidate("127.0.0.1", 7000, 100), Candidate("::1", 7000, 200)],
)
BARE = TransportOpened(call=1, ice=SERVER.ice, fingerprints=[FINGERPRINT], candidates=[])
AUDIO = SentLine("0", "audio", Codec.OPUS, (), 11, 12)
SIMULCAST = SentLine("1", "video", Codec.VP8, ("q", "h", "f"), 21, 22)
PLAIN = SentLine("2", "video", Codec.H264, (), 31, 32)


def test_the_server_reads_our_offer_and_we_its_answer() -> None:
    server = Answerer()
    offer = server.on_offer(write_offer(LOCAL, 1, [AUDIO, SIMULCAST, PLAIN]))
    assert (offer.remote.ice, offer.remote.fingerprints, offer.remote.dtls_client) == (LOCAL.ice, [FINGERPRINT], False)
    assert offer.remote.receive_extensions == EXTENSIONS
    audio, simulcast, plain = offer.media
    assert (audio.kind, audio.rids, audio.ssrcs) == ("audio", (), (SsrcGroup(11),))
    assert (simulcast.rids, simulcast.ssrcs) == (("q", "h", "f"), ())
    assert (plain.rids, plain.ssrcs) == ((), (SsrcGroup(31, 32),))
    assert {one.codec for one in plain.formats} == {Codec.H264}
    assert all(media.sends for media in offer.media)

    answer = read_answer(server.answer(SERVER, receive={"0", "1", "2"}))
    assert answer.remote.ice == SERVER.ice
    assert answer.remote.candidates == tuple(SERVER.candidates)
    assert answer.remote.fingerprints == (FINGERPRINT,)
    assert answer.remote.dtls_client
    assert answer.extensions == EXTENSIONS
    assert answer.lines["1"].rids == ("q", "h", "f")
    formats = {mid: line.format for mid, line in answer.lines.items()}
    taken = {
        mid: (one.codec, one.payload_type, one.rtx_payload_type) for mid, one in formats.items() if one is not None
    }
    assert taken == {
        "0": (Codec.OPUS, *PAYLOAD_TYPES["audio"][Codec.OPUS]),
        "1": (Codec.VP8, *PAYLOAD_TYPES["video"][Codec.VP8]),
        "2": (Codec.H264, *PAYLOAD_TYPES["video"][Codec.H264]),
    }


def test_data_channels_are_offered_and_answered_wherever_their_m_line_stands() -> None:
    orders: list[list[SentLine | DataLine]] = [
        [DataLine("0")],
        [DataLine("0"), replace(AUDIO, mid="1")],
        [AUDIO, DataLine("1")],
    ]
    for lines in orders:
        server = Answerer()
        offer = server.on_offer(write_offer(LOCAL, 1, lines))
        assert offer.remote.sctp_port == 5000
        answer = read_answer(server.answer(SERVER, receive={media.mid for media in offer.media}))
        assert answer.sctp_port == 5000 and answer.remote.candidates == tuple(SERVER.candidates)
        assert set(answer.lines) == {media.mid for media in offer.media}


def test_without_data_channels_there_is_no_port() -> None:
    server = Answerer()
    server.on_offer(write_offer(LOCAL, 1, [AUDIO]))
    assert read_answer(server.answer(SERVER, receive={"0"})).sctp_port is None


def test_what_the_server_does_not_take_has_no_format() -> None:
    server = Answerer()
    server.on_offer(write_offer(LOCAL, 1, [AUDIO, SIMULCAST]))
    answer = read_answer(server.answer(SERVER, receive={"0"}))
    assert answer.lines["0"].format is not None
    assert answer.lines["1"].format is None


def test_lines_are_added_and_go_inactive_but_stay() -> None:
    server = Answerer()
    server.on_offer(write_offer(LOCAL, 1, [AUDIO, SIMULCAST]))
    server.answer(SERVER, receive={"0", "1"})
    second = server.on_offer(write_offer(LOCAL, 2, [AUDIO, replace(SIMULCAST, active=False), PLAIN]))
    assert [media.sends for media in second.media] == [True, False, True]


def test_the_dtls_role_is_ours_unless_the_server_has_chosen() -> None:
    text = Offerer().offer(SERVER, [slot("0", 1, "TR_1")])
    for setup, answered in (("actpass", "active"), ("passive", "active"), ("active", "passive")):
        offer = read_offer(text.replace("a=setup:actpass", f"a=setup:{setup}"))
        assert offer.remote.dtls_client == (answered == "active")
        assert f"a=setup:{answered}\r\n" in write_answer(LOCAL, 1, offer)


def slot(mid: str, ssrc: int, track: str | None) -> SlotLine:
    return SlotLine(mid, "video", ssrc, ssrc + 1, track and "bob", track)


def test_we_read_the_servers_offer_and_it_our_answer() -> None:
    server = Offerer()
    lines = [SlotLine("0", "audio", 11, None, "bob", "TR_1"), slot("1", 21, "TR_2"), slot("2", 31, None)]
    offer = read_offer(server.offer(SERVER, lines))
    assert offer.remote.candidates == tuple(SERVER.candidates)
    assert offer.remote.dtls_client
    assert offer.extensions == replace(OFFERED_EXTENSIONS, dependency_descriptor=0)
    assert [(line.mid, line.kind, line.sends) for line in offer.lines] == [
        ("0", "audio", True),
        ("1", "video", True),
        ("2", "video", False),
    ]
    assert [line.ssrcs for line in offer.lines] == [SsrcGroup(11), SsrcGroup(21, 22), SsrcGroup(31, 32)]

    answer = server.on_answer(write_answer(LOCAL, 1, offer))
    assert answer.rejected == frozenset()
    assert answer.payload_types["0"] == {Codec.OPUS: OFFERED_PAYLOAD_TYPES["audio"][Codec.OPUS]}
    assert answer.payload_types["1"] == {
        codec: OFFERED_PAYLOAD_TYPES["video"][codec] for codec in PAYLOAD_TYPES["video"]
    }
    assert answer.remote.send_extensions == replace(OFFERED_EXTENSIONS, dependency_descriptor=0)
    assert not answer.remote.dtls_client  # we open, as browsers do

    again = read_offer(server.offer(SERVER, [*lines[:2], slot("2", 31, "TR_3")]))
    assert again.lines[2].ssrcs == SsrcGroup(31, 32)
    server.on_answer(write_answer(LOCAL, 2, again))


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        ("a=candidate:1 1 udp 5 192.0.2.1 7000 typ host", [Candidate("192.0.2.1", 7000, 5)]),
        ("a=candidate:1 1 UDP 5 2001:db8::1 7000 typ host", [Candidate("2001:db8::1", 7000, 5)]),
        ("a=candidate:1 1 tcp 5 192.0.2.1 7000 typ host tcptype passive", []),
        ("a=candidate:1 1 udp 5 abc.local 7000 typ host", []),
        ("a=candidate:1 1 udp", []),
    ],
)
def test_candidates_that_we_can_use(line: str, candidates: list[Candidate]) -> None:
    text = Offerer().offer(BARE, [slot("0", 1, "TR_1")])
    offer = read_offer(text.replace("a=end-of-candidates", line))
    assert list(offer.remote.candidates) == candidates


@pytest.mark.parametrize("text", ["", "v=0", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", "m=video"])
def test_what_is_no_description_is_a_protocol_error(text: str) -> None:
    for read in (read_offer, read_answer):
        with pytest.raises(ProtocolError):
            read(text)
