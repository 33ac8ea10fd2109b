"""What a real Chromium sent: learned, told apart and forwarded."""

from __future__ import annotations

import pytest

from sfu.core.types import Codec, PayloadFormat
from sfu.plane.interface import KeyFrameReceived, SsrcLearned, TrackSpec
from sfu.wire import rtp
from tests.sfu.wire.captured import NAMES, Capture, capture
from tests.support.planes import PUBLISHER, TRACK, MakePlane, Scene
from tests.support.rtp import SUBSCRIBER_IDS, Received, audio_slot, video_slot

AUDIO_TRACK = 12


def tracks(source: Capture) -> tuple[TrackSpec, TrackSpec]:
    """Video and audio, with the mids that the capture shows."""
    types = source.payload_types
    name = "H264" if "H264" in types else "VP8"
    video = PayloadFormat(types[name], Codec(name), 90000)
    repair = PayloadFormat(types["rtx"], Codec(name), 90000, repairs=types[name])
    mids = {}
    for header in map(rtp.parse, media(source)):
        if source.extension_ids.mid in header.extensions:
            mids[header.payload_type] = header.extensions[source.extension_ids.mid].decode()
    audio = PayloadFormat(types["opus"], Codec.OPUS, 48000)
    return (
        TrackSpec(mids[types[name]], "video", (video, repair), rids=("q", "h", "f")),
        TrackSpec(mids[types["opus"]], "audio", (audio,)),
    )


def media(source: Capture) -> list[bytes]:
    return [packet.packet for packet in source.packets if packet.kind == "rtp" and packet.sender == "chromium"]


@pytest.mark.parametrize("name", NAMES)
def test_chromiums_packets_are_learned_and_forwarded_to_a_subscriber_of_each_layer(
    make_plane: MakePlane, name: str
) -> None:
    source = capture(name)
    video, audio = tracks(source)
    scene = Scene(make_plane, video)
    scene.plane.set_extensions(PUBLISHER, source.extension_ids, SUBSCRIBER_IDS)
    scene.plane.add_track(AUDIO_TRACK, PUBLISHER, audio)
    for layer in range(3):
        scene.subscribe(100 + layer, layer=layer, spec=video_slot())
    scene.subscribe(103, spec=audio_slot(), track=AUDIO_TRACK)
    got: dict[int, list[Received]] = {number: [] for number in scene.remotes}
    for packet in media(source):
        scene.now += 0.01
        output = scene.plane.on_datagrams([scene.publisher.protect(packet)], scene.now)
        for number, remote in scene.remotes.items():
            got[number] += remote.open_all(output)

    learned = {event.ssrc: video.rids[event.layer] for event in scene.events(SsrcLearned) if event.track == TRACK}
    assert {ssrc: rid for ssrc, rid in learned.items() if ssrc in source.rids} == source.rids
    assert {event.layer for event in scene.events(KeyFrameReceived)} == {0, 1, 2}
    for reason in ("malformed", "unknown_ssrc", "unknown_payload_type", "srtp_protect", "too_old"):
        assert scene.dropped(reason) == 0, reason
    for number in (100, 101, 102):
        assert len(got[number]) >= 3
        assert got[number][0].header.sequence_number == 100
        assert {packet.header.ssrc for packet in got[number]} == {7000}
        assert all(packet.payload for packet in got[number])
    assert len(got[103]) >= 3
    assert all(packet.element("audio_level") for packet in got[103])
    assert len(scene.arrivals()) > 20
