"""Tables: what is bound to what, what happens to the rest when something is removed, and what is a bug of ours."""

from __future__ import annotations

import itertools

import pytest

from sfu.plane.interface import Datagram, DtlsReceived, Path, Plane, PlaneConfig, SrtpKeys
from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import VIDEO, VideoSource, video_slot

DTLS = bytes((22, 254, 253)) + bytes(20)
HERE = Path(0, "192.0.2.1", 1000)


def others(count: int) -> list[Path]:
    return [Path(0, "192.0.2.1", 2000 + number) for number in range(count)]


def test_media_goes_to_the_selected_path_and_follows_it(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    subscriber = scene.subscribe()
    source = VideoSource(ssrc=3)
    scene.send(*source.frame(key=True))
    scene.plane.bind(100, HERE)
    assert scene.send(*source.frame())[0].path == subscriber.path
    scene.plane.select(100, HERE)
    (datagram,) = scene.plane.on_datagrams([scene.publisher.protect(*source.frame())], scene.now)
    assert datagram.path == HERE


def test_an_address_validated_by_another_transport_leaves_the_old_one(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    path = scene.publisher.path
    scene.plane.add_transport(2)
    scene.plane.bind(2, path)
    scene.plane.on_datagrams([Datagram(DTLS, path)], 1.0)
    assert scene.events(DtlsReceived) == [DtlsReceived(DTLS, 2)]
    scene.plane.send_dtls(PUBLISHER, DTLS)
    assert scene.dropped("not_connected") == 1


def test_of_too_many_addresses_the_oldest_that_is_not_selected_goes(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO, config=PlaneConfig(paths_per_transport=3))
    selected = scene.publisher.path
    first, second, third = others(3)
    scene.plane.bind(PUBLISHER, first)
    scene.plane.bind(PUBLISHER, second)
    scene.plane.bind(PUBLISHER, first)  # checked again: no longer the oldest
    scene.plane.bind(PUBLISHER, third)
    scene.plane.on_datagrams([Datagram(DTLS, path) for path in (selected, first, second, third)], 1.0)
    assert len(scene.events(DtlsReceived)) == 3
    assert scene.dropped("unknown_address") == 1
    with pytest.raises(KeyError):
        scene.plane.select(PUBLISHER, second)


@pytest.mark.parametrize("order", list(itertools.permutations(("slot", "track", "publisher", "subscriber"))))
def test_removing_is_safe_in_any_order_and_twice(make_plane: MakePlane, order: tuple[str, ...]) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    source = VideoSource(ssrc=3)
    scene.send(*source.frame(key=True))
    remove = {
        "slot": lambda: scene.plane.remove_slot(100),
        "track": lambda: scene.plane.remove_track(TRACK),
        "publisher": lambda: scene.plane.remove_transport(PUBLISHER),
        "subscriber": lambda: scene.plane.remove_transport(100),
    }
    for name in order:
        remove[name]()
        remove[name]()
        assert scene.send(*source.frame()) == [] or name == "never"
    scene.plane.add_transport(900)
    scene.plane.bind(900, scene.publisher.path)


def test_a_slot_outlives_its_track_and_carries_the_next_one(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    source = VideoSource(ssrc=3)
    scene.send(*source.frame(key=True))
    scene.plane.remove_track(TRACK)
    transmission = scene.plane.transmission(100)
    assert (transmission.track, transmission.layer, transmission.packets) == (None, None, 1)
    scene.plane.add_track(12, PUBLISHER, VIDEO)
    scene.plane.set_route(100, 12)
    scene.plane.set_layer(100, 0)
    other = VideoSource(ssrc=4)
    assert [packet.number for packet in scene.send(*other.frame(key=True))] == [101]


def test_who_comes_after_somebody_who_has_gone_begins_afresh(make_plane: MakePlane) -> None:
    """Also in memory that was used before."""
    scene = Scene(make_plane, VIDEO)
    scene.subscribe(100)
    source = VideoSource(ssrc=3)
    first = [packet for _ in range(3) for packet in scene.send(*source.frame(3, key=True))]
    scene.plane.remove_transport(100)
    scene.plane.remove_slot(100)
    scene.subscribe(200)
    scene.remotes[100] = scene.remotes[200]  # whose packets `send` returns
    scene.plane.retransmit(200, [packet.number for packet in first], scene.now)
    assert scene.plane.take_output() == []
    assert scene.dropped("not_in_history") == len(first)
    scene.report(dict.fromkeys(range(len(first)), 1.0), transport=200)
    assert not any(report["acked_packets"] for report in scene.poll().reports)
    second = scene.send(*source.frame(3, key=True))
    assert [(packet.number, packet.element("transport_cc")) for packet in second] == [
        (packet.number, packet.element("transport_cc")) for packet in first[:3]
    ]
    assert scene.plane.transmission(200).packets == 3


def test_an_outgoing_ssrc_is_never_given_out_twice_on_a_transport(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    scene.plane.remove_slot(100)
    for spec in (video_slot(7000), video_slot(7001), video_slot(6999)):
        with pytest.raises(ValueError, match="SSRC"):
            scene.plane.add_slot(102, 100, spec)


def test_a_first_sequence_number_that_srtp_could_misread_is_refused(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    with pytest.raises(ValueError, match="32768"):
        scene.plane.add_slot(102, PUBLISHER, video_slot(first_sequence_number=32768))


CALLS_WITH_UNKNOWN_IDS = {
    "bind": lambda plane: plane.bind(99, HERE),
    "select": lambda plane: plane.select(99, HERE),
    "select an address not validated": lambda plane: plane.select(PUBLISHER, HERE),
    "set_keys": lambda plane: plane.set_keys(99, SrtpKeys("SRTP_AEAD_AES_128_GCM", bytes(28), bytes(28))),
    "send_dtls": lambda plane: plane.send_dtls(99, b""),
    "send_rtcp": lambda plane: plane.send_rtcp(99, b"", 1.0),
    "set_reporter": lambda plane: plane.set_reporter(99, 1, "us"),
    "send_reports": lambda plane: plane.send_reports([PUBLISHER, 99], 1, 1.0),
    "add_track": lambda plane: plane.add_track(99, 99, VIDEO),
    "announce_ssrc": lambda plane: plane.announce_ssrc(99, 0, 1, False),
    "announce_ssrc of a layer": lambda plane: plane.announce_ssrc(TRACK, 1, 1, False),
    "set_clock": lambda plane: plane.set_clock(99, 0, 1, 1.0),
    "reception": lambda plane: plane.reception(99),
    "missing": lambda plane: plane.missing(99, 0, [1]),
    "missing of a layer": lambda plane: plane.missing(TRACK, -1, [1]),
    "set_feedback_interval": lambda plane: plane.set_feedback_interval(99, 0.1, 1.0),
    "add_slot": lambda plane: plane.add_slot(99, 99, video_slot()),
    "set_route": lambda plane: plane.set_route(99, TRACK),
    "set_route to a track": lambda plane: plane.set_route(100, 99),
    "set_layer": lambda plane: plane.set_layer(99, 0),
    "set_layer of a layer": lambda plane: plane.set_layer(100, 1),
    "retransmit": lambda plane: plane.retransmit(99, [1], 1.0),
    "transmission": lambda plane: plane.transmission(99),
}


@pytest.mark.parametrize("call", sorted(CALLS_WITH_UNKNOWN_IDS))
def test_unknown_ids_are_bugs_of_ours(make_plane: MakePlane, call: str) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    with pytest.raises(KeyError):
        CALLS_WITH_UNKNOWN_IDS[call](scene.plane)


def test_ids_in_use_cannot_be_added_again(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe()
    plane: Plane = scene.plane
    with pytest.raises(ValueError):
        plane.add_transport(PUBLISHER)
    with pytest.raises(ValueError):
        plane.add_track(TRACK, PUBLISHER, VIDEO)
    with pytest.raises(ValueError, match="mid"):
        plane.add_track(12, PUBLISHER, VIDEO)
    with pytest.raises(ValueError):
        plane.add_slot(100, 100, video_slot(1))


def test_an_unknown_srtp_profile_is_refused(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    with pytest.raises(ValueError, match="profile"):
        scene.plane.set_keys(PUBLISHER, SrtpKeys("SRTP_NULL", bytes(28), bytes(28)))
