"""From the wire to events: who may say what, and what is counted instead."""

from __future__ import annotations

import pytest

from sfu.plane.interface import Datagram, DtlsReceived, Path, PlaneConfig, RtcpReceived, StrayReceived, StunReceived
from sfu.wire.rtcp import ReceiverReport, pack_compound
from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import PROFILES, PUBLISHER_IDS, VIDEO, VP8, VP8_RTX, VideoSource, media_packet, vp8_payload

STUN = b"\x00\x01\x00\x00" + b"\x21\x12\xa4\x42" + bytes(12)
DTLS = bytes((22, 254, 253)) + bytes(20)
STRANGER = Path(0, "192.0.2.9", 4444)


def test_stun_goes_up_with_the_transport_that_validated_its_address_if_any(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    known = scene.publisher.path
    scene.plane.on_datagrams([Datagram(STUN, known), Datagram(STUN, STRANGER)], 1.0)
    assert scene.events(StunReceived) == [StunReceived(STUN, known, PUBLISHER), StunReceived(STUN, STRANGER, None)]


def test_a_path_is_the_socket_and_the_remote_address(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, addresses=("127.0.0.1", "127.0.0.2"))
    elsewhere = scene.publisher.path._replace(local=1)
    scene.plane.on_datagrams([Datagram(STUN, elsewhere), Datagram(DTLS, elsewhere)], 1.0)
    assert scene.events(StunReceived) == [StunReceived(STUN, elsewhere, None)]
    assert scene.dropped("unknown_address") == 1


@pytest.mark.parametrize("payload", [DTLS, b"\x50hello", b"\xff\xff", b"", b"\x00"])
def test_strangers_get_nothing_through_but_stun_and_strays(make_plane: MakePlane, payload: bytes) -> None:
    scene = Scene(make_plane)
    scene.plane.on_datagrams([Datagram(payload, STRANGER)], 1.0)
    assert scene.plane.take_events() == []
    assert scene.dropped("unknown_address") == 1


@pytest.mark.parametrize("payload", [b"\x80" + bytes(40), b"\x80\xc8" + bytes(40)], ids=["RTP", "RTCP"])
def test_strays_go_up_now_and_then(make_plane: MakePlane, payload: bytes) -> None:
    scene = Scene(make_plane, config=PlaneConfig(stray_interval_s=0.02))
    stray = Datagram(payload, STRANGER)
    for now, told in ((1.0, 1), (1.01, 1), (1.02, 2), (1.03, 2), (9.0, 3)):
        scene.plane.on_datagrams([stray, stray], now)
        assert scene.events(StrayReceived) == [StrayReceived(payload, STRANGER)] * told
    assert scene.dropped("unknown_address") == 7


def test_strays_count_among_the_strangers_of_a_batch(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, config=PlaneConfig(strangers_per_batch=1))
    scene.plane.on_datagrams([Datagram(STUN, STRANGER), Datagram(b"\x80" + bytes(40), STRANGER)], 1.0)
    assert [type(event) for event in scene.plane.take_events()] == [StunReceived]
    assert scene.dropped("stranger_limit") == 1


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("rtcp", [False, True], ids=["RTP", "RTCP"])
def test_who_has_moved_proves_it_by_what_he_encrypts(make_plane: MakePlane, profile: str, *, rtcp: bool) -> None:
    scene = Scene(make_plane, profile=profile)
    other = scene.connect(2)
    source = VideoSource(ssrc=4, rid="q")
    report = pack_compound([ReceiverReport(1, ())])

    def next_payload() -> bytes:
        publisher = scene.publisher
        return (publisher.protect_rtcp(report) if rtcp else publisher.protect(source.frame(key=True)[0])).payload

    scene.plane.on_datagrams([Datagram(heard := next_payload(), scene.publisher.path)], 1.0)
    late = next_payload()
    assert not scene.plane.has_moved(PUBLISHER, late, 1.09), "it has just been heard where it was"
    assert not scene.plane.has_moved(2, late, 1.2), "not his"
    assert not scene.plane.has_moved(PUBLISHER, heard, 1.2), "a replay"
    assert not scene.plane.has_moved(PUBLISHER, late[:-1] + bytes((late[-1] ^ 1,)), 1.2), "forged"
    assert scene.plane.has_moved(PUBLISHER, late, 1.2)
    assert not scene.plane.has_moved(PUBLISHER, late, 1.4), "a replay by now"
    assert not scene.plane.has_moved(PUBLISHER, next_payload(), 1.25), "it has just been heard where it is"
    assert not scene.plane.has_moved(2, other.protect_rtcp(report).payload[:5], 9.0)
    scene.plane.on_datagrams([Datagram(next_payload(), scene.publisher.path)], 2.0)
    assert scene.dropped("srtp_authentication") + scene.dropped("srtp_replay") == 0


def test_who_has_no_keys_or_too_many_ssrcs_has_not_moved(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, config=PlaneConfig(ssrcs_per_transport=1))
    scene.plane.add_transport(2)
    first, second = (scene.publisher.protect(VideoSource(ssrc=ssrc, rid="q").frame()[0]).payload for ssrc in (4, 5))
    assert not scene.plane.has_moved(2, first, 1.0)
    assert scene.plane.has_moved(PUBLISHER, first, 1.0)
    assert not scene.plane.has_moved(PUBLISHER, second, 2.0)
    assert not scene.plane.has_moved(PUBLISHER, bytes(5000), 3.0)


def test_strangers_are_limited_per_batch(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, config=PlaneConfig(strangers_per_batch=2))
    batch = [Datagram(STUN, Path(0, "192.0.2.1", port)) for port in range(1, 6)]
    scene.plane.on_datagrams([*batch, Datagram(STUN, scene.publisher.path), Datagram(DTLS, scene.publisher.path)], 1.0)
    assert [event.transport for event in scene.events(StunReceived)] == [None, None, PUBLISHER]
    assert len(scene.events(DtlsReceived)) == 1
    assert scene.dropped("stranger_limit") == 3
    scene.plane.on_datagrams(batch[:2], 1.0)
    assert scene.dropped("stranger_limit") == 3


def test_strangers_leave_half_of_the_pending_events_to_known_remotes(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, config=PlaneConfig(pending_events=8))
    for _ in range(10):
        scene.plane.on_datagrams([Datagram(STUN, STRANGER)], 1.0)
    assert scene.dropped("stranger_limit") == 6
    for _ in range(10):
        scene.plane.on_datagrams([Datagram(DTLS, scene.publisher.path)], 1.0)
    assert scene.dropped("events_full") == 6
    assert len(scene.plane.take_events()) == 8


def test_an_unknown_first_byte_is_counted(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.plane.on_datagrams([Datagram(b"\x50hello", scene.publisher.path)], 1.0)
    assert scene.dropped("unknown_kind") == 1


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_rtcp_comes_up_decrypted_and_with_its_time_and_leaves_encrypted(make_plane: MakePlane, profile: str) -> None:
    scene = Scene(make_plane, profile=profile)
    report = pack_compound([ReceiverReport(1, ())])
    scene.plane.on_datagrams([scene.publisher.protect_rtcp(report)], 7.5)
    assert scene.events(RtcpReceived) == [RtcpReceived(report, PUBLISHER, 7.5)]
    scene.plane.send_rtcp(PUBLISHER, report, 8.0)
    (datagram,) = scene.plane.take_output()
    assert datagram.path == scene.publisher.path
    assert scene.publisher.open_rtcp(datagram) == report


def test_a_replay_is_refused_and_counted(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe()
    media = scene.publisher.protect(VideoSource(ssrc=4, rid="q").frame(key=True)[0])
    report = scene.publisher.protect_rtcp(pack_compound([ReceiverReport(1, ())]))
    assert len(scene.plane.on_datagrams([media, media, report, report], 1.0)) == 1
    assert scene.dropped("srtp_replay") == 2
    assert len(scene.events(RtcpReceived)) == 1


def test_what_is_not_the_remotes_is_refused_and_counted(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    media = scene.publisher.protect(VideoSource(ssrc=4, rid="q").frame(key=True)[0])
    forged = media._replace(payload=media.payload[:-1] + bytes((media.payload[-1] ^ 1,)))
    scene.plane.on_datagrams([forged, Datagram(b"\x80\xc8" + bytes(30), scene.publisher.path)], 1.0)
    assert scene.dropped("srtp_authentication") == 2
    scene.plane.on_datagrams([media], 1.0)
    assert scene.plane.reception(TRACK)[0].packets == 1


def test_short_packets_and_media_before_keys_are_counted(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.plane.on_datagrams([Datagram(b"\x80\x60\x00", scene.publisher.path)], 1.0)
    assert scene.dropped("malformed") == 1
    scene.plane.add_transport(2)
    scene.plane.bind(2, STRANGER)
    scene.plane.on_datagrams([Datagram(b"\x80" + bytes(40), STRANGER)], 1.0)
    assert scene.dropped("no_keys") == 1


def test_packets_that_contradict_themselves_are_counted(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    overrun = b"\x90\x60\x00\x01" + bytes(4) + b"\x00\x00\x00\x04" + b"\xbe\xde\x00\x01" + b"\x1f\x00\x00\x00"
    no_bitstream = media_packet(VP8, 2, 2, 5, b"\x90\xe0\x80", mid="0", rid="q")
    short_rtx = media_packet(VP8_RTX, 3, 2, 6, b"\x01", mid="0", repaired_rid="q")
    scene.send(overrun, no_bitstream, short_rtx)
    assert scene.dropped("malformed") == 3


def test_transport_numbers_are_noted_with_their_arrival_whatever_the_packet_carries(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    element = PUBLISHER_IDS.transport_cc
    unknown = media_packet(VP8, 1, 1, 77, vp8_payload(1, 1), more=((element, b"\xff\xfe"),))
    probe = media_packet(VP8_RTX, 1, 1, 50, b"", mid="0", repaired_rid="q", padding=50, transport_number=0)
    media = media_packet(VP8, 1, 1, 40, vp8_payload(1, 1, key=True), mid="0", rid="q", transport_number=0xFFFF)
    later = media_packet(VP8, 2, 1, 40, vp8_payload(1, 1), transport_number=2)
    scene.send(unknown, after_s=0.5)
    scene.send(probe, after_s=0.5)
    scene.send(media, after_s=0.5)
    scene.send(later, after_s=0.5)
    assert scene.arrivals() == [(0xFFFE, 1000.5), (0xFFFF, 1001.5), (0, 1001.0), (2, 1002.0)]
    assert scene.arrivals() == []


def test_arrivals_keep_the_first_of_a_number_and_are_limited(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO, config=PlaneConfig(arrivals_per_transport=3))
    for number, transport_number in enumerate((1, 1, 2, 3, 4)):
        payload = vp8_payload(1, 1)
        scene.send(media_packet(VP8, number, 1, 4, payload, mid="0", transport_number=transport_number), after_s=1.0)
    assert scene.arrivals() == [(1, 1001.0), (2, 1003.0), (3, 1004.0)]


def test_one_way_packets_need_keys_and_a_selected_path_else_they_are_counted(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.plane.add_transport(2)
    scene.plane.send_dtls(2, DTLS)
    scene.plane.send_rtcp(2, bytes(8), 1.0)
    assert scene.plane.take_output() == []
    assert scene.dropped("not_connected") == 2
    scene.plane.bind(2, STRANGER)
    scene.plane.select(2, STRANGER)
    scene.plane.send_dtls(2, DTLS)
    scene.plane.send(STRANGER, STUN)
    assert scene.plane.take_output() == [Datagram(DTLS, STRANGER), Datagram(STUN, STRANGER)]
