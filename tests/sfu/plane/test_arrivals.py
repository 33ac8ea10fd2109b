"""Transport-cc feedback to publishers: when it leaves, for whom, and every byte as `core` and `wire` say."""

from __future__ import annotations

from random import Random

import pytest

from sfu.core.feedback import MAX_ARRIVALS, MAX_SPAN, ArrivalFeedback
from sfu.plane.interface import PlaneConfig
from sfu.wire import twcc
from sfu.wire.rtcp import parse
from sfu.wire.serial import Unwrapper
from sfu.wire.twcc import TransportFeedback
from tests.support.planes import PUBLISHER, MakePlane, Scene
from tests.support.rtp import PUBLISHER_IDS, VIDEO, VP8, media_packet, vp8_payload

SSRC, MEDIA_SSRC = 555, 3


def publishing(make_plane: MakePlane, config: PlaneConfig | None = None) -> Scene:
    scene = Scene(make_plane, VIDEO, config=config)
    scene.plane.set_reporter(PUBLISHER, SSRC, "us")
    return scene


def media(number: int, transport_number: int | None = None) -> bytes:
    at = (number if transport_number is None else transport_number) & 0xFFFF
    return media_packet(
        VP8, number & 0xFFFF, number * 90, MEDIA_SSRC, vp8_payload(1, 1), mid="0", transport_number=at
    )  # fmt: skip


def feedbacks(scene: Scene, until: float) -> list[tuple[float, TransportFeedback]]:
    """What leaves until then, and when."""
    remote = scene.remotes[PUBLISHER]
    found = []
    for at_s, datagram in scene.run_until(until):
        (packet,) = parse(remote.open_rtcp(datagram)).packets
        assert isinstance(packet, TransportFeedback)
        found.append((at_s, packet))
    return found


def test_it_leaves_at_common_moments_and_only_when_something_has_arrived(make_plane: MakePlane) -> None:
    scene = publishing(make_plane)
    scene.plane.set_feedback_interval(PUBLISHER, 0.1, scene.now)
    assert scene.plane.next_timeout() is None
    scene.send(media(1), media(2), after_s=0.23)
    scene.send(media(4), after_s=0.02)
    ((at_s, packet),) = feedbacks(scene, 1002.0)
    assert at_s == pytest.approx(1000.3)
    assert (packet.sender_ssrc, packet.media_ssrc, packet.feedback_count) == (SSRC, MEDIA_SSRC, 0)
    assert [(number, at_us is not None) for number, at_us in packet.packets] == [
        (1, True),
        (2, True),
        (3, False),
        (4, True),
    ]
    assert scene.plane.next_timeout() is None and scene.plane.counters.transport_feedback_sent == 1
    scene.send(media(6))
    ((at_s, packet),) = feedbacks(scene, 1003.0)
    assert at_s == pytest.approx(1002.1) and [number for number, _ in packet.packets] == [5, 6]


def test_without_an_interval_there_is_none_and_with_one_again_all_is_told(make_plane: MakePlane) -> None:
    scene = publishing(make_plane)
    scene.send(media(1))
    assert scene.plane.next_timeout() is None
    scene.plane.set_feedback_interval(PUBLISHER, 0.1, scene.now)
    assert len(feedbacks(scene, scene.now + 0.2)) == 1
    scene.send(media(2))
    scene.plane.set_feedback_interval(PUBLISHER, None, scene.now)
    assert scene.plane.next_timeout() is None
    scene.plane.set_feedback_interval(PUBLISHER, 0.1, scene.now)
    ((_, packet),) = feedbacks(scene, scene.now + 0.2)
    assert [number for number, _ in packet.packets] == [2]


