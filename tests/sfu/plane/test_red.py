"""Redundant audio: as it is to who takes it, its primary to who does not; what it repeats in place of what is lost."""

from __future__ import annotations

import pytest

from sfu.core.types import Codec, DropReason
from sfu.plane.interface import PlaneConfig
from sfu.wire import red, rtp, tap
from tests.support.planes import TRACK, MakePlane, Scene
from tests.support.rtp import OPUS, PUBLISHER_IDS, RED, REDUNDANT_AUDIO, Received, audio_slot, media_packet

SSRC = 60
TICKS = 960
PLAIN, REDUNDANT = 100, 101  # who takes Opus alone, and who takes both


def voice(number: int) -> bytes:
    return b"voice %d" % number


def packet(number: int, *repeated: int, padding: int = 0, payload: bytes | None = None) -> bytes:
    """As RED, with the blocks of these earlier ones."""
    blocks = [(TICKS * (number - one), voice(one)) for one in repeated]
    content = red.build(blocks, voice(number), OPUS.payload_type) if payload is None else payload
    level = ((PUBLISHER_IDS.audio_level, b"\x20"),)
    return media_packet(RED, number, number * TICKS, SSRC, content, mid="1", more=level, padding=padding)


def meeting(make_plane: MakePlane, config: PlaneConfig | None = None) -> Scene:
    scene = Scene(make_plane, REDUNDANT_AUDIO, config=config)
    scene.subscribe(PLAIN, spec=audio_slot(8000))
    scene.subscribe(REDUNDANT, spec=audio_slot(8100, red=65))
    return scene


def send(scene: Scene, *packets: bytes) -> dict[int, list[Received]]:
    output = scene.plane.on_datagrams([scene.publisher.protect(one) for one in packets], scene.now)
    return {number: scene.remotes[number].open_all(output) for number in (PLAIN, REDUNDANT)}


def heard(received: list[Received]) -> list[tuple[int, int, int, bytes]]:
    """Payload type, number, timestamp from the first on, payload."""
    first = received[0].timestamp
    return [(one.header.payload_type, one.number, one.timestamp - first, one.payload) for one in received]


def test_who_takes_it_gets_it_under_his_own_numbers_and_who_does_not_gets_its_primary(make_plane: MakePlane) -> None:
    scene = meeting(make_plane)
    got = send(scene, packet(1), packet(2, 1, padding=9), packet(3, 1, 2))
    assert heard(got[PLAIN]) == [(109, 200 + n, TICKS * n, voice(n + 1)) for n in range(3)]
    payloads = [red.build([], voice(1), 109), red.build([(TICKS, voice(1))], voice(2), 109)]
    payloads.append(red.build([(2 * TICKS, voice(1)), (TICKS, voice(2))], voice(3), 109))
    assert heard(got[REDUNDANT]) == [(65, 200 + n, TICKS * n, payload) for n, payload in enumerate(payloads)]
    for received in (*got[PLAIN], *got[REDUNDANT]):
        assert received.element("audio_level") == b"\x20"
    assert scene.plane.reception(TRACK)[0].codec is Codec.RED
    assert scene.plane.counters.recovered == 0


def test_between_plain_packets_too(make_plane: MakePlane) -> None:
    scene = meeting(make_plane)
    plain = media_packet(OPUS, 1, TICKS, SSRC, voice(1), mid="1")
    got = send(scene, plain, packet(2, 1), media_packet(OPUS, 3, 3 * TICKS, SSRC, voice(3)))
    assert [one.payload for one in got[PLAIN]] == [voice(1), voice(2), voice(3)]
    assert [one.header.payload_type for one in got[REDUNDANT]] == [109, 65, 109]


def test_what_was_lost_comes_out_of_the_next_packet_with_its_own_number_and_time(make_plane: MakePlane) -> None:
    scene = meeting(make_plane)
    got = send(scene, packet(65534), packet(65536, 65534, 65535))
    assert heard(got[PLAIN]) == [(109, 200 + n, TICKS * n, voice(65534 + n)) for n in range(3)]
    assert [one.number for one in got[REDUNDANT]] == [200, 201, 202]
    assert (got[REDUNDANT][1].header.payload_type, got[REDUNDANT][1].payload) == (109, voice(65535))
    assert scene.plane.counters.recovered == 1
    (layer,) = scene.plane.reception(TRACK)
    assert (layer.packets, layer.restored) == (2, 1)  # what the network brought, and what it did not
    late = send(scene, packet(65535, 65534))
    assert late == {PLAIN: [], REDUNDANT: []}
    assert scene.plane.counters.dropped[DropReason.DUPLICATE] == 1


