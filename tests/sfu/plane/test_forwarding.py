"""One packet, from a publisher to subscribers: decrypted there, and every field compared."""

from __future__ import annotations

import pylibsrtp
import pytest

from sfu.plane.fallback.srtp import SrtpSession
from sfu.plane.interface import Datagram, SrtpKeys, SsrcLearned, Switched
from sfu.wire import extensions, rtp, vp8
from sfu.wire.extensions import ExtensionIds
from tests.support.layering import dependency_descriptor
from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import (
    AUDIO,
    H264,
    PROFILES,
    PUBLISHER_IDS,
    SUBSCRIBER_IDS,
    VIDEO,
    VP8,
    VideoSource,
    audio_slot,
    media_packet,
    opus_packet,
    video_slot,
    vp8_payload,
)
from tests.support.svc import layer_structure


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_video_arrives_with_every_field_rewritten(make_plane: MakePlane, profile: str) -> None:
    scene = Scene(make_plane, VIDEO, profile=profile)
    subscriber = scene.subscribe()
    source = VideoSource(ssrc=33)
    key_frame = source.frame(2, key=True)
    (first, second) = scene.send(*key_frame)
    assert first.path == subscriber.path
    for position, got in enumerate((first, second)):
        assert got.header.payload_type == 120
        assert got.header.ssrc == 7000
        assert got.header.sequence_number == 100 + position
        assert got.header.timestamp == 5000
        assert got.header.marker == (position == 1)
        assert got.element("mid") == b"v0"
        assert got.element("abs_send_time") == extensions.abs_send_time(scene.now)
        assert got.element("transport_cc") == bytes((0, position))
        sent = rtp.parse(key_frame[position])
        original = vp8.parse(key_frame[position][sent.payload_offset :])
        described = vp8.parse(got.payload)
        assert original is not None and described is not None
        assert (described.picture_id, described.tl0_picture_index) == (0, 0)
        assert got.payload[described.length :] == key_frame[position][sent.payload_offset + original.length :]
    (later,) = scene.send(*source.frame())
    described = vp8.parse(later.payload)
    assert described is not None
    assert (later.number, later.timestamp) == (102, 5000 + 3000)
    assert (described.picture_id, described.tl0_picture_index) == (1, 1)
    assert later.element("transport_cc") == b"\0\2"


