"""What is shown, who speaks and what nobody wants: a call in virtual time through Router and plane."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise, repeat

import pytest

from sfu.config import WorkerConfig
from sfu.control import (
    Explain,
    Explanation,
    Failed,
    FramesReport,
    LayersWanted,
    ReportReception,
    SetLayout,
    SetTrackMuted,
    SetTrackStrained,
    SpeakersChanged,
    SubscriptionExplanation,
    Tile,
)
from sfu.core.allocation import Allocation, Demand, allocate
from sfu.plane.interface import Switched
from tests.sim.actors import Publisher, Reception, Subscriber
from tests.sim.call import PATIENT, Call
from tests.support.speech import ROOM_LEVEL, sounds

SMALL, LARGE = (320, 180), (1280, 720)


def show(call: Call, who: str, *tiles: tuple[str, tuple[int, int]], stage: str = "", last_n: int | None = None) -> None:
    shown = [Tile(track=track, width=width, height=height, on_stage=track == stage) for track, (width, height) in tiles]
    call.tell(SetLayout, transport=who, tiles=shown, last_n=last_n)


def explained(call: Call, who: str) -> dict[str, SubscriptionExplanation]:
    reply = call.tell(Explain, transport=who)
    assert isinstance(reply, Explanation)
    return {row.track: row for row in reply.subscriptions}


def layers_wanted(call: Call, track: str) -> list[int]:
    return [n.best_layer for n in call.notices if isinstance(n, LayersWanted) and n.track == track]


def obey(call: Call, publisher: Publisher) -> None:
    """As a browser does that sets `active` of its encodings: what starts again starts with a key frame."""
    for best_layer in layers_wanted(call, publisher.video)[-1:]:
        for index, layer in enumerate(publisher.layers):
            was_active, layer.active = layer.active, index <= best_layer
            layer.wants_key_frame |= layer.active and not was_active


def received_s(reception: Reception, since: float) -> float:
    """The longest time without a packet since then."""
    times = [since, *(at for at, *_ in reception.packets.values() if at > since), reception_end(reception)]
    return max(after - before for before, after in pairwise(times))


def reception_end(reception: Reception) -> float:
    return max((at for at, *_ in reception.packets.values()), default=0.0)


# --- layout ----------------------------------------------------------------------------------------------------


def test_a_picture_is_as_large_as_its_tile() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    publisher.start()
    for size, layer in ((SMALL, 0), (LARGE, 2), ((640, 360), 1)):
        show(call, "bob", (publisher.video, size))
        call.run(3.0)
        row = explained(call, "bob")[publisher.video]
        assert (row.layer, row.reason) == (layer, "nothing" if layer == 2 else "layout")


def test_who_is_not_shown_is_not_sent_and_comes_back_at_once() -> None:
    call = Call(delay_s=0.02)
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    reception = subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(3.0)
    show(call, "bob")
    call.run(0.1)
    hidden_at = call.now
    call.run(3.0)
    assert reception_end(reception) <= hidden_at
    assert explained(call, "bob")[publisher.video].reason == "layout"
    show(call, "bob", (publisher.video, LARGE))
    shown_at = call.now
    call.run(1.0)
    assert reception.key_frames()[-1] - shown_at <= 4 * call.delay_s + 0.06


def test_a_switch_that_is_told_when_the_picture_was_stopped_again_is_none() -> None:
    call = Call()
    ada, bob = Publisher(call, "ada"), Subscriber(call, "bob")
    reception = bob.subscribe(ada.video)
    ada.start()
    bob.start()
    call.run(2.0)
    show(call, "bob")
    call.run(0.5)
    (subscription,) = call.router.registry.endpoints["bob"].subscriber.subscriptions()
    call.router.on_events([Switched(subscription.slot.number, subscription.track.number, 0, 1)], call.now)
    assert explained(call, "bob")[ada.video].layer is None
    since, asked = call.now, len(ada.requests)
    show(call, "bob", (ada.video, SMALL))
    call.run(1.0)
    assert len(ada.requests) > asked, "the picture begins with a key frame, which nobody sends unasked"
    assert any(at > since for at, *_ in reception.packets.values())


def test_no_more_pictures_are_sent_than_are_wanted_and_who_spoke_last_is_among_them() -> None:
    call = Call()
    subscriber = Subscriber(call, "eve")
    for name in ("ann", "bob"):
        publisher = Publisher(call, name)
        publisher.levels = repeat(ROOM_LEVEL)
        publisher.start()
        subscriber.subscribe(publisher.video)
        if name == "bob":
            publisher.levels = chain(repeat(ROOM_LEVEL, 250), sounds()["bob/0"], repeat(ROOM_LEVEL))
    show(call, "eve", ("ann-video", SMALL), ("bob-video", SMALL), last_n=1)
    call.run(4.0)
    rows = explained(call, "eve")
    assert (rows["ann-video"].layer, rows["bob-video"].reason) == (0, "last_n")
    call.run(4.0)
    rows = explained(call, "eve")
    assert (rows["ann-video"].reason, rows["bob-video"].layer) == ("last_n", 0)


def reports(call: Call, who: str, track: str, *, overused: bool, times: int = 1) -> None:
    """Every ten seconds."""
    for _ in range(times):
        subscription = explained(call, who)[track].subscription
        frames = [FramesReport(subscription=subscription, decoded=200, dropped=100, freezes=1, frozen_s=0.5)]
        late = FramesReport(subscription="has ended", decoded=1, dropped=0, freezes=0, frozen_s=0.0)
        call.tell(ReportReception, transport=who, overused=overused, frames=[*frames, late])
        call.run(10.0)


def test_who_cannot_keep_up_is_sent_less_and_more_again_when_it_can() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    publisher.start()
    show(call, "bob", (publisher.video, LARGE))
    call.run(4.0)
    reports(call, "bob", publisher.video, overused=True)
    assert explained(call, "bob")[publisher.video].layer == 2, "a moment is nothing"
    reports(call, "bob", publisher.video, overused=True)
    row = explained(call, "bob")[publisher.video]
    assert (row.layer, row.reason, row.ideal_layer) == (1, "cpu", 1)
    assert row.frames is not None
    assert (row.frames.decoded, row.frames.dropped, row.frames.freezes, row.frames.frozen_s) == (400, 200, 2, 1.0)
    reports(call, "bob", publisher.video, overused=False, times=4)
    assert explained(call, "bob")[publisher.video].layer == 1
    reports(call, "bob", publisher.video, overused=False)
    row = explained(call, "bob")[publisher.video]
    assert (row.layer, row.reason) == (2, "nothing")


def test_whose_publisher_cannot_keep_up_is_told() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    publisher.layers[2].active = False
    publisher.start()
    show(call, "bob", (publisher.video, LARGE))
    call.run(4.0)
    assert explained(call, "bob")[publisher.video].reason == "publisher"
    for strained, reason in ((True, "publisher_cpu"), (False, "publisher")):
        call.tell(SetTrackStrained, track=publisher.video, strained=strained)
        call.run(1.0)
        row = explained(call, "bob")[publisher.video]
        assert (row.layer, row.reason) == (1, reason)


def test_a_client_may_bound_what_it_is_sent() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    publisher.start()
    call.tell(SetLayout, transport="bob", max_bps=400_000)
    call.run(4.0)
    row = explained(call, "bob")[publisher.video]
    assert (row.layer, row.ideal_layer, row.reason) == (0, 2, "bandwidth")
    assert row.missing_bps > 0 and row.bitrate_bps == pytest.approx(160_000, rel=0.2)
    assert 1 <= row.since_s <= 4


def test_a_picture_that_was_changed_for_want_of_bandwidth_rests_before_it_gets_larger() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(4.0)
    call.tell(SetLayout, transport="bob", max_bps=300_000)
    call.run(2.0)
    assert explained(call, "bob")[publisher.video].layer == 0
    call.tell(SetLayout, transport="bob")
    call.run(1.0)
    assert explained(call, "bob")[publisher.video].layer == 0
    call.run(WorkerConfig().step_up_after_s)
    assert explained(call, "bob")[publisher.video].layer == 2


@pytest.mark.parametrize("tile", [Tile(track="x", width=-1, height=5), Tile(track="x", width=1 << 20, height=1 << 20)])
def test_impossible_tiles_are_refused(tile: Tile) -> None:
    call = Call()
    Subscriber(call, "bob")
    reply = call.ask(SetLayout, transport="bob", tiles=[tile])
    assert isinstance(reply, Failed) and reply.code == "bad_size"


# --- upstream --------------------------------------------------------------------------------------------------


def test_layers_that_nobody_shows_are_not_wanted_after_a_while_and_again_at_once() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    publisher.start()
    show(call, "bob", (publisher.video, SMALL))
    call.run(4.0)
    assert layers_wanted(call, publisher.video) == []
    call.run(2.0)
    assert layers_wanted(call, publisher.video) == [0]
    obey(call, publisher)
    call.run(3.0)
    assert explained(call, "bob")[publisher.video].layer == 0
    show(call, "bob", (publisher.video, LARGE))
    assert layers_wanted(call, publisher.video) == [0, 2]
    obey(call, publisher)
    call.run(2.5)
    assert explained(call, "bob")[publisher.video].layer == 2


def test_bandwidth_is_no_reason_to_stop_sending() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    publisher.start()
    call.tell(SetLayout, transport="bob", max_bps=300_000)
    call.run(10.0)
    assert layers_wanted(call, publisher.video) == []


def test_a_publisher_whom_nobody_sees_sends_nothing_and_is_seen_at_once_when_somebody_comes() -> None:
    call = Call()
    publisher = Publisher(call, "ann")
    publisher.start()
    call.run(6.0)
    assert layers_wanted(call, publisher.video) == [-1]
    obey(call, publisher)
    call.run(10.0)
    came_at = call.now
    subscriber = Subscriber(call, "bob")
    reception = subscriber.subscribe(publisher.video)
    assert layers_wanted(call, publisher.video) == [-1, 2]
    # A browser begins with the lowest layer, and adds the others as its own estimate grows.
    publisher.layers[0].active = publisher.layers[0].wants_key_frame = True
    call.run(0.5)
    assert reception.key_frames()[0] - came_at <= 0.2
    obey(call, publisher)
    call.run(3.0)
    assert explained(call, "bob")[publisher.video].layer == 2
    assert received_s(reception, came_at + 0.2) <= 0.2


def test_of_who_has_spoken_the_lowest_layer_goes_on_beyond_the_last_n_and_of_others_nothing() -> None:
    call = Call()
    subscriber, publishers = Subscriber(call, "eve"), {}
    for name in ("ann", "bob", "cid"):
        publisher = publishers[name] = Publisher(call, name)
        publisher.levels = repeat(ROOM_LEVEL)
        publisher.start()
        subscriber.subscribe(publisher.video)
    publishers["ann"].levels = chain(repeat(ROOM_LEVEL, 50), sounds()["ada/0"], repeat(ROOM_LEVEL))
    publishers["bob"].levels = chain(repeat(ROOM_LEVEL, 500), sounds()["bob/0"], repeat(ROOM_LEVEL))
    show(call, "eve", *((f"{name}-video", LARGE) for name in publishers), last_n=1)
    call.run(25.0)
    assert explained(call, "eve")["ann-video"].reason == "last_n"
    wanted = {name: layers_wanted(call, f"{name}-video") for name in publishers}
    assert {name: layers[-1:] for name, layers in wanted.items()} == {"ann": [0], "bob": [2], "cid": [-1]}


# --- speakers --------------------------------------------------------------------------------------------------


def test_tells_who_speaks() -> None:
    call = Call()
    for name, sound, pause in (("ada", "ada/0", 50), ("bob", "bob/1", 300)):
        publisher = Publisher(call, name)
        publisher.levels = chain(repeat(ROOM_LEVEL, pause), sounds()[sound], repeat(ROOM_LEVEL))
        publisher.start()
    elsewhere = Publisher(call, "eve", room="elsewhere")
    elsewhere.levels = repeat(ROOM_LEVEL)
    elsewhere.start()
    call.run(14.0)
    said = [(n.room, n.recent, n.speaking) for n in call.notices if isinstance(n, SpeakersChanged)]
    assert said == [("room", ["ada"], True), ("room", ["bob", "ada"], True), ("room", ["bob", "ada"], False)]


def test_who_is_muted_does_not_speak() -> None:
    call = Call()
    publisher = Publisher(call, "ada")
    publisher.levels = chain(sounds()["ada/0"], repeat(ROOM_LEVEL))
    publisher.start()
    call.run(1.0)
    call.tell(SetTrackMuted, track=publisher.audio, muted=True)
    said = [(n.recent, n.speaking) for n in call.notices if isinstance(n, SpeakersChanged)]
    assert said == [(["ada"], True), (["ada"], False)]


def crowd(call: Call, count: int) -> tuple[list[Publisher], Subscriber]:
    """The first of them speaks after two seconds."""
    publishers = [Publisher(call, f"p{index}", rids=()) for index in range(count)]
    subscriber = Subscriber(call, "bob")
    for index, publisher in enumerate(publishers):
        publisher.levels = repeat(ROOM_LEVEL - index)
        publisher.start()
        subscriber.subscribe(publisher.audio)
    publishers[0].levels = chain(repeat(ROOM_LEVEL + 5, 100), sounds()["ada/0"], repeat(ROOM_LEVEL))
    return publishers, subscriber


def test_the_loudest_are_heard_in_a_room_of_many() -> None:
    call = Call()
    publishers, subscriber = crowd(call, 6)
    call.run(1.9)
    quiet = [track for track, row in explained(call, "bob").items() if row.reason == "quiet"]
    assert len(quiet) == 6 - WorkerConfig().loudest and publishers[0].audio in quiet
    call.run(0.4)
    reception = subscriber.receptions[publishers[0].audio]
    heard_from = max(at for at in received_times(reception) if at < call.now - 0.001)
    assert explained(call, "bob")[publishers[0].audio].layer == 0
    spoke_at = 100.0 + 2.0
    after_silence = min(at for at in received_times(reception) if at > spoke_at)
    assert after_silence - spoke_at <= 0.1 + call.delay_s * 2
    assert heard_from > spoke_at


def test_who_comes_later_and_is_quiet_is_not_forwarded() -> None:
    call = Call()
    _, subscriber = crowd(call, 4)
    call.run(1.0)
    late = Publisher(call, "late", rids=())
    late.levels = repeat(ROOM_LEVEL + 10)
    late.start()
    subscriber.subscribe(late.audio)
    call.run(0.5)
    assert explained(call, "bob")[late.audio].reason == "quiet"
    assert sum(row.reason == "nothing" for row in explained(call, "bob").values()) == WorkerConfig().loudest


def test_twenty_five_people_on_a_small_link_are_all_seen_and_the_stage_as_well_as_it_goes() -> None:
    call = Call()
    publishers = [Publisher(call, f"p{index}") for index in range(25)]
    subscriber = Subscriber(call, "bob")
    for publisher in publishers:
        publisher.start(fps=10)
        subscriber.subscribe(publisher.video)
    tiles = [Tile(track=publisher.video, width=384, height=216) for publisher in publishers[1:]]
    stage = Tile(track=publishers[0].video, width=1280, height=720, on_stage=True)
    call.tell(SetLayout, transport="bob", tiles=[*tiles, stage], max_bps=3_000_000)
    call.run(8.0)
    rows = explained(call, "bob")
    assert rows[publishers[0].video].layer == 2
    assert [rows[publisher.video].layer for publisher in publishers[1:]] == [0] * 24
    assert sum(row.bitrate_bps for row in rows.values()) <= 3_000_000
    octets = sum(
        len(payload) for r in subscriber.receptions.values() for at, *_, payload in r.packets.values() if at > 104
    )
    assert octets * 8 / (call.now - 104) <= 3_000_000


def received_times(reception: Reception) -> list[float]:
    return [at for at, *_ in reception.packets.values()]


def test_in_a_small_room_everybody_is_heard() -> None:
    call = Call()
    publishers, _ = crowd(call, 3)
    call.run(2.0)
    assert {row.reason for row in explained(call, "bob").values()} == {"nothing"}
    assert len(publishers) == 3


def test_who_listens_to_few_hears_them_whatever_others_do() -> None:
    call = Call(config=WorkerConfig(transport=PATIENT, loudest=2))
    publishers, _ = crowd(call, 6)
    listener = Subscriber(call, "eve")
    for publisher in publishers[:2]:
        listener.subscribe(publisher.audio)
    call.run(1.9)
    assert {row.reason for row in explained(call, "eve").values()} == {"nothing"}


def test_who_is_on_stage_is_heard() -> None:
    call = Call()
    publishers, subscriber = crowd(call, 6)
    subscriber.subscribe(publishers[0].video)
    show(call, "bob", (publishers[0].video, LARGE), stage=publishers[0].video)
    call.run(1.0)
    assert explained(call, "bob")[publishers[0].audio].reason == "nothing"
    show(call, "bob", (publishers[0].video, LARGE))
    call.run(0.9)
    assert explained(call, "bob")[publishers[0].audio].reason == "quiet"


@pytest.mark.parametrize(
    ("budget_bps", "looks"),
    [
        pytest.param(100_000_000, range(4, 8), id="has all it could have: three looks, then one each four seconds"),
        pytest.param(400_000, range(18, 24), id="would have more if it could: each second"),
    ],
)
def test_who_has_all_it_could_have_is_rarely_looked_at(
    budget_bps: int, looks: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call(config=WorkerConfig(budget_bps=budget_bps, transport=PATIENT))
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(6.0)
    made: list[int] = []

    def counted(budget_bps: int, demands: Sequence[Demand]) -> Allocation:
        made.append(budget_bps)
        return allocate(budget_bps, demands)

    monkeypatch.setattr("sfu.subscribing.allocate", counted)
    call.run(20.0)
    assert len(made) in looks
    made.clear()
    call.tell(SetLayout, transport="bob", max_bps=300_000)
    assert made == [300_000]  # at once
