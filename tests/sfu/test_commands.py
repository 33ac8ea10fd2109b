"""What each Command does and when it is declined; whatever comes, a Worker answers and goes on."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from sfu.config import WorkerConfig
from sfu.control import (
    AddSlot,
    AddTrack,
    CloseSink,
    CloseTransport,
    ConfigureSlot,
    ConnectTransport,
    CpuSeconds,
    Describe,
    Description,
    Done,
    Failed,
    Fingerprint,
    FramesReport,
    IceParameters,
    LimitLayer,
    Load,
    Metrics,
    OpenSink,
    OpenTransport,
    ReadLoad,
    ReadMetrics,
    ReadStatistics,
    RemoteParameters,
    RemoveSlot,
    RemoveTrack,
    ReportReception,
    RestartIce,
    SetTrackMuted,
    SetTrackStrained,
    SlotAdded,
    Statistics,
    Subscribe,
    TapTrack,
    TransportChanged,
    TransportOpened,
    Unsubscribe,
    UntapTrack,
)
from sfu.core.types import Codec, PayloadFormat
from sfu.net.config import TransportConfig
from sfu.plane.interface import SsrcLearned
from sfu.wire.extensions import ExtensionIds
from tests.sim.actors import AUDIO_FORMATS, VIDEO_FORMATS, Publisher, Subscriber
from tests.sim.call import PATIENT, Call, Remote

VP8 = {Codec.VP8: (96, 97)}
H264 = {Codec.H264: (102, 103)}
OPUS = {Codec.OPUS: (111, None)}


def room(config: WorkerConfig | None = None) -> Call:
    """Ann publishes `video` and `audio`; bob has the Slots `bob-v` and `bob-a`; cid is in another room."""
    call = Call(config=config)
    for name, where in (("ann", "room"), ("bob", "room"), ("cid", "elsewhere")):
        Remote(call, name, where)
    call.tell(AddTrack, **track("video"))
    call.tell(AddTrack, **track("audio", mid="1", kind="audio", formats=AUDIO_FORMATS, rids=[]))
    call.tell(AddSlot, **slot("bob-v"))
    call.tell(AddSlot, **slot("bob-a", mid="1", kind="audio", payload_types=OPUS))
    call.tell(AddSlot, **slot("cid-v", transport="cid"))
    call.tell(OpenSink, room="room", sink="tape", address="@tape")
    call.tell(OpenSink, room="elsewhere", sink="elsewhere", address="@elsewhere")
    call.tell(TapTrack, sink="tape", track="audio")
    return call


def track(name: str, **changes: Any) -> dict[str, Any]:
    fields = {"mid": "0", "kind": "video", "formats": VIDEO_FORMATS, "rids": ["q", "h", "f"]}
    return {"transport": "ann", "track": name, **fields, **changes}


def slot(name: str, **changes: Any) -> dict[str, Any]:
    return {"transport": "bob", "slot": name, "mid": "0", "kind": "video", "payload_types": VP8, **changes}


REMOTE = RemoteParameters(
    ice=IceParameters("abcd", "secretsecretsecretsecret"),
    fingerprints=[Fingerprint("sha-256", "00:" * 31 + "00")],
    dtls_client=False,
    receive_extensions=ExtensionIds(),
    send_extensions=ExtensionIds(),
)

DECLINED: dict[str, tuple[type, dict[str, Any], str]] = {
    "connect": (ConnectTransport, {"transport": "?", "remote": REMOTE}, "unknown_transport"),
    "restart": (RestartIce, {"transport": "?"}, "unknown_transport"),
    "close": (CloseTransport, {"transport": "?"}, "unknown_transport"),
    "open again": (OpenTransport, {"room": "r", "participant": "p", "transport": "ann"}, "duplicate_transport"),
    "publish nowhere": (AddTrack, track("x", transport="?"), "unknown_transport"),
    "publish again": (AddTrack, track("video", mid="9"), "duplicate_track"),
    "publish on a taken mid": (AddTrack, track("x"), "duplicate_mid"),
    "too many layers": (AddTrack, track("x", mid="9", rids=list("abcde")), "bad_layers"),
    "the same rid twice": (AddTrack, track("x", mid="9", rids=["q", "q"]), "bad_layers"),
    "no formats": (AddTrack, track("x", mid="9", formats=[]), "bad_formats"),
    "too many formats": (
        AddTrack,
        track("x", mid="9", formats=[PayloadFormat(n, Codec.VP8, 90_000) for n in range(33)]),
        "bad_formats",
    ),
    "video as audio": (AddTrack, track("x", mid="9", kind="audio", rids=[]), "bad_formats"),
    "a codec at a rate it does not have": (
        AddTrack,
        track("x", mid="9", formats=[PayloadFormat(96, Codec.VP8, 48_000)]),
        "bad_formats",
    ),
    "only RTX": (
        AddTrack,
        track("x", mid="9", formats=[PayloadFormat(97, Codec.VP8, 90_000, repairs=96)]),
        "bad_formats",
    ),
    "remove": (RemoveTrack, {"track": "?"}, "unknown_track"),
    "mute": (SetTrackMuted, {"track": "?", "muted": True}, "unknown_track"),
    "slot nowhere": (AddSlot, slot("x", transport="?"), "unknown_transport"),
    "slot again": (AddSlot, slot("bob-v", mid="9"), "duplicate_slot"),
    "slot on a taken mid": (AddSlot, slot("x"), "duplicate_mid"),
    "configure": (ConfigureSlot, {"slot": "?", "payload_types": VP8}, "unknown_slot"),
    "remove slot": (RemoveSlot, {"slot": "?"}, "unknown_slot"),
    "subscribe to nothing": (Subscribe, {"subscription": "x", "slot": "bob-v", "track": "?"}, "unknown_track"),
    "subscribe nowhere": (Subscribe, {"subscription": "x", "slot": "?", "track": "video"}, "unknown_slot"),
    "subscribe across kinds": (Subscribe, {"subscription": "x", "slot": "bob-a", "track": "video"}, "kind_mismatch"),
    "subscribe across rooms": (Subscribe, {"subscription": "x", "slot": "cid-v", "track": "video"}, "other_room"),
    "a layer below the lowest": (
        Subscribe,
        {"subscription": "x", "slot": "bob-v", "track": "video", "max_layer": -1},
        "bad_layers",
    ),
    "limit": (LimitLayer, {"subscription": "?", "max_layer": 1}, "unknown_subscription"),
    "unsubscribe": (Unsubscribe, {"subscription": "?"}, "unknown_subscription"),
    "sink again": (OpenSink, {"room": "room", "sink": "tape", "address": "@x"}, "duplicate_sink"),
    "close sink": (CloseSink, {"sink": "?"}, "unknown_sink"),
    "tap into nothing": (TapTrack, {"sink": "?", "track": "video"}, "unknown_sink"),
    "tap nothing": (TapTrack, {"sink": "tape", "track": "?"}, "unknown_track"),
    "tap again": (TapTrack, {"sink": "tape", "track": "audio"}, "duplicate_tap"),
    "tap across rooms": (TapTrack, {"sink": "elsewhere", "track": "video"}, "other_room"),
    "tap below the lowest layer": (TapTrack, {"sink": "tape", "track": "video", "max_layer": -1}, "bad_layers"),
    "untap": (UntapTrack, {"sink": "tape", "track": "video"}, "unknown_tap"),
}


@pytest.mark.parametrize(("command", "fields", "code"), DECLINED.values(), ids=DECLINED.keys())
def test_declines(command: type, fields: dict[str, Any], code: str) -> None:
    call = room()
    reply = call.ask(command, **fields)
    assert isinstance(reply, Failed) and reply.code == code, reply
    assert call.router.counters.commands_refused == 1 and call.router.counters.internal_errors == 0
    assert set(call.router.registry.tracks) == {"video", "audio"}
    assert not call.router.registry.subscriptions


def test_declines_what_is_taken() -> None:
    call = room()
    call.tell(Subscribe, subscription="one", slot="bob-v", track="video")
    again = call.ask(Subscribe, subscription="two", slot="bob-v", track="video")
    assert isinstance(again, Failed) and again.code == "slot_taken"
    call.tell(AddSlot, **slot("bob-2", mid="2"))
    again = call.ask(Subscribe, subscription="one", slot="bob-2", track="video")
    assert isinstance(again, Failed) and again.code == "duplicate_subscription"
    call.tell(AddSlot, **slot("bob-3", mid="3", payload_types=H264))
    other = call.ask(Subscribe, subscription="three", slot="bob-3", track="video")
    assert isinstance(other, Failed) and other.code == "no_common_codec"
    call.tell(ConfigureSlot, slot="bob-3", payload_types=VP8 | H264)
    call.tell(Subscribe, subscription="three", slot="bob-3", track="video")


@pytest.mark.parametrize(
    ("config", "command", "fields"),
    [
        (
            WorkerConfig(transport=PATIENT, transports=3),
            OpenTransport,
            {"room": "r", "participant": "p", "transport": "x"},
        ),
        (WorkerConfig(transport=PATIENT, tracks_per_transport=2), AddTrack, track("x", mid="9")),
        (WorkerConfig(transport=PATIENT, slots_per_transport=2), AddSlot, slot("x", mid="9")),
        (WorkerConfig(transport=PATIENT, slots_ever_per_transport=2), AddSlot, slot("x", mid="9")),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_limits(config: WorkerConfig, command: type, fields: dict[str, Any]) -> None:
    reply = room(config).ask(command, **fields)
    assert isinstance(reply, Failed) and reply.code == "limit"


def test_a_transport_is_opened_with_what_an_answer_needs() -> None:
    call = Call()
    reply = call.tell(OpenTransport, room="r", participant="p", transport="TP")
    assert isinstance(reply, TransportOpened)
    assert len(reply.ice.username_fragment) >= 4 and len(reply.ice.password) >= 22
    assert [fingerprint.algorithm for fingerprint in reply.fingerprints] == ["sha-256"]
    again = call.tell(RestartIce, transport="TP")
    assert isinstance(again, TransportOpened)
    assert again.ice != reply.ice and again.fingerprints == reply.fingerprints


def test_an_ssrc_is_never_used_twice_and_numbers_begin_in_the_lower_half() -> None:
    call = Call()
    Remote(call, "bob")
    ssrcs: set[int] = set()
    for number in range(200):
        reply = call.tell(AddSlot, **slot(f"slot{number}"))
        assert isinstance(reply, SlotAdded) and reply.rtx_ssrc is not None
        assert not {reply.ssrc, reply.rtx_ssrc} & ssrcs
        ssrcs |= {reply.ssrc, reply.rtx_ssrc}
        spec = call.router.registry.slots[f"slot{number}"].spec
        assert 0 < spec.first_sequence_number < 1 << 15
        call.tell(RemoveSlot, slot=f"slot{number}")
    audio = call.tell(AddSlot, **slot("audio", kind="audio", payload_types=OPUS))
    assert isinstance(audio, SlotAdded) and audio.rtx_ssrc is None


def test_subscriptions_end_with_their_track_and_the_slot_is_free_again() -> None:
    call = room()
    call.tell(Subscribe, subscription="one", slot="bob-v", track="video")
    call.tell(RemoveTrack, track="video")
    gone = call.ask(Unsubscribe, subscription="one")
    assert isinstance(gone, Failed) and gone.code == "unknown_subscription"
    call.tell(AddTrack, **track("video2"))
    call.tell(Subscribe, subscription="two", slot="bob-v", track="video2")


def test_what_a_transport_had_ends_when_it_is_closed() -> None:
    call = room()
    call.tell(Subscribe, subscription="one", slot="bob-v", track="video")
    call.tell(CloseTransport, transport="ann")
    assert set(call.router.registry.tracks) == set() == set(call.router.registry.subscriptions)
    call.tell(CloseTransport, transport="bob")
    assert set(call.router.registry.slots) == {"cid-v"}
    assert call.notices == [], "who closes knows"


def test_what_a_transport_had_ends_when_it_is_gone_and_signaling_is_told() -> None:
    call = Call(config=WorkerConfig(transport=TransportConfig(connect_timeout_s=6.0)))
    publisher = Publisher(call, "ann")
    call.run(3.0)
    subscriber = Subscriber(call, "bob")
    video = subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(2.0)
    assert len(video.packets) > 10
    # Nobody has sent a connectivity check here, so both go in their turn.
    call.run(2.0)
    assert set(call.router.registry.endpoints) == {"bob"} and not call.router.registry.subscriptions
    gone = [notice for notice in call.notices if isinstance(notice, TransportChanged)]
    assert gone == [TransportChanged(transport="ann", state="gone", reason="never_connected")]
    call.run(3.0)
    assert not call.router.registry.endpoints and not call.router.registry.slots
    assert call.router.counters.internal_errors == 0


def test_what_we_did_not_foresee_is_internal_and_costs_one_transport(caplog: pytest.LogCaptureFixture) -> None:
    call = room()
    publisher, subscriber = Publisher(call, "dan"), Subscriber(call, "eve")
    video = subscriber.subscribe(publisher.video)
    publisher.start()
    number = call.router.registry.tracks["video"].number
    call.plane.remove_track(number)  # behind the Worker's back
    with caplog.at_level(logging.ERROR):
        reply = call.ask(Subscribe, subscription="one", slot="bob-v", track="video")
        call.router.on_events([SsrcLearned(number, 0, 77, rtx=False)], call.now)
        call.run(1.0)
    assert isinstance(reply, Failed) and reply.code == "internal" and "KeyError" not in reply.reason
    assert "Traceback" in caplog.text and call.router.counters.internal_errors == 2
    assert TransportChanged(transport="ann", state="gone", reason="internal") in call.notices
    assert set(call.router.registry.endpoints) == {"bob", "cid", "dan", "eve"}
    assert len(video.packets) > 10


def test_operators_are_told_what_is_known() -> None:
    call = room()
    publisher, subscriber = Publisher(call, "dan"), Subscriber(call, "eve")
    video = subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(1.0)
    reply = call.tell(Describe, transport="dan")
    assert isinstance(reply, Description)
    text = json.loads(reply.text)
    assert (text["transport"], text["room"], text["now_s"]) == ("dan", "room", call.now)
    assert len(text["plane"]["sources"]) >= 3
    assert text["plane"]["selected"]["host"].endswith(".x")
    (subscription,) = [id for id, one in call.router.registry.subscriptions.items() if one.slot.endpoint.id == "eve"]
    reply = call.tell(Describe, subscription=subscription)
    assert isinstance(reply, Description)
    text = json.loads(reply.text)
    assert text["subscription"]["subscription"] == subscription
    assert text["plane_slot"]["packets"] >= len(video.packets) > 10
    assert text["plane_slot"]["track"] == text["plane_track"]["track"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "bad_subject"),
        ({"transport": "ann", "subscription": "x"}, "bad_subject"),
        ({"transport": "x"}, "unknown_transport"),
        ({"subscription": ""}, "unknown_subscription"),
    ],
)
def test_nobody_is_described_who_is_not_there(fields: dict[str, str], code: str) -> None:
    reply = room().ask(Describe, **fields)
    assert isinstance(reply, Failed) and reply.code == code


def test_load_and_cpu_time_are_told() -> None:
    call = room()
    publisher, subscriber = Publisher(call, "dan"), Subscriber(call, "eve")
    subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(1.0)
    load = call.tell(ReadLoad)
    assert isinstance(load, Load) and load.forwarded == call.plane.counters.forwarded > 0
    assert isinstance(call.tell(ReadMetrics), Metrics)
    statistics = call.tell(ReadStatistics)
    assert isinstance(statistics, Statistics) and statistics.cpu_s == CpuSeconds(process=0.0, plane=0.0)


def test_any_commands_in_any_order_are_answered_and_leave_nothing_behind(seed: int) -> None:
    """Never `internal`; when all Transports are closed, nothing is left, here or in the plane."""
    draw = Random(seed)
    call = Call(seed)

    def name(what: str) -> str:
        return f"{what}{draw.randrange(5)}"

    def number(what: int) -> str:
        return str(draw.randrange(what))

    def frames(subscription: str) -> FramesReport:
        return FramesReport(subscription=subscription, decoded=250, dropped=50, freezes=1, frozen_s=0.5)

    commands: list[Callable[[], tuple[type, dict[str, Any]]]] = [
        lambda: (OpenTransport, {"room": draw.choice("rs"), "participant": name("P"), "transport": name("T")}),
        lambda: (RestartIce, {"transport": name("T")}),
        lambda: (AddTrack, track(name("V"), transport=name("T"), mid=number(3), rids=draw.choice([[], ["q", "f"]]))),
        lambda: (AddTrack, track(name("A"), transport=name("T"), mid=number(3), kind="audio", formats=AUDIO_FORMATS)),
        lambda: (RemoveTrack, {"track": name(draw.choice("VA"))}),
        lambda: (SetTrackMuted, {"track": name(draw.choice("VA")), "muted": draw.random() < 0.5}),
        lambda: (AddSlot, slot(name("S"), transport=name("T"), mid=number(3))),
        lambda: (RemoveSlot, {"slot": name("S")}),
        lambda: (ConfigureSlot, {"slot": name("S"), "payload_types": draw.choice([VP8, H264, VP8 | H264])}),
        lambda: (Subscribe, {"subscription": name("U"), "slot": name("S"), "track": name("V")}),
        lambda: (LimitLayer, {"subscription": name("U"), "max_layer": draw.choice([None, 0, 5])}),
        lambda: (Unsubscribe, {"subscription": name("U")}),
        lambda: (ReadStatistics, {"room": None}),
        lambda: (SetTrackStrained, {"track": name("V"), "strained": draw.random() < 0.5}),
        lambda: (ReportReception, {"transport": name("T"), "overused": True, "frames": [frames(name("U"))]}),
        lambda: (Describe, {"transport": name("T")} if draw.random() < 0.5 else {"subscription": name("U")}),
        lambda: (CloseTransport, {"transport": name("T")}),
    ]
    done = 0
    for _ in range(1500):
        command, fields = draw.choices(commands, weights=[3, 1, 4, 2, 1, 1, 4, 1, 1, 6, 1, 1, 1, 1, 1, 2, 1])[0]()
        reply = call.ask(command, **fields)
        done += isinstance(reply, Done)
        assert not (isinstance(reply, Failed) and reply.code == "internal"), (command, fields)
        if draw.random() < 0.1:
            for endpoint in call.router.registry.endpoints.values():
                endpoint.on_connected()
            call.run(draw.random())
    assert done > 150 and call.router.counters.internal_errors == 0
    for transport in list(call.router.registry.endpoints):
        call.tell(CloseTransport, transport=transport)
    registry = call.router.registry
    assert not any((registry.endpoints, registry.tracks, registry.slots, registry.subscriptions))
    assert not any((registry.endpoints_by_number, registry.tracks_by_number, registry.slots_by_number))
    call.run(1.0)
    assert len(call.router.context.deadlines) == 0