def test_until_an_ssrc_of_its_media_is_known_all_is_kept(make_plane: MakePlane) -> None:
    scene = publishing(make_plane)
    scene.plane.set_feedback_interval(PUBLISHER, 0.1, scene.now)
    element = PUBLISHER_IDS.transport_cc
    scene.send(media_packet(VP8, 1, 1, 77, vp8_payload(1, 1), more=((element, b"\x00\x01"),)))
    assert feedbacks(scene, scene.now + 1.0) == []
    scene.send(media(2))
    ((_, packet),) = feedbacks(scene, scene.now + 0.2)
    assert packet.media_ssrc == MEDIA_SSRC and [number for number, _ in packet.packets] == [1, 2]


def test_without_a_path_it_is_dropped_and_counted(make_plane: MakePlane) -> None:
    scene = publishing(make_plane)
    scene.plane.set_feedback_interval(PUBLISHER, 0.1, scene.now)
    scene.send(media(1))
    scene.plane.add_transport(2)
    scene.plane.bind(2, scene.remotes[PUBLISHER].path)
    assert feedbacks(scene, scene.now + 0.2) == []
    assert scene.dropped("not_connected") == 1 and scene.plane.counters.transport_feedback_sent == 0


def test_every_byte_is_as_core_and_wire_say(make_plane: MakePlane, seed: int) -> None:
    """Losses, packets that come late by a little and by much, repeats, outages, restarts, pauses, wraps."""
    draw = Random(seed)
    scene = publishing(make_plane, PlaneConfig(arrivals_per_transport=4096, ssrcs_per_transport=64))
    scene.plane.set_feedback_interval(PUBLISHER, 0.1, scene.now)
    expected, unwrapper = ArrivalFeedback(), Unwrapper()
    number, media_number = draw.choice((5, 65_000)), 0
    late: list[int] = []
    told = 0
    for _ in range(30):
        noted: dict[int, float] = {}
        for _ in range(draw.choice((0, 1, 5, 30))):
            batch = []
            for _ in range(draw.choice((1, 3, 30))):
                number += draw.choice((1,) * 60 + (2, 9, 300, 3000))
                if draw.random() < 0.1:
                    late.append(number)
                    continue
                batch.append(number)
            while late and draw.random() < 0.3:
                batch.append(late.pop(draw.randrange(len(late))))
            packets = [media(media_number + index, each) for index, each in enumerate(batch)]
            media_number += len(batch)
            scene.send(*packets, after_s=0.0)
            for each in batch:
                noted.setdefault(unwrapper.unwrap(each & 0xFFFF), scene.now)
            scene.now += draw.random() * 0.01 if draw.random() < 0.999 else draw.uniform(3, 9)
            due_at = scene.plane.next_timeout()
            if due_at is None or due_at <= scene.now:
                break
        remote = scene.remotes[PUBLISHER]
        sent = [remote.open_rtcp(datagram) for _, datagram in scene.run_until(scene.now + 0.1)]
        reports = expected.reports(sorted(noted.items()))
        told += len(reports)
        assert sent == [
            twcc.build(SSRC, MEDIA_SSRC, report.feedback_count, report.arrivals, report.first) for report in reports
        ]
    assert told > 15


def test_what_does_not_fit_is_split_and_the_largest_fits(make_plane: MakePlane) -> None:
    scene = publishing(make_plane)
    scene.plane.set_feedback_interval(PUBLISHER, 10.0, scene.now)
    step = (MAX_SPAN - 1) // (MAX_ARRIVALS - 1)
    for index in range(MAX_ARRIVALS + 1):
        scene.send(media(index, index * step), after_s=0.013)  # each its own chunk, and two bytes each
    remote = scene.remotes[PUBLISHER]
    sent = [remote.open_rtcp(datagram) for _, datagram in scene.run_until(scene.now + 10.0)]
    arrived = [[at for _, at in parse(each).packets[0].packets if at is not None] for each in sent]  # type: ignore[union-attr]
    assert [len(each) for each in arrived] == [MAX_ARRIVALS, 1] and max(map(len, sent)) <= 1200
