"""A call in virtual time through Router and plane: key frames, losses, feedback, reports, layers.

What is asserted here is what arrives at the remotes; the decisions themselves have their tests in core/.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from sfu.config import WorkerConfig
from sfu.control import (
    LayerChanged,
    LimitLayer,
    ReadStatistics,
    SetTrackMuted,
    Statistics,
    SubscriptionStatistics,
    TrackStatistics,
    Unsubscribe,
)
from sfu.core.keyframes import GIVE_UP_AFTER_S
from sfu.wire import rtcp
from tests.sim.actors import PACKET_BYTES, Publisher, Subscriber
from tests.sim.call import PATIENT, UNIX_AT_ZERO_S, Call

SPACING_S = WorkerConfig().key_frame_spacing_s


def pair(call: Call) -> tuple[Publisher, Subscriber]:
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    subscriber.subscribe(publisher.audio)
    return publisher, subscriber


def layers_carried(call: Call, subscription: str) -> list[int]:
    return [n.layer for n in call.notices if isinstance(n, LayerChanged) and n.subscription == subscription]


def statistics(call: Call) -> tuple[list[TrackStatistics], list[SubscriptionStatistics]]:
    reply = call.tell(ReadStatistics, room="room")
    assert isinstance(reply, Statistics)
    return reply.tracks, reply.subscriptions


# --- key frames ------------------------------------------------------------------------------------------------


def test_ten_subscribers_asking_at_once_give_one_request_per_half_second() -> None:
    call = Call()
    publisher = Publisher(call, "ann")
    subscribers = [Subscriber(call, f"bob{index}") for index in range(10)]
    for subscriber in subscribers:
        subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(3.0)
    publisher.requests.clear()
    for subscriber in subscribers:
        call.every(0.1, lambda subscriber=subscriber: subscriber.picture_lost(publisher.video))  # type: ignore[misc]
    call.run(5.0)
    gaps = [after[0] - before[0] for before, after in pairwise(publisher.requests)]
    assert 5 <= len(publisher.requests) <= 5.0 / SPACING_S + 1
    assert min(gaps) >= SPACING_S - 0.001


def test_one_receiver_that_never_decodes_does_not_cost_the_room_a_key_frame_every_half_second() -> None:
    call = Call()
    publisher, subscriber = pair(call)
    publisher.start()
    call.run(3.0)
    publisher.requests.clear()
    call.every(0.1, lambda: subscriber.picture_lost(publisher.video))
    call.run(60.0)
    assert len(publisher.requests) <= 5 + 60 * WorkerConfig().key_frames_per_subscriber_s + 1
    assert call.router.counters.key_frame_wishes_refused > 400


def test_a_subscriber_who_comes_later_gets_a_key_frame_within_a_round_trip_and_a_frame() -> None:
    call = Call(delay_s=0.02)
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    publisher.start(fps=20)
    call.run(5.0)
    before = call.now
    reception = subscriber.subscribe(publisher.video)
    call.run(1.0)
    assert reception.key_frames()[0] - before <= 4 * call.delay_s + 1 / 20 + 0.01
    assert layers_carried(call, "bob/ann-video") == [2]


def test_a_request_or_key_frame_that_is_lost_is_repeated() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    publisher.start()
    call.run(3.0)
    publisher.loss_down = 1.0  # requests do not reach the publisher
    reception = subscriber.subscribe(publisher.video)
    call.run(1.2)
    assert reception.key_frames() == []
    publisher.loss_down = 0.0
    call.run(SPACING_S + 0.2)
    assert len(reception.key_frames()) == 1
    assert call.router.counters.key_frame_requests == 4


def test_a_publisher_that_never_answers_is_left_alone_after_a_while() -> None:
    call = Call()
    publisher = Publisher(call, "ann", answers_key_frames=False)
    publisher.start()
    call.run(3.0)
    subscriber = Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    call.run(60.0)
    # Ten requests in five seconds, then five seconds of rest, and so on.
    assert len(publisher.requests) == pytest.approx(60 / (2 * GIVE_UP_AFTER_S) * GIVE_UP_AFTER_S / SPACING_S, abs=6)


def test_nobody_is_asked_when_nobody_waits_any_more() -> None:
    call = Call()
    publisher = Publisher(call, "ann", answers_key_frames=False)
    publisher.start()
    call.run(3.0)
    subscriber = Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    call.run(1.2)
    asked = len(publisher.requests)
    call.tell(Unsubscribe, subscription="bob/ann-video")
    call.run(5.0)
    assert asked == 3 and len(publisher.requests) == asked


def test_a_muted_track_is_neither_forwarded_nor_asked_and_returns_with_a_key_frame() -> None:
    call = Call()
    publisher, subscriber = pair(call)
    publisher.start()
    call.run(3.0)
    call.tell(SetTrackMuted, track=publisher.video, muted=True)
    call.tell(SetTrackMuted, track=publisher.audio, muted=True)
    call.run(0.1)
    publisher.requests.clear()
    sent = [len(reception.packets) for reception in subscriber.receptions.values()]
    subscriber.picture_lost(publisher.video)
    call.run(5.0)
    assert [len(reception.packets) for reception in subscriber.receptions.values()] == sent
    assert publisher.requests == []
    call.tell(SetTrackMuted, track=publisher.video, muted=False)
    call.tell(SetTrackMuted, track=publisher.audio, muted=False)
    call.run(0.5)
    video, audio = subscriber.receptions.values()
    assert len(publisher.requests) == 1 and video.key_frames()[-1] >= call.now - 0.5
    assert len(audio.packets) >= sent[1] + 20
    assert video.missing() == audio.missing() == []


# --- losses ----------------------------------------------------------------------------------------------------


def test_what_is_lost_on_the_way_in_is_asked_for_and_forwarded_late() -> None:
    call = Call(delay_s=0.01)
    publisher, subscriber = pair(call)
    subscriber.asks_for_missing = False
    publisher.start()
    call.run(3.0)
    publisher.loss_up = 0.05
    call.run(20.0)
    publisher.loss_up = 0.0
    call.run(2.0)
    video = subscriber.receptions[publisher.video]
    assert call.plane.counters.recovered > 50
    assert video.missing() == []
    assert call.router.counters.packets_abandoned <= 1
    asked = {number for _, numbers in publisher.nacks for number in numbers}
    assert asked <= set(publisher.layer("f").sent), "only the layer that somebody receives is worth the uplink"


def test_what_is_lost_on_the_way_out_is_answered_from_history() -> None:
    call = Call()
    publisher, subscriber = pair(call)
    publisher.start()
    subscriber.start()
    subscriber.loss_down = 0.1
    call.run(10.0)
    subscriber.loss_down = 0.0
    call.run(1.0)
    assert subscriber.receptions[publisher.video].missing() == []
    assert call.plane.counters.retransmitted > 50
    assert publisher.nacks == [] and call.router.counters.nacks_received > 50


def test_a_subscriber_may_ask_for_so_much_and_no_more() -> None:
    config = WorkerConfig(transport=PATIENT, recovery_share=0.01)
    call = Call(config=config)
    publisher, subscriber = pair(call)
    publisher.start()
    subscriber.start()
    subscriber.loss_down = 0.5
    call.run(5.0)
    at_most = config.enough_bps * config.recovery_share / 8 * (5.0 + config.plane.recovery_burst_s)
    assert 0.9 < call.plane.counters.retransmitted * PACKET_BYTES / at_most < 1.0
    assert call.plane.counters.dropped["rtx_late"] > 100


def test_an_outage_ends_with_a_key_frame() -> None:
    call = Call()
    publisher, subscriber = pair(call)
    publisher.start()
    call.run(3.0)
    publisher.loss_up = 1.0
    call.run(3.0)
    publisher.loss_up = 0.0
    back = call.now
    call.run(1.5)
    assert any(back < at < back + 1.5 for at in subscriber.receptions[publisher.video].key_frames())


# --- RTCP ------------------------------------------------------------------------------------------------------


def test_publishers_hear_of_every_packet_at_least_every_hundred_milliseconds() -> None:
    call = Call()
    publisher, _ = pair(call)
    publisher.start()
    publisher.loss_up = 0.02
    call.run(5.0)
    gaps = [after[0] - before[0] for before, after in pairwise(publisher.feedback)]
    assert min(gaps) >= 0.05 and max(gaps) <= 0.1 + 1e-9  # rounds are multiples of a fraction
    reported: dict[int, bool] = {}
    for _, feedback in publisher.feedback:
        assert feedback.media_ssrc in {layer.ssrc for layer in publisher.layers} | {publisher.audio_ssrc}
        for number, at_us in feedback.packets:
            reported[number] = reported.get(number, False) or at_us is not None
    # All but the last round trip's, none left out, and those that were lost named as lost.
    assert set(range(10, publisher.transport_number - 60)) <= set(reported)
    assert 0.01 < sum(not arrived for arrived in reported.values()) / len(reported) < 0.03
    assert [f.feedback_count for _, f in publisher.feedback] == [n & 0xFF for n in range(len(publisher.feedback))]


def test_publishers_get_report_blocks_for_every_layer_and_may_stop_sending_mid_and_rid() -> None:
    call = Call()
    publisher, subscriber = pair(call)
    publisher.start()
    call.run(5.0)
    assert all(layer.reported for layer in publisher.layers)
    for layer in publisher.layers:
        blocks = publisher.reports[layer.ssrc]
        assert 3 <= len(blocks) <= 9
        assert blocks[-1].lsr != 0 and blocks[-1].packets_lost == 0
        assert blocks[-1].dlsr < 2 * 65536
    assert subscriber.receptions[publisher.video].missing() == []


def test_round_trips_are_known_from_the_subscribers_reports() -> None:
    call = Call(delay_s=0.03)
    publisher, subscriber = pair(call)
    publisher.start()
    subscriber.start()
    call.run(5.0)
    assert call.router.registry.endpoints["bob"].rtt_s == pytest.approx(0.06, abs=0.002)


def test_sender_reports_put_sound_and_picture_of_a_publisher_on_one_line() -> None:
    """Through switches between layers with unrelated timestamps, and a publisher whose clock is hours off."""
    call = Call(delay_s=0.02)
    publisher, subscriber = pair(call)
    publisher.start()
    for seconds, max_layer in ((4.0, None), (3.0, 0), (3.0, 1), (3.0, None)):
        call.tell(LimitLayer, subscription="bob/ann-video", max_layer=max_layer)
        call.run(seconds)
    assert layers_carried(call, "bob/ann-video") == [0, 2, 0, 1, 2]
    video = subscriber.receptions[publisher.video]
    assert len(video.reports) >= 10
    places = []
    for _, report in video.reports[2:]:
        reported_s = report.ntp_time / (1 << 32) - rtcp.ntp_from_unix(UNIX_AT_ZERO_S) / (1 << 32)
        at, timestamp, _, _ = video.packets[max(video.packets)]
        # When the last frame was captured, told by this report; it left the publisher two hops before it arrived.
        captured_s = reported_s + ((timestamp - report.rtp_timestamp + (1 << 31)) % (1 << 32) - (1 << 31)) / 90_000
        places.append(captured_s - (at - 2 * call.delay_s))
    # The server cannot tell the publisher's delay from its clock: one way is what remains, the same for all. A switch
    # in the middle of a frame moves the line by the millisecond that keeps its timestamps growing.
    assert max(places) - min(places) < 0.005
    assert places[-1] == pytest.approx(call.delay_s, abs=0.001)


# --- layers ----------------------------------------------------------------------------------------------------


def test_a_layer_that_stops_is_replaced_and_used_again_once_it_is_steady() -> None:
    call = Call()
    publisher, subscriber = pair(call)
    publisher.start()
    call.run(4.0)
    publisher.layer("f").active = False
    call.run(2.0)
    assert layers_carried(call, "bob/ann-video") == [0, 2, 1]
    _, (subscription, _) = statistics(call)
    assert (subscription.layer, subscription.reason) == (1, "publisher")
    publisher.layer("f").active = True
    publisher.layer("f").wants_key_frame = True
    back = call.now
    call.run(3.0)
    assert layers_carried(call, "bob/ann-video") == [0, 2, 1, 2]
    video = subscriber.receptions[publisher.video]
    assert next(at for at in video.key_frames() if at > back) >= back + 1.0
    assert video.missing() == []


def test_the_budget_is_shared_a_step_at_a_time() -> None:
    call = Call(config=WorkerConfig(transport=PATIENT, budget_bps=1_300_000))
    publishers = [Publisher(call, name) for name in ("ann", "cid")]
    subscriber = Subscriber(call, "bob")
    for publisher in publishers:
        publisher.start()
        subscriber.subscribe(publisher.video)
    call.run(8.0)
    # A frame of f is five packets, of h three, of q one: 800, 480 and 160 kbit/s at 20 fps.
    _, subscriptions = statistics(call)
    assert {(s.subscription, s.layer, s.reason) for s in subscriptions} == {
        ("bob/ann-video", 1, "bandwidth"),
        ("bob/cid-video", 1, "bandwidth"),
    }


def test_a_sender_made_anew_takes_over_its_layer() -> None:
    call = Call()
    publisher, subscriber = pair(call)
    publisher.start()
    call.run(3.0)
    publisher.renew("f")
    renewed = call.now
    call.run(3.0)
    video = subscriber.receptions[publisher.video]
    assert video.key_frames()[-1] > renewed and max(at for at, *_ in video.packets.values()) > call.now - 0.1
    tracks, (subscription, _) = statistics(call)
    assert subscription.layer == 2
    assert publisher.layer("f").ssrc in {layer.ssrc for track in tracks for layer in track.layers}
    assert video.missing() == []


def test_a_publisher_without_rids_and_extensions_is_known_by_its_announced_ssrcs() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann", rids=()), Subscriber(call, "bob")
    video = subscriber.subscribe(publisher.video)
    publisher.start()
    publisher.loss_up = 0.05
    call.run(5.0)
    publisher.loss_up = 0.0
    call.run(1.0)
    assert len(video.packets) > 80 and video.missing() == []
    assert call.plane.counters.recovered > 0


def test_statistics_tell_what_flows_where_and_why() -> None:
    call = Call()
    publisher, subscriber = pair(call)
    publisher.start()
    call.run(5.0)
    tracks, subscriptions = statistics(call)
    video = next(track for track in tracks if track.track == publisher.video)
    assert [(layer.rid, layer.active, layer.lost) for layer in video.layers] == [
        ("q", True, 0),
        ("h", True, 0),
        ("f", True, 0),
    ]
    assert video.layers[2].bitrate_bps == pytest.approx(20 * 5 * 1000 * 8, rel=0.2)
    assert video.key_frame_requests == len(publisher.requests)
    sent = next(s for s in subscriptions if s.subscription == "bob/ann-video")
    assert (sent.layer, sent.wanted_layer, sent.reason) == (2, 2, "nothing")
    assert abs(sent.packets - len(subscriber.receptions[publisher.video].packets)) <= 10
    elsewhere = call.tell(ReadStatistics, room="elsewhere")
    assert isinstance(elsewhere, Statistics)
    assert not elsewhere.tracks and not elsewhere.subscriptions
    assert elsewhere.counters["forwarded"] == call.plane.counters.forwarded