def test_seven_bit_picture_ids_keep_their_form(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    source = VideoSource(ssrc=33, bits=7, next_picture_id=100)
    scene.send(*source.frame(key=True))
    ids = []
    for _ in range(200):
        (got,) = scene.send(*source.frame())
        described = vp8.parse(got.payload)
        assert described is not None and described.picture_id_bits == 7
        ids.append(described.picture_id)
    assert ids == [number % 128 for number in range(1, 201)]


def test_audio_starts_at_once_and_keeps_its_level(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, AUDIO)
    scene.subscribe(spec=audio_slot())
    (first,) = scene.send(opus_packet(5, 960, level=0x9E))
    (second,) = scene.send(opus_packet(6, 1920, level=17))
    assert (first.header.payload_type, first.header.ssrc) == (109, 8000)
    assert [first.number, second.number] == [200, 201]
    assert [first.timestamp, second.timestamp] == [9000, 9960]
    assert [first.element("audio_level"), second.element("audio_level")] == [b"\x9e", b"\x11"]
    assert first.element("mid") == b"a0"
    assert first.payload == b"\x78" + bytes(60)


def test_h264_starts_at_its_parameter_sets(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    slice_, parameters, idr = b"\x41\x9a" + bytes(20), b"\x67\x42\xe0\x1f", b"\x65\x88" + bytes(20)
    got = scene.send(
        media_packet(H264, 1, 3000, 33, slice_, mid="0", marker=True),
        media_packet(H264, 2, 6000, 33, parameters, mid="0"),
        media_packet(H264, 3, 6000, 33, idr, mid="0", marker=True),
    )
    assert [(packet.header.payload_type, packet.payload) for packet in got] == [(122, parameters), (122, idr)]
    assert len(scene.events(Switched)) == 1


def test_only_known_extensions_travel_and_only_what_still_means_the_same(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    ids = PUBLISHER_IDS
    more = (
        (ids.video_orientation, b"\x01"),
        (ids.playout_delay, b"\x00\x10\x20"),
        (ids.dependency_descriptor, dependency_descriptor(1, 0, attached=layer_structure(1))),
        (14, b"unknown"),
    )
    payload = vp8_payload(1, 1, key=True)
    (got,) = scene.send(media_packet(VP8, 1, 1, 33, payload, mid="0", transport_number=900, more=more))
    assert got.element("video_orientation") == b"\x01"
    assert got.element("playout_delay") == b"\x00\x10\x20"
    assert set(got.header.extensions) == {
        SUBSCRIBER_IDS.mid,
        SUBSCRIBER_IDS.abs_send_time,
        SUBSCRIBER_IDS.transport_cc,
        SUBSCRIBER_IDS.video_orientation,
        SUBSCRIBER_IDS.playout_delay,
    }


def test_a_subscriber_without_extensions_gets_none(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    scene.plane.set_extensions(100, ExtensionIds(), ExtensionIds())
    (got,) = scene.send(*VideoSource(ssrc=33).frame(key=True))
    assert got.header.extensions == {}


def test_an_overlong_element_is_not_passed_on(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    more = ((PUBLISHER_IDS.video_orientation, bytes(17)), (PUBLISHER_IDS.playout_delay, b""))
    (got,) = scene.send(media_packet(VP8, 1, 1, 33, vp8_payload(1, 1, key=True), mid="0", more=more))
    assert got.element("video_orientation") is None
    assert got.element("playout_delay") is None


def test_each_subscriber_has_its_own_numbers_and_keys(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    early = scene.subscribe(100)
    source = VideoSource(ssrc=33)
    scene.send(*source.frame(key=True), *source.frame())
    late = scene.subscribe(101, spec=video_slot(ssrc=9000, first_sequence_number=30000))
    output = scene.plane.on_datagrams([scene.publisher.protect(p) for p in source.frame(key=True)], scene.now)
    assert [(got.header.ssrc, got.number) for got in early.open_all(output)] == [(7000, 102)]
    assert [(got.header.ssrc, got.number) for got in late.open_all(output)] == [(9000, 30000)]
    with pytest.raises(pylibsrtp.Error):
        late.open(next(datagram for datagram in output if datagram.path == early.path))


def test_transport_numbers_run_over_all_slots_of_a_transport(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    scene.plane.add_track(12, PUBLISHER, AUDIO)
    scene.plane.add_slot(200, 100, audio_slot())
    scene.plane.set_route(200, 12)
    scene.plane.set_layer(200, 0)
    source = VideoSource(ssrc=33)
    got = scene.send(*source.frame(key=True), opus_packet(1, 1), *source.frame(), opus_packet(2, 961))
    assert [packet.element("transport_cc") for packet in got] == [b"\0\0", b"\0\1", b"\0\2", b"\0\3"]
    assert [packet.header.ssrc for packet in got] == [7000, 8000, 7000, 8000]


def test_a_codec_the_subscriber_has_not_is_counted_and_skipped_without_a_gap(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe(spec=video_slot())
    vp8_only = video_slot(ssrc=9000)
    vp8_only = type(vp8_only)(
        vp8_only.mid, "video", 90000, 9000, None, {VP8.codec: (120, None)}, first_sequence_number=1, first_timestamp=1
    )
    other = scene.subscribe(101, spec=vp8_only)
    source = VideoSource(ssrc=33)
    key_frame = source.frame(key=True)
    foreign = media_packet(H264, source.next_number, 1, 33, b"\x65\x88", mid="0")
    source.next_number += 1
    output = scene.plane.on_datagrams(
        [scene.publisher.protect(packet) for packet in (*key_frame, foreign, *source.frame())], scene.now
    )
    assert [packet.number for packet in other.open_all(output)] == [1, 2]
    assert scene.dropped("no_payload_type") == 1


def test_another_answer_counts_from_the_next_packet_on(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    subscriber = scene.subscribe(spec=video_slot())
    source = VideoSource(ssrc=33)
    before = scene.send(*source.frame(key=True))
    scene.plane.set_payload_types(100, {VP8.codec: (98, None)})
    after = scene.send(*source.frame())
    assert [(packet.header.payload_type, packet.number) for packet in before + after] == [(120, 100), (98, 101)]
    assert scene.plane.retransmit(100, [100, 101], scene.now) == 0, "there is no RTX any more"
    assert scene.dropped("no_payload_type") == 2
    scene.plane.set_payload_types(100, {H264.codec: (98, 99)})
    assert scene.send(*source.frame()) == []
    scene.plane.set_payload_types(100, {VP8.codec: (120, 121)})
    (last,) = scene.send(*source.frame())
    assert (last.header.payload_type, last.number) == (120, 102), "one stream to the subscriber, whatever it is called"
    assert scene.plane.retransmit(100, [101], scene.now) == 1
    (again,) = subscriber.open_all(scene.plane.take_output())
    assert again.header.payload_type == 121


def test_the_codec_is_that_of_the_last_packet_that_carried_anything(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    source = VideoSource(ssrc=33)
    packets = [source.padding(), *source.frame(key=True), source.padding()]
    packets.append(media_packet(H264, source.next_number, 1, 33, b"\x65\x88", mid="0"))
    codecs = []
    for packet in packets:
        scene.send(packet)
        codecs += [each.codec for each in scene.plane.reception(TRACK)]
    assert codecs == [None, VP8.codec, VP8.codec, H264.codec]


def test_nothing_leaves_before_keys_and_a_path_and_the_stream_starts_at_a_key_frame_after(
    make_plane: MakePlane,
) -> None:
    scene = Scene(make_plane, VIDEO)
    subscriber = scene.subscribe()
    scene.plane.remove_transport(100)
    scene.plane.add_transport(102)
    scene.plane.add_slot(102, 102, video_slot())
    scene.plane.set_route(102, TRACK)
    scene.plane.set_layer(102, 0)
    source = VideoSource(ssrc=33)
    assert scene.send(*source.frame(key=True)) == []
    assert scene.dropped("not_connected") == 1
    scene.plane.set_keys(102, subscriber.keys)
    scene.plane.bind(102, subscriber.path)
    scene.plane.select(102, subscriber.path)
    assert scene.send(*source.frame()) == []
    assert [packet.number for packet in scene.send(*source.frame(key=True))] == [100]


def test_counts_what_leaves(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    source = VideoSource(ssrc=33)
    scene.send(*source.frame(3, key=True))
    counters = scene.plane.counters
    assert (counters.received_datagrams, counters.received_rtp) == (3, 3)
    assert (counters.forwarded, counters.sent_datagrams) == (3, 3)
    assert counters.sent_bytes > 3 * 30
    transmission = scene.plane.transmission(100)
    assert (transmission.track, transmission.layer, transmission.packets) == (TRACK, 0, 3)
    assert transmission.octets == 3 * (30 + 6)
    assert [(event.track, event.layer) for event in scene.events(Switched)] == [(TRACK, 0)]
    assert scene.events(SsrcLearned) == [SsrcLearned(TRACK, 0, 33, rtx=False)]


def test_large_packets_pass(make_plane: MakePlane) -> None:
    """GStreamer's default MTU makes packets of 1400 bytes, over what pylibsrtp's own buffer takes."""
    scene = Scene(make_plane, VIDEO)
    subscriber = scene.subscribe()
    big = media_packet(VP8, 1, 1, 33, vp8_payload(1, 1, key=True, size=1430 - 40))
    scene.plane.announce_ssrc(TRACK, 0, 33, rtx=False)
    keys = scene.publisher.keys
    far_end = SrtpSession(SrtpKeys(keys.profile, keys.send_key, keys.receive_key), 1024)
    (datagram,) = scene.plane.on_datagrams([Datagram(far_end.protect(big), scene.publisher.path)], scene.now)
    assert len(datagram.payload) > 1410
    assert subscriber.open(datagram).header.ssrc == 7000
