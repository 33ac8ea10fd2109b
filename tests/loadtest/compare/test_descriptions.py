"""SDP of other servers: what Janus 1.1 and Pion 3.1 write, and that the server's own parser reads what we write."""

from __future__ import annotations

import pytest

from loadtest.compare.descriptions import LocalTransport, read_answer, read_offer, write_answer, write_offer
from sfu.control import Candidate, Fingerprint, IceParameters
from signaling import sdp, sdp_streams, sdp_transport
from signaling.errors import ProtocolError

HASH = ":".join(["0A"] * 32)
LOCAL = LocalTransport(IceParameters("abcd", "x" * 22), Fingerprint("sha-256", HASH))

# Shortened; the session's fingerprint, ICE on each m-line, and the order of lines are theirs.
JANUS_OFFER = f"""\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=VideoRoom 1
t=0 0
a=group:BUNDLE 0 1
a=ice-options:trickle
a=fingerprint:sha-256 {HASH}
a=extmap-allow-mixed
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 127.0.0.1
a=sendonly
a=mid:0
a=rtcp-mux
a=ice-ufrag:zzS9
a=ice-pwd:ahMGRDqn4B1DLpHjsFgB5i
a=setup:actpass
a=rtpmap:111 opus/48000/2
a=ssrc:701833867 cname:janus
a=candidate:1 1 udp 2015363327 192.0.2.1 50656 typ host
a=candidate:2 1 tcp 1015022079 192.0.2.1 9 typ host tcptype active
a=candidate:3 1 udp 2015363326 2001:db8::1 50656 typ host
a=end-of-candidates
m=video 9 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 127.0.0.1
a=sendonly
a=mid:1
a=rtcp-mux
a=ice-ufrag:zzS9
a=ice-pwd:ahMGRDqn4B1DLpHjsFgB5i
a=setup:actpass
a=rtpmap:97 rtx/90000
a=rtpmap:96 VP8/90000
""".replace("\n", "\r\n")


def test_reads_streams_and_endpoint_of_an_offer() -> None:
    offer = read_offer(JANUS_OFFER)
    assert [(one.mid, one.kind, one.payload_type, one.ssrc) for one in offer.streams] == [
        ("0", "audio", 111, 701833867),
        ("1", "video", 96, None),
    ]
    assert offer.remote.candidates == (Candidate("192.0.2.1", 50656, 2015363327),)
    assert offer.remote.fingerprints == (Fingerprint("sha-256", HASH),)


def test_an_offer_without_the_codec_is_refused() -> None:
    with pytest.raises(ProtocolError, match="VP8"):
        read_offer(JANUS_OFFER.replace("VP8", "H264"))


def test_answers_take_every_stream() -> None:
    answer = sdp.parse(write_answer(LOCAL, read_offer(JANUS_OFFER)))
    assert [sdp_streams.read_mid(media) for media in answer.media] == ["0", "1"]
    assert all(sdp_streams.read_direction(media, answer.session) == (False, True) for media in answer.media)


@pytest.mark.parametrize(
    ("offered", "answered"), [("actpass", "passive"), ("active", "passive"), ("passive", "active")]
)
def test_the_server_opens_dtls_when_it_may(offered: str, answered: str) -> None:
    offer = read_offer(JANUS_OFFER.replace("actpass", offered))
    answer = sdp.parse(write_answer(LOCAL, offer))
    assert sdp_transport.read_transport(answer.media[0], answer.session).setup == answered
    assert offer.remote.dtls_client is (answered == "active")


def test_offers_name_an_ssrc_for_each_stream() -> None:
    offer = sdp.parse(write_offer(LOCAL, {"audio": 1111, "video": 2222}))
    assert [(media.kind, media.formats) for media in offer.media] == [("audio", ("111",)), ("video", ("96",))]
    assert [next(iter(sdp_streams.read_ssrcs(media))).ssrc for media in offer.media] == [1111, 2222]
    assert sdp_transport.read_transport(offer.media[1], offer.session).setup == "actpass"


def test_who_answers_active_opens_dtls() -> None:
    answer = JANUS_OFFER.replace("actpass", "active")
    assert not read_answer(answer).dtls_client
