"""What a local sink gets: every packet once, as it came, with its number, its time and the publisher's clock."""

from __future__ import annotations

import pytest

from sfu.core.types import PayloadFormat
from sfu.plane.interface import PlaneConfig, SsrcLearned
from sfu.wire import rtp, tap
from sfu.wire.rtcp import ReceiverReport, SenderReport, pack_compound
from sfu.wire.tap import FrameKind, SenderClock, TapFrame
from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import AUDIO, SIMULCAST, VIDEO, VP8, VideoSource, media_packet, opus_packet, vp8_payload

SINK = 70


class Tapped(Scene):
    """A Scene whose Track is tapped; the publisher speaks as soon as it is told to."""

    def __init__(self, make_plane: MakePlane, layers: tuple[int, ...] = (0,), **options: object) -> None:
        super().__init__(make_plane, **options)  # type: ignore[arg-type]
        self.plane.add_sink(SINK, "@nobody looks")
        self.plane.set_tap(SINK, TRACK, layers)

    def frames(self, sink: int = SINK) -> list[TapFrame]:
        return [tap.parse(frame.frame) for frame in self.plane.take_sink_output() if frame.sink == sink]

    def packets(self) -> list[TapFrame]:
        return [frame for frame in self.frames() if frame.kind == FrameKind.RTP]

    def sender_report(self, ssrc: int, ntp_time: int, timestamp: int, *more: bytes) -> None:
        compound = pack_compound([SenderReport(ssrc, ntp_time, timestamp, 5, 500)]) + b"".join(more)
        self.plane.on_datagrams([self.publisher.protect_rtcp(compound)], self.now)


def test_packets_come_as_they_were_sent_with_number_layer_and_arrival(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=VIDEO)
    sent = [packet for index in range(3) for packet in VideoSource(ssrc=3, next_number=65_534 + index).frame(key=True)]
    scene.send(*sent, after_s=0.25)
    opened, *frames = scene.frames()
    assert opened == TapFrame(FrameKind.OPENED, 0, False, 0, 0, 0, 0.0, b"")
    assert frames == [
        TapFrame(FrameKind.RTP, 0, False, 0, TRACK, 65_534 + index, 1000.25, packet)
        for index, packet in enumerate(sent)
    ]
    assert scene.plane.counters.sink_frames == 4


def test_only_the_layers_asked_for_go_and_that_may_change(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, layers=(0, 2), spec=SIMULCAST)
    sources = [VideoSource(ssrc=40 + index, rid=rid) for index, rid in enumerate(SIMULCAST.rids)]
    scene.send(*(packet for source in sources for packet in source.frame(key=True)))
    assert [frame.layer for frame in scene.packets()] == [0, 2]
    scene.plane.set_tap(SINK, TRACK, [1])
    scene.send(*(packet for source in sources for packet in source.frame()))
    assert [frame.layer for frame in scene.packets()] == [1]
    scene.plane.set_tap(SINK, TRACK, [])
    scene.plane.set_tap(SINK, TRACK, [])
    scene.send(*(packet for source in sources for packet in source.frame()))
    assert scene.frames() == [TapFrame(FrameKind.TRACK_ENDED, 0, False, 0, TRACK, 0, 0.0, b"")]


def test_what_subscribers_get_does_not_change(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=VIDEO)
    scene.subscribe()
    assert [received.number for received in scene.send(*VideoSource(ssrc=3).frame(3, key=True))] == [100, 101, 102]
    assert len(scene.packets()) == 3


def test_a_packet_comes_once_however_often_it_arrives(make_plane: MakePlane) -> None:
    """Repeated under another SRTP index it is no replay, and still no news."""
    scene = Tapped(make_plane, spec=VIDEO)
    source = VideoSource(ssrc=3)
    scene.send(*source.frame(4, key=True))
    repair = [source.repair(1001, 50 + index, rtx_ssrc=9) for index in range(2)]
    scene.send(*repair)
    assert [frame.sequence_number for frame in scene.packets()] == [1000, 1001, 1002, 1003]
    assert scene.dropped("duplicate") == 2


def test_late_packets_come_when_they_arrive(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=VIDEO)
    first, second, third = VideoSource(ssrc=3).frame(3, key=True)
    scene.send(first, third)
    scene.send(second, after_s=0.5)
    assert [(frame.sequence_number, frame.arrived_at_s) for frame in scene.packets()] == [
        (1000, 1000.001),
        (1002, 1000.001),
        (1001, 1000.501),
    ]


def test_what_comes_back_by_rtx_is_the_original_and_marked(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=VIDEO)
    source = VideoSource(ssrc=3)
    packets = source.frame(3, key=True)
    scene.send(packets[0], packets[1])
    repair = source.repair(1002, 50, rtx_ssrc=9)
    scene.send(repair)
    *_, frame = scene.packets()
    assert (frame.sequence_number, frame.recovered) == (1002, True)
    header, original = rtp.parse(frame.body), rtp.parse(packets[2])
    assert frame.body[header.payload_offset :] == packets[2][original.payload_offset :]
    assert (header.ssrc, header.payload_type, header.sequence_number) == (3, VP8.payload_type, 1002)
    assert (header.timestamp, header.marker) == (original.timestamp, True)
    assert header.extensions == rtp.parse(repair).extensions


