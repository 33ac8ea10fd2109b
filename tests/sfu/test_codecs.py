"""Who can decode what: a subscriber is sent only codecs that its answer has, and told why when that leaves nothing."""

from __future__ import annotations

from sfu.config import WorkerConfig
from sfu.control import (
    AddSlot,
    AddTrack,
    ConfigureSlot,
    Explain,
    Explanation,
    LayersWanted,
    OpenSink,
    ReadStatistics,
    Statistics,
    Subscribe,
    TapTrack,
    TrackTapped,
)
from sfu.core.types import Codec, PayloadFormat
from sfu.wire import extensions, red, rtp
from tests.sim.actors import H264_FORMATS, VIDEO_FORMATS, Publisher, Subscriber
from tests.sim.call import IDS, Call, Remote

PayloadTypes = dict[Codec, tuple[int, int | None]]
VP8: PayloadTypes = {Codec.VP8: (96, 97)}
H264: PayloadTypes = {Codec.H264: (102, None)}
# After this it is known what comes.
SEEN_S = 2 * WorkerConfig().flow_interval_s


def configure(call: Call, who: str, payload_types: PayloadTypes) -> None:
    """As `who` answered."""
    call.tell(ConfigureSlot, slot=f"{who}-slot0", payload_types=payload_types)


def reasons(call: Call, who: str) -> set[str]:
    """Why this participant receives no better, as it is explained to it and as statistics tell it."""
    explanation, statistics = call.tell(Explain, transport=who), call.tell(ReadStatistics, room="room")
    assert isinstance(explanation, Explanation) and isinstance(statistics, Statistics)
    told = {row.reason for row in statistics.subscriptions if row.subscription.startswith(f"{who}/")}
    return told | {row.reason for row in explanation.subscriptions}


def test_what_an_answer_leaves_out_is_neither_forwarded_nor_asked_for() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    video = subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(3.0)
    configure(call, "bob", H264)
    call.run(0.1)  # what was on its way
    publisher.requests.clear()
    received = len(video.packets)
    call.every(0.2, lambda: subscriber.picture_lost(publisher.video))
    call.run(3.0)
    assert len(video.packets) == received > 100
    assert publisher.requests == []
    assert reasons(call, "bob") == {"codec"}


def test_what_another_answer_has_again_goes_on_at_a_key_frame_as_the_same_stream() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    video = subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(3.0)
    configure(call, "bob", H264)
    call.run(3.0)
    before, received = call.now, len(video.packets)
    configure(call, "bob", {Codec.VP8: (120, None)})
    call.run(1.0)
    assert len(video.packets) > received and video.missing() == []
    assert [at for at in video.key_frames() if at > before]
    assert reasons(call, "bob") == {"nothing"}


def test_of_what_a_publisher_may_send_it_counts_what_it_sends() -> None:
    call = Call()
    publisher = Publisher(call, "ann", formats=VIDEO_FORMATS + H264_FORMATS)
    publisher.encode(Codec.H264)
    chromium, firefox = Subscriber(call, "bob"), Subscriber(call, "eve")
    seen, dark = chromium.subscribe(publisher.video), firefox.subscribe(publisher.video)
    configure(call, "bob", VP8 | H264)
    configure(call, "eve", VP8)
    assert "codec" not in reasons(call, "eve"), "it may yet be VP8"
    publisher.start()
    call.run(SEEN_S)
    assert (reasons(call, "bob") & {"codec"}, reasons(call, "eve")) == (set(), {"codec"})
    call.run(3.0)
    assert len(seen.packets) > 100 and dark.packets == {}


def test_nobody_asks_for_a_key_frame_that_it_could_not_decode() -> None:
    call = Call()
    publisher = Publisher(call, "ann", formats=VIDEO_FORMATS + H264_FORMATS, answers_key_frames=False)
    publisher.encode(Codec.H264)
    publisher.start()
    Subscriber(call, "bob").subscribe(publisher.video)
    call.run(5.0)
    assert publisher.requests == [] and reasons(call, "bob") == {"codec"}


def test_a_publisher_that_changes_its_codec_is_lost_to_some_and_found_again() -> None:
    call = Call()
    publisher, subscriber = Publisher(call, "ann", formats=VIDEO_FORMATS + H264_FORMATS), Subscriber(call, "bob")
    video = subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(3.0)
    publisher.encode(Codec.H264)
    call.run(SEEN_S)
    received = len(video.packets)
    assert reasons(call, "bob") == {"codec"}
    call.run(10.0)
    assert len(video.packets) == received
    assert not [notice for notice in call.notices if isinstance(notice, LayersWanted)], "or it would not be found again"
    publisher.encode(Codec.VP8)
    call.run(SEEN_S + 1.0)
    assert len(video.packets) > received and video.missing() == []
    assert reasons(call, "bob") == {"nothing"}


class Ear(Remote):
    """Keeps what it is sent."""

    def __init__(self, call: Call, name: str) -> None:
        super().__init__(call, name)
        self.heard: list[int] = []  # payload types

    def on_rtp(self, packet: bytes) -> None:
        self.heard.append(rtp.parse(packet).payload_type)


RED_FORMATS = [PayloadFormat(63, Codec.RED, 48_000), PayloadFormat(111, Codec.OPUS, 48_000)]


def test_a_voice_in_red_is_for_who_takes_opus_alone_and_readers_hear_of_opus_alone() -> None:
    call = Call()
    ann, bob, cid = Remote(call, "ann"), Ear(call, "bob"), Ear(call, "cid")
    sound = {"transport": "ann", "track": "voice", "mid": "1", "kind": "audio", "rids": []}
    call.tell(AddTrack, **sound, formats=RED_FORMATS)
    plain: PayloadTypes = {Codec.OPUS: (109, None)}
    for remote, payload_types in ((bob, plain), (cid, {**plain, Codec.RED: (63, None)})):
        slot = f"{remote.name}-slot"
        call.tell(AddSlot, transport=remote.name, slot=slot, mid="0", kind="audio", payload_types=payload_types)
        call.tell(Subscribe, subscription=f"{remote.name}/voice", slot=slot, track="voice")
    for number in range(1, 60):
        payload = red.build([(960, b"voice")] if number > 1 else [], b"voice", 111)
        packet = rtp.build(
            payload_type=63, sequence_number=number, timestamp=960 * number, ssrc=7, payload=payload,
            extension=extensions.pack([(IDS.mid, b"1")]),
        )  # fmt: skip
        call.at(call.now + 0.02 * number, lambda packet=packet: ann.send_rtp(packet))  # type: ignore[misc]
    call.run(3.0)
    assert (set(bob.heard), set(cid.heard)) == ({109}, {63})
    assert len(bob.heard) == len(cid.heard) > 50
    prices = {
        name: [
            one.rung.bitrate_bps for one in call.router.registry.endpoints[name].subscriber.subscriptions() if one.rung
        ]
        for name in ("bob", "cid")
    }
    assert prices["cid"] == [2 * price for price in prices["bob"]] > [1000], "what leaves is paid for"
    call.tell(OpenSink, sink="tape", room="room", address="@nobody looks")
    tapped = call.tell(TapTrack, sink="tape", track="voice")
    assert isinstance(tapped, TrackTapped)
    assert tapped.formats == RED_FORMATS[1:]