def test_of_two_that_were_lost_only_the_last_is_repeated(make_plane: MakePlane) -> None:
    got = send(meeting(make_plane), packet(1), packet(4, 3))
    assert heard(got[PLAIN]) == [(109, n + 199, TICKS * (n - 1), voice(n)) for n in (1, 3, 4)]


def test_the_first_packet_of_all_brings_nothing_back(make_plane: MakePlane) -> None:
    scene = meeting(make_plane)
    assert [one.payload for one in send(scene, packet(7, 6))[PLAIN]] == [voice(7)]
    assert scene.plane.counters.recovered == 0


@pytest.mark.parametrize("payload", [b"\xef\x0f\x00\x03\x6f", b"\xef", b"\x60voice", b"\xe0\x0f\x00\x00\x6fvoice"])
def test_what_contradicts_itself_is_left_out_and_the_numbers_close_up(make_plane: MakePlane, payload: bytes) -> None:
    scene = meeting(make_plane)
    got = send(scene, packet(1), packet(2, payload=payload), packet(3))
    assert [(one.number, one.payload) for one in got[PLAIN]] == [(200, voice(1)), (201, voice(3))]
    assert [one.number for one in got[REDUNDANT]] == [200, 201]
    assert scene.plane.counters.dropped[DropReason.MALFORMED] == 1


def test_who_begins_to_be_heard_is_looked_back_for(make_plane: MakePlane) -> None:
    scene = meeting(make_plane)
    for slot in (PLAIN, REDUNDANT):
        scene.plane.set_layer(slot, None)
    assert send(scene, packet(1), packet(2, 1), packet(4, 3)) == {PLAIN: [], REDUNDANT: []}
    for slot in (PLAIN, REDUNDANT):
        scene.plane.set_layer(slot, 0, look_back=(scene.now - 0.1, scene.now))
    output = scene.plane.take_output()
    assert [one.payload for one in scene.remotes[PLAIN].open_all(output)] == [voice(n) for n in (1, 2, 3, 4)]


def test_after_another_answer_it_is_stripped_or_not(make_plane: MakePlane) -> None:
    scene = meeting(make_plane)
    assert [one.header.payload_type for one in send(scene, packet(1))[REDUNDANT]] == [65]
    scene.plane.set_payload_types(REDUNDANT, {Codec.OPUS: (110, None)})
    (stripped,) = send(scene, packet(2, 1))[REDUNDANT]
    assert (stripped.header.payload_type, stripped.payload) == (110, voice(2))
    scene.plane.set_payload_types(REDUNDANT, {})
    assert send(scene, packet(3, 2))[REDUNDANT] == []
    assert scene.plane.counters.dropped[DropReason.NO_PAYLOAD_TYPE] == 1


def test_local_sinks_get_opus_alone_and_what_was_lost(make_plane: MakePlane) -> None:
    scene = meeting(make_plane)
    scene.plane.add_sink(70, "@nobody looks")
    scene.plane.set_tap(70, TRACK, [0])
    send(scene, packet(1), packet(3, 1, 2, padding=5))
    frames = [tap.parse(one.frame) for one in scene.plane.take_sink_output()][1:]
    assert [(frame.sequence_number, frame.recovered) for frame in frames] == [(1, False), (2, True), (3, False)]
    for number, frame in enumerate(frames, 1):
        header = rtp.parse(frame.body)
        assert (header.payload_type, header.sequence_number) == (OPUS.payload_type, number)
        assert (header.timestamp, header.ssrc) == (number * TICKS, SSRC)
        assert frame.body[header.payload_offset :] == voice(number), "without padding"
        assert (PUBLISHER_IDS.audio_level in header.extensions) is not frame.recovered