def test_a_repair_before_the_first_original_has_no_ssrc_yet(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=VIDEO)
    source = VideoSource(ssrc=3)
    source.frame(key=True)
    scene.send(source.repair(1000, 50, rtx_ssrc=9))
    (frame,) = scene.packets()
    assert rtp.parse(frame.body).ssrc == 0


def test_padding_and_unknown_payloads_come_too(make_plane: MakePlane) -> None:
    """A reader can then tell that nothing is missing."""
    scene = Tapped(make_plane, spec=VIDEO)
    source = VideoSource(ssrc=3)
    unknown = media_packet(PayloadFormat(77, VP8.codec, 90_000), 1002, 1, 3, vp8_payload(1, 1))
    scene.send(*source.frame(key=True), source.padding(), unknown)
    assert [frame.sequence_number for frame in scene.packets()] == [1000, 1001, 1002]


def test_sender_reports_of_tapped_layers_come_with_their_times(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, layers=(1,), spec=SIMULCAST)
    for index, rid in enumerate(SIMULCAST.rids):
        scene.send(*VideoSource(ssrc=40 + index, rid=rid).frame(key=True))
    scene.frames()
    for ssrc in (40, 41, 42, 99):
        scene.sender_report(ssrc, (1 << 63) + 7, 0xFFFFFFF0 + ssrc % 5)
    (frame,) = scene.frames()
    assert frame == TapFrame(FrameKind.SENDER_REPORT, 1, False, 0, TRACK, 0, scene.now, frame.body)
    assert tap.parse_clock(frame.body) == SenderClock((1 << 63) + 7, 0xFFFFFFF1, 41)


def test_several_reports_in_one_compound_are_found_up_to_where_it_is_broken(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=VIDEO)
    scene.send(*VideoSource(ssrc=3).frame(key=True))
    scene.frames()
    report = pack_compound([SenderReport(3, 2, 2, 0, 0)])
    other = pack_compound([ReceiverReport(3, ())])
    scene.sender_report(3, 1, 1, other, report, b"\x40\xc8\x00\x06" + bytes(24), report)
    assert [tap.parse_clock(frame.body).ntp_time for frame in scene.frames()] == [1, 2]
    scene.sender_report(3, 3, 3, report[:4] + b"\x00")
    assert [tap.parse_clock(frame.body).ntp_time for frame in scene.frames()] == [3]


def test_another_ssrc_begins_anew(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=VIDEO)
    scene.send(*VideoSource(ssrc=3, next_number=30_000).frame(key=True))
    scene.send(*VideoSource(ssrc=4, next_number=7).frame(key=True))
    scene.sender_report(3, 1, 1)
    scene.sender_report(4, 2, 2)
    frames = scene.frames()[1:]
    assert [frame.sequence_number for frame in frames] == [30_000, 7, 0]
    assert tap.parse_clock(frames[2].body).ssrc == 4


def test_audio_is_tapped_like_video(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=AUDIO)
    sent = [opus_packet(number, 960 * number) for number in (1, 2, 4)]
    scene.send(*sent)
    assert [frame.body for frame in scene.packets()] == sent


def test_each_sink_gets_its_own(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=VIDEO)
    scene.plane.add_sink(71, "@other")
    scene.plane.set_tap(71, TRACK, [0])
    scene.send(*VideoSource(ssrc=3).frame(2, key=True))
    taken = scene.plane.take_sink_output()
    assert [frame.sink for frame in taken] == [70, 71, 70, 71, 70, 71]
    assert scene.plane.take_sink_output() == []


def test_the_end_of_a_track_and_of_a_sink_is_told(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=VIDEO)
    scene.plane.remove_transport(PUBLISHER)
    scene.plane.remove_sink(SINK)
    scene.plane.remove_sink(SINK)
    assert [(frame.kind, frame.track) for frame in scene.frames()] == [
        (FrameKind.OPENED, 0),
        (FrameKind.TRACK_ENDED, TRACK),
        (FrameKind.CLOSED, 0),
    ]


def test_a_removed_sink_takes_its_taps_along(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=VIDEO)
    scene.plane.remove_sink(SINK)
    scene.frames()
    scene.send(*VideoSource(ssrc=3).frame(2, key=True))
    scene.plane.remove_track(TRACK)
    assert scene.frames() == []


def test_mistakes_of_ours_are_refused(make_plane: MakePlane) -> None:
    scene = Tapped(make_plane, spec=VIDEO, config=PlaneConfig())
    with pytest.raises(ValueError):
        scene.plane.add_sink(SINK, "@again")
    for sink, track, layer in ((71, TRACK, 0), (SINK, 99, 0), (SINK, TRACK, 1), (SINK, TRACK, -1)):
        with pytest.raises(KeyError):
            scene.plane.set_tap(sink, track, [layer])
    assert scene.events(SsrcLearned) == []
