"""Probes: more than there is to send, for a moment, and what became of it."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import pytest

from sfu.plane.interface import Datagram, Path, PlaneConfig
from sfu.wire import rtp, rtx
from tests.support.planes import MakePlane, Scene
from tests.support.rtp import (
    AUDIO,
    PUBLISHER_IDS,
    SUBSCRIBER_IDS,
    VIDEO,
    VP8,
    Received,
    VideoSource,
    audio_slot,
    media_packet,
    opus_packet,
    video_slot,
    vp8_payload,
)

RATE_BPS = 1_000_000


class Camera:
    """Frames of one packet of some size."""

    def __init__(self) -> None:
        self.number = 1000

    def packet(self, size: int = 1000) -> bytes:
        self.number += 1
        payload = vp8_payload(self.number, 1, key=self.number == 1001, size=size)
        return media_packet(VP8, self.number, self.number * 3000, 4, payload, mid="0")


def watched(make_plane: MakePlane, packets: int = 10, *, config: PlaneConfig | None = None) -> Scene:
    """Subscriber 100 has been sent numbers 100 … 99 + `packets`, of about 1000 bytes, 1 ms apart."""
    scene = Scene(make_plane, VIDEO, config=config)
    scene.subscribe(spec=video_slot())
    camera = Camera()
    for _ in range(packets):
        scene.send(camera.packet())
    return scene


def probe(scene: Scene, packets: int, cluster: int = 1, rate_bps: float = RATE_BPS) -> list[tuple[float, Datagram]]:
    """All of it, with the times of leaving."""
    assert scene.plane.probe(100, rate_bps, packets, cluster, scene.now)
    left = [(scene.now, datagram) for datagram in scene.plane.take_output()]
    return left + scene.run_until(scene.now + 1)


def opened(scene: Scene, left: list[tuple[float, Datagram]]) -> list[Received]:
    return scene.remotes[100].open_all([datagram for _, datagram in left])


def transport_number(received: Received) -> int:
    return int.from_bytes(received.element("transport_cc") or b"", "big")


def test_a_probe_repeats_what_was_sent_last_at_the_rate_asked_for(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    start = scene.now
    left = probe(scene, 5)
    got = opened(scene, left)
    assert [rtx.unwrap(packet.payload)[0] for packet in got] == [109, 108, 107, 106, 105]
    assert [(packet.header.ssrc, packet.header.payload_type) for packet in got] == [(7001, 121)] * 5
    assert [packet.number for packet in got] == [100, 101, 102, 103, 104]
    assert [transport_number(packet) for packet in got] == [10, 11, 12, 13, 14]
    due = start
    for at, datagram in left:
        assert at == pytest.approx(due)
        due += len(datagram.payload) * 8 / RATE_BPS
    assert (scene.plane.counters.probes, scene.plane.counters.retransmitted) == (5, 0)
    assert scene.plane.transmission(100).retransmitted == 0
    assert scene.plane.next_timeout() is None


def test_when_there_is_no_more_of_that_padding_follows(make_plane: MakePlane) -> None:
    scene = watched(make_plane, 3)
    left = probe(scene, 6)
    got = opened(scene, left)
    media, padding = got[:3], got[3:]
    assert [rtx.unwrap(packet.payload)[0] for packet in media] == [102, 101, 100]
    newest = scene.plane.transmission(100).timestamp_at_s
    assert newest is not None
    for index, packet in enumerate(padding):
        assert (packet.header.ssrc, packet.header.payload_type, packet.number) == (7001, 121, 103 + index)
        assert (packet.payload, packet.header.marker) == (b"", False)
        assert packet.timestamp == (newest[0] + 2 * 3000)
        assert packet.element("mid") == b"v0"
        assert transport_number(packet) == 6 + index
    header = 12 + 4 + 1 + 2 + 1 + 3 + 1 + 2 + 2  # fixed, extension: mid, abs-send-time, transport-cc, filled up
    assert [len(datagram.payload) for _, datagram in left[3:]] == [header + 224 + 16] * 3


def test_padding_says_so_as_rtp_does(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    remote = scene.subscribe(spec=video_slot())
    left = probe(scene, 1)
    packet = remote._inbound.unprotect(left[0][1].payload)
    header = rtp.parse(packet)
    assert packet[0] & 0x20 and packet[-1] == 224
    assert header.payload_end == header.payload_offset == len(packet) - 224
    assert header.timestamp == 5000  # what the first packet will have
    assert not any(packet[header.payload_end : -1])


def test_each_packet_is_repeated_once_per_cluster(make_plane: MakePlane) -> None:
    scene = watched(make_plane, 4)
    for cluster in range(3):
        got = opened(scene, probe(scene, 6, cluster))
        assert [rtx.unwrap(packet.payload)[0] if packet.payload else None for packet in got] == [
            *(103, 102, 101, 100),
            *(None, None),
        ]
    assert scene.dropped("srtp_protect") == 0


def test_what_is_shorter_than_padding_is_not_worth_repeating(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    scene.subscribe(spec=video_slot())
    camera = Camera()
    for size in (500, 100, 600, 10):
        scene.send(camera.packet(size))
    got = opened(scene, probe(scene, 3))
    assert [rtx.unwrap(packet.payload)[0] if packet.payload else None for packet in got] == [102, 100, None]


def test_the_newest_of_all_slots_goes_first(make_plane: MakePlane) -> None:
    scene = watched(make_plane, 0)
    scene.connect(2)
    scene.plane.add_track(12, 2, VIDEO)
    scene.plane.add_slot(200, 100, video_slot(9000, "v1"))
    scene.plane.set_route(200, 12)
    scene.plane.set_layer(200, 0)
    cameras = {1: Camera(), 2: Camera()}
    for transport in (1, 2, 2, 1, 2):
        scene.send(cameras[transport].packet(), transport=transport)
    got = opened(scene, probe(scene, 5))
    assert [(packet.header.ssrc, rtx.unwrap(packet.payload)[0]) for packet in got] == [
        (9001, 102),
        (7001, 101),
        (9001, 101),
        (9001, 100),
        (7001, 100),
    ]


def test_a_repeated_packet_that_is_asked_for_was_answered_by_the_probe(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    assert scene.plane.probe(100, RATE_BPS, 1, 1, scene.now)
    scene.plane.take_output()
    assert scene.retransmit(109) == []
    assert scene.dropped("rtx_repeated") == 1


def test_a_late_wakeup_is_made_up_for(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    assert scene.plane.probe(100, RATE_BPS, 8, 1, scene.now)
    (first,) = scene.plane.take_output()
    interval_s = len(first.payload) * 8 / RATE_BPS
    scene.now += 3.5 * interval_s
    assert len(scene.plane.on_timeout(scene.now)) == 3
    assert scene.plane.next_timeout() == pytest.approx(scene.now + 0.5 * interval_s, abs=interval_s / 10)


def test_probes_leave_beside_what_waits_for_the_recovery_rate(make_plane: MakePlane) -> None:
    scene = watched(make_plane, config=PlaneConfig(recovery_bps=4000, recovery_burst_s=0.1, rtx_wait_s=60.0))
    assert scene.plane.retransmit(100, [100, 101], scene.now) == 2
    scene.plane.take_output()
    got = opened(scene, probe(scene, 3))
    assert [rtx.unwrap(packet.payload)[0] for packet in got] == [109, 108, 107]
    assert [rtx.unwrap(packet.payload)[0] for packet in opened(scene, scene.run_until(scene.now + 5))] == [101]


# --- refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["no slot", "no rtx", "audio", "no keys", "no path", "no transport-cc"])
def test_without_a_way_to_probe_it_is_refused(make_plane: MakePlane, why: str) -> None:
    scene = Scene(make_plane, AUDIO if why == "audio" else VIDEO)
    plane = scene.plane
    if why == "no slot":
        scene.connect(100)
    elif why == "no keys":
        plane.add_transport(100)
        plane.bind(100, Path(0, "10.0.0.9", 9))
        plane.select(100, Path(0, "10.0.0.9", 9))
        plane.set_extensions(100, PUBLISHER_IDS, SUBSCRIBER_IDS)
        plane.add_slot(100, 100, video_slot())
    else:
        scene.subscribe(spec=audio_slot() if why == "audio" else video_slot(rtx=why != "no rtx"))
        scene.send(opus_packet(1, 1) if why == "audio" else VideoSource(ssrc=4).frame(key=True)[0])
    if why == "no path":
        scene.connect(1000)
        plane.bind(1000, scene.remotes[100].path)
    elif why == "no transport-cc":
        plane.set_extensions(100, PUBLISHER_IDS, replace(SUBSCRIBER_IDS, transport_cc=0))
    assert plane.probe(100, RATE_BPS, 5, 1, scene.now) is False
    assert plane.take_output() == [] and plane.next_timeout() is None
    assert [len(column) for column in scene.poll()] == [0, 0, 0]


def test_rates_and_sizes_are_positive(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    for rate_bps, packets in ((0, 5), (-1.0, 5), (RATE_BPS, 0), (float("nan"), 5)):
        with pytest.raises(ValueError, match="positive"):
            scene.plane.probe(100, rate_bps, packets, 1, scene.now)
    with pytest.raises(KeyError):
        scene.plane.probe(5, RATE_BPS, 5, 1, scene.now)


# --- results ---------------------------------------------------------------------------------------------------


def test_a_cluster_is_told_when_all_of_it_was_reported_on(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    start = scene.now
    left = probe(scene, 4, cluster=77)
    sizes = [len(datagram.payload) for _, datagram in left]
    scene.report({9: 5.0, 10: 5.01, 11: None, 12: 5.02})
    assert len(scene.poll().clusters) == 0
    scene.report({13: 5.0225})
    (row,) = scene.poll().clusters
    assert (row["transport"], row["cluster"]) == (100, 77)
    assert (row["sent_packets"], row["sent_bytes"], row["last_sent_bytes"]) == (4, sum(sizes), sizes[3])
    assert (row["first_sent_at_s"], row["last_sent_at_s"]) == (start, left[3][0])
    assert (row["acked_packets"], row["acked_bytes"]) == (3, sum(sizes) - sizes[1])
    assert (row["first_arrived_at_s"], row["last_arrived_at_s"]) == (pytest.approx(5.01), pytest.approx(5.0225))
    assert row["first_arrived_bytes"] == sizes[0]
    scene.report({11: 5.1})
    assert len(scene.poll().clusters) == 0


def test_the_first_to_arrive_need_not_be_the_first_sent(make_plane: MakePlane) -> None:
    scene = watched(make_plane, 2)
    sizes = [len(datagram.payload) for _, datagram in probe(scene, 3)]
    scene.report({2: None, 3: 5.03})
    scene.report({2: 5.02, 4: 5.01})
    (row,) = scene.poll().clusters
    assert row["acked_packets"] == 3
    assert (row["first_arrived_bytes"], row["first_arrived_at_s"]) == (sizes[2], pytest.approx(5.01))
    assert row["last_arrived_at_s"] == pytest.approx(5.03)


def test_a_cluster_that_nobody_reports_on_is_told_a_second_after_its_last_packet(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    left = probe(scene, 3)
    scene.now = left[-1][0] + 0.99
    assert len(scene.poll().clusters) == 0
    scene.now += 0.02
    (row,) = scene.poll().clusters
    assert (row["sent_packets"], row["acked_packets"]) == (3, 0)
    assert isnan(row["first_arrived_at_s"]) and isnan(row["last_arrived_at_s"])
    assert len(scene.poll().clusters) == 0


def test_a_new_cluster_takes_the_place_of_one_that_still_runs(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    assert scene.plane.probe(100, RATE_BPS, 10, 1, scene.now)
    assert len(scene.plane.take_output()) == 1
    assert len(probe(scene, 2, cluster=2)) == 2
    scene.report({10: 5.0, 11: 5.01, 12: 5.02})
    clusters = scene.poll().clusters
    assert clusters["cluster"].tolist() == [1, 2]
    assert clusters["sent_packets"].tolist() == [1, 2]


def test_a_cluster_ends_when_the_remote_can_be_sent_no_more(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    assert scene.plane.probe(100, RATE_BPS, 10, 1, scene.now)
    scene.plane.take_output()
    scene.plane.remove_slot(100)
    assert scene.run_until(scene.now + 1.5) == []
    assert scene.plane.next_timeout() is None
    assert scene.poll().clusters["sent_packets"].tolist() == [1]


def test_a_removed_transport_takes_its_clusters_along(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    assert scene.plane.probe(100, RATE_BPS, 10, 1, scene.now)
    scene.plane.take_output()
    scene.plane.remove_transport(100)
    assert scene.plane.next_timeout() is None
    assert scene.run_until(scene.now + 2) == []
    assert len(scene.poll().clusters) == 0


def test_when_nobody_polls_the_oldest_clusters_go(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    for cluster in range(12):
        probe(scene, 1, cluster)
    assert scene.poll().clusters["cluster"].tolist() == list(range(4, 12))
    assert scene.plane.counters.feedback_forgotten == 4


def test_rows_are_by_transport_then_in_the_order_of_asking(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    scene.subscribe(99, spec=video_slot())
    for transport, cluster in ((100, 5), (99, 9), (100, 3), (99, 8)):
        assert scene.plane.probe(transport, RATE_BPS, 1, cluster, scene.now)
    scene.now += 1.5
    clusters = scene.poll().clusters
    assert clusters["transport"].tolist() == [99, 99, 100, 100]
    assert clusters["cluster"].tolist() == [9, 8, 5, 3]
