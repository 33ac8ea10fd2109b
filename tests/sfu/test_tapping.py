"""Tracks on their way to a sink, in virtual time: which layer it gets, and that it comes whole."""

from __future__ import annotations

from sfu.control import CloseSink, LayersWanted, LayerTapped, OpenSink, RemoveTrack, TapTrack, TrackTapped, UntapTrack
from sfu.wire import tap
from sfu.wire.tap import FrameKind, TapFrame
from tests.sim.actors import Publisher, Subscriber
from tests.sim.call import Call


class Reader:
    """What a sink is given."""

    def __init__(self, call: Call) -> None:
        self.call = call
        call.tell(OpenSink, room="room", sink="tape", address="@nobody")

    def tap(self, track: str, max_layer: int | None = None) -> TrackTapped:
        reply = self.call.tell(TapTrack, sink="tape", track=track, max_layer=max_layer)
        assert isinstance(reply, TrackTapped)
        return reply

    def frames(self) -> list[TapFrame]:
        return [tap.parse(one.frame) for one in self.call.plane.take_sink_output()]

    def packets(self, number: int) -> list[TapFrame]:
        return [frame for frame in self.frames() if frame.kind == FrameKind.RTP and frame.track == number]


def test_the_best_layer_is_given_alone_once_it_has_come_with_a_key_frame() -> None:
    call = Call()
    publisher, reader = Publisher(call, "ann"), Reader(call)
    publisher.start()
    call.run(3.0)
    number = reader.tap(publisher.video).number
    assert not reader.packets(number)
    publisher.requests.clear()
    call.run(1.0)
    assert publisher.requests, "nobody has asked for a key frame"
    reader.frames()
    call.run(1.0)
    assert {frame.layer for frame in reader.packets(number)} == {2}


def test_a_track_that_has_not_begun_is_given_from_its_first_packet() -> None:
    call = Call()
    publisher, reader = Publisher(call, "ann"), Reader(call)
    number = reader.tap(publisher.video).number
    publisher.start()
    call.run(2.0)
    first = reader.packets(number)
    assert min(frame.arrived_at_s for frame in first) <= 100.0 + call.delay_s + 0.06
    call.run(2.0)
    assert {frame.layer for frame in reader.packets(number)} == {2}


def test_a_layer_that_stops_is_followed_by_the_next_and_again_by_the_best() -> None:
    call = Call()
    publisher, reader = Publisher(call, "ann"), Reader(call)
    publisher.start()
    number = reader.tap(publisher.video).number
    call.run(4.0)
    publisher.layer("f").active = False
    call.run(4.0)
    reader.frames()
    call.run(1.0)
    assert {frame.layer for frame in reader.packets(number)} == {1}
    publisher.layer("f").active = True
    call.run(5.0)
    reader.frames()
    call.run(1.0)
    assert {frame.layer for frame in reader.packets(number)} == {2}
    settled = [one for one in call.notices if isinstance(one, LayerTapped)]
    assert {(one.sink, one.track) for one in settled} == {("tape", publisher.video)}
    assert [one.layer for one in settled][-3:] == [2, 1, 2]


def test_no_better_layer_is_given_than_was_asked_for() -> None:
    call = Call()
    publisher, reader = Publisher(call, "ann"), Reader(call)
    publisher.start()
    number = reader.tap(publisher.video, max_layer=1).number
    call.run(4.0)
    assert {frame.layer for frame in reader.packets(number)} <= {0, 1}
    call.run(1.0)
    assert {frame.layer for frame in reader.packets(number)} == {1}


def test_what_only_a_sink_takes_is_not_paused_at_its_publisher_until_it_is_untapped() -> None:
    call = Call()
    publisher, reader = Publisher(call, "ann"), Reader(call)
    publisher.start()
    reader.tap(publisher.video)
    call.run(20.0)
    assert not [notice for notice in call.notices if isinstance(notice, LayersWanted)]
    call.tell(UntapTrack, sink="tape", track=publisher.video)
    call.run(10.0)
    (wanted,) = [notice for notice in call.notices if isinstance(notice, LayersWanted)]
    assert wanted.best_layer == -1
    assert FrameKind.TRACK_ENDED in {frame.kind for frame in reader.frames()}


def test_every_packet_arrives_in_spite_of_loss() -> None:
    call = Call()
    publisher, reader = Publisher(call, "ann"), Reader(call)
    number = reader.tap(publisher.video).number
    publisher.start()
    call.run(4.0)
    reader.frames()
    publisher.loss_up = publisher.loss_down = 0.1
    call.run(20.0)
    publisher.loss_up = publisher.loss_down = 0.0
    call.run(2.0)
    numbers = sorted({frame.sequence_number for frame in reader.packets(number) if frame.layer == 2})
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    assert len(numbers) > 1500
    assert missing == 0


def test_sender_reports_come_along() -> None:
    call = Call()
    publisher, reader = Publisher(call, "ann"), Reader(call)
    number = reader.tap(publisher.video).number
    publisher.start()
    call.run(6.0)
    reader.frames()
    call.run(3.0)
    kinds = [frame.kind for frame in reader.frames() if frame.track == number]
    assert kinds.count(FrameKind.SENDER_REPORT) == 3
    assert kinds.count(FrameKind.RTP) == 3 * 20 * 5


def test_sound_is_given_at_once() -> None:
    call = Call()
    publisher, reader = Publisher(call, "ann"), Reader(call)
    publisher.start()
    call.run(1.0)
    number = reader.tap(publisher.audio).number
    call.run(1.0)
    assert len(reader.packets(number)) == 50


def test_subscribers_and_sinks_do_not_know_of_each_other() -> None:
    call = Call()
    publisher, reader = Publisher(call, "ann"), Reader(call)
    subscriber = Subscriber(call, "bob")
    reception = subscriber.subscribe(publisher.video)
    reader.tap(publisher.video)
    publisher.start()
    call.run(5.0)
    before = len(reception.packets)
    call.tell(CloseSink, sink="tape")
    call.run(2.0)
    assert len(reception.packets) > before
    assert not call.router.registry.tracks[publisher.video].taps
    assert reader.frames()[-1].kind == FrameKind.CLOSED


def test_a_track_that_goes_takes_its_tap_along() -> None:
    call = Call()
    publisher, reader = Publisher(call, "ann"), Reader(call)
    reader.tap(publisher.video)
    call.tell(RemoveTrack, track=publisher.video)
    assert not call.router.registry.sinks["tape"].taps
    call.tell(CloseSink, sink="tape")
