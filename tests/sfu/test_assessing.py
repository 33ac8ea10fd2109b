"""How good the call is for each of its people: a call in virtual time over bad networks."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry, generate_latest

from sfu.control import (
    Explain,
    Explanation,
    ParticipantQuality,
    QualityChanged,
    ReadStatistics,
    SetTrackMuted,
    Statistics,
)
from sfu.core.types import TransportState
from sfu.metrics import WorkerCollector
from sfu.wire.ntp import ntp_middle32
from sfu.wire.rtcp import ReceiverReport, ReportBlock
from tests.sim.actors import Publisher, Subscriber
from tests.sim.call import Call


class Listener(Subscriber):
    """Reports what it has missed, as browsers do."""

    def _report(self) -> None:
        blocks = []
        for reception in self.receptions.values():
            if reception.packets and reception.reports:
                at, report = reception.reports[-1]
                first, last = min(reception.packets), max(reception.packets)
                lost = last - first + 1 - len(reception.packets)
                lsr, dlsr = ntp_middle32(report.ntp_time), round((self.call.now - at) * 65536)
                blocks.append(ReportBlock(reception.ssrc, 0, lost, last, 0, lsr, dlsr))
        if blocks:
            self.send_rtcp(ReceiverReport(1, tuple(blocks)).pack())


def pair(call: Call) -> tuple[Publisher, Listener]:
    """Ada is heard and seen by Bob."""
    publisher, listener = Publisher(call, "ada"), Listener(call, "bob")
    listener.subscribe(publisher.audio)
    listener.subscribe(publisher.video)
    publisher.start()
    listener.start()
    return publisher, listener


def words(call: Call, who: str) -> list[str | None]:
    """What was told of somebody, in order."""
    told = [one for notice in call.notices if isinstance(notice, QualityChanged) for one in notice.participants]
    return [one.quality for one in told if one.participant == who]


def figures(call: Call, who: str) -> ParticipantQuality:
    reply = call.tell(ReadStatistics, room="room")
    assert isinstance(reply, Statistics)
    return next(one for one in reply.participants if one.participant == who)


def test_a_good_call_is_told_once() -> None:
    call = Call()
    pair(call)
    call.run(30.0)
    assert (words(call, "ada"), words(call, "bob")) == (["good"], ["good"])
    ada, bob = figures(call, "ada"), figures(call, "bob")
    assert (ada.direction, ada.cause, ada.down) == ("up", "nothing", None)
    assert (bob.direction, bob.cause, bob.up) == ("down", "nothing", None)
    assert bob.rtt_s is not None and 0.0 < bob.rtt_s < 0.1


def test_what_changed_within_a_look_is_told_together() -> None:
    call = Call()
    for name in ("ada", "bob", "cid"):
        Publisher(call, name).start()
    call.run(6.0)
    (first, *others) = [notice for notice in call.notices if isinstance(notice, QualityChanged)]
    assert (first.room, {one.participant for one in first.participants}) == ("room", {"ada", "bob", "cid"})
    assert others == []


def test_losses_on_the_way_up_are_the_publishers_and_not_the_listeners() -> None:
    call = Call()
    publisher, _ = pair(call)
    call.run(10.0)
    publisher.loss_up = 0.2
    call.run(10.0)
    assert words(call, "ada")[-1] == "poor"
    assert words(call, "bob") == ["good"]
    ada = figures(call, "ada")
    assert (ada.direction, ada.cause) == ("up", "loss")
    publisher.loss_up = 0.0
    call.run(30.0)
    assert (words(call, "ada")[-1], words(call, "bob")) == ("good", ["good"])


def test_what_was_lost_on_the_way_up_and_came_back_excuses_no_loss_on_the_way_down() -> None:
    call = Call()
    publisher, listener = pair(call)
    listener.asks_for_missing = False  # so that what it reports lost is what its own network loses
    call.run(10.0)
    publisher.loss_up = listener.loss_down = 0.1
    call.run(10.0)
    reply = call.tell(Explain, transport="bob")
    assert isinstance(reply, Explanation)
    picture = next(row for row in reply.subscriptions if row.track == "ada-video")
    assert 0.05 < picture.quality.loss < 0.2, "the picture's packets were repeated by the publisher, the sound's not"


def test_losses_on_the_way_down_are_the_listeners_own() -> None:
    call = Call()
    _, listener = pair(call)
    call.run(10.0)
    listener.loss_down = 0.2
    call.run(10.0)
    assert (words(call, "ada"), words(call, "bob")[-1]) == (["good"], "poor")
    reply = call.tell(Explain, transport="bob")
    assert isinstance(reply, Explanation) and reply.quality is not None
    assert (reply.quality.quality, reply.quality.direction, reply.quality.cause) == ("poor", "down", "loss")
    sound = next(row for row in reply.subscriptions if row.track == "ada-audio")
    assert sound.quality.cause == "loss" and 0.1 < sound.quality.loss < 0.3


def test_a_microphone_of_which_nothing_comes_is_missed_unless_it_is_muted() -> None:
    call = Call()
    publisher, _ = pair(call)
    call.run(10.0)
    for track in (publisher.audio, publisher.video):
        call.tell(SetTrackMuted, track=track, muted=True)
    publisher.loss_up = 1.0
    call.run(20.0)
    assert words(call, "ada") == ["good", None]
    for track in (publisher.audio, publisher.video):
        call.tell(SetTrackMuted, track=track, muted=False)
    call.run(10.0)
    assert words(call, "ada")[-1] == "poor"
    assert figures(call, "ada").cause == "silence"


def test_who_is_not_heard_at_all_is_lost_until_it_is_back() -> None:
    call = Call()
    pair(call)
    call.run(10.0)
    number = call.router.registry.endpoints["ada"].number
    call.router.transports._on_change(number, TransportState.RECONNECTING, "")
    call.run(4.0)
    assert words(call, "ada")[-1] == "lost"
    lost = figures(call, "ada")
    assert (lost.cause, lost.score) == ("connection", None)
    call.router.transports._on_change(number, TransportState.CONNECTED, "")
    call.run(4.0)
    assert words(call, "ada")[-1] == "good"


def test_of_who_has_no_transport_any_more_nothing_is_known() -> None:
    call = Call()
    pair(call)
    call.run(10.0)
    call.router.registry.remove_endpoint(call.router.registry.endpoints["ada"])
    call.run(4.0)
    assert words(call, "ada") == ["good", None]


def test_an_empty_room_is_not_looked_at_and_nothing_is_known_of_who_is_in_it_all_the_same() -> None:
    call = Call()
    pair(call)
    call.run(10.0)
    for name in ("ada", "bob"):
        call.router.registry.remove_endpoint(call.router.registry.endpoints[name])
    assert list(call.router.registry.assessing.qualities(None)) == []
    call.run(0.1)
    assert words(call, "ada") == words(call, "bob") == ["good", None]
    before = words(call, "ada")
    call.run(10.0)
    assert words(call, "ada") == before


def test_metrics_know_how_many_are_how_well_off_and_nobody_by_name() -> None:
    call = Call()
    _, listener = pair(call)
    listener.loss_down = 0.3
    call.run(12.0)
    registry = CollectorRegistry()
    registry.register(WorkerCollector(call.router.context, call.router.registry, call.router.transports))
    text = generate_latest(registry).decode()
    assert 'sfu_quality_participants{quality="good"} 1.0' in text
    assert 'sfu_quality_participants{quality="poor"} 1.0' in text
    assert 'sfu_quality_score_bucket{direction="up",le="3.6"} 0.0' in text
    assert 'sfu_quality_score_bucket{direction="down",le="2.58"}' in text
    assert json.dumps("bob") not in text
