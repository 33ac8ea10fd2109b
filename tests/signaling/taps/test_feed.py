"""A tap's frames become whole frames of codecs, whatever comes first; and sound gets the header that others read."""

from __future__ import annotations

import gc
import struct

import pytest
from msgspec.structs import replace

from recorder.files.decoding import SoundDecoder
from recorder.media import opus
from sfu.core.types import Codec, PayloadFormat
from sfu.wire.tap import FrameKind, TapFrame
from signaling.taps import sound
from signaling.taps.feed import LIVE, MOST_WAITING, Heard, TapFeed
from signaling.taps.messages import SinkOffered, TapEnded, TapLayer, TapMuted, TapStarted, decode, encode
from tests.recorder.clap import sounds

FORMATS = [PayloadFormat(111, Codec.OPUS, 48_000)]
STARTED = TapStarted(number=7, track="TR_1", source="microphone", kind="audio", muted=False, formats=FORMATS, rids=[])
SOUNDS = sounds(0.6)
SAMPLES = opus.duration_samples(SOUNDS[0]) or 0


def frame(number: int, *, track: int = 7, ssrc: int = 9, body: bytes | None = None) -> TapFrame:
    header = struct.pack(">BBHII", 0x80, 111, number & 0xFFFF, number * SAMPLES & 0xFFFFFFFF, ssrc)
    content = header + SOUNDS[number % len(SOUNDS)] if body is None else body
    return TapFrame(FrameKind.RTP, 0, False, 0, track, number, 100 + number * SAMPLES / 48_000, content)


def stamps(heard: list[Heard]) -> list[int]:
    return [one.timed.frame.timestamp // SAMPLES for one in heard]


def test_what_comes_before_the_word_of_what_it_is_waits_for_it() -> None:
    feed = TapFeed()
    assert [feed.on_frame(frame(number)) for number in (1, 2)] == [[], []]
    assert stamps(feed.on_message(STARTED)) == [1, 2]
    assert stamps(feed.on_frame(frame(3))) == [3]
    assert feed.on_frame(frame(4, track=8)) == []  # of another
    for number in range(5, 5 + 2 * MOST_WAITING):
        feed.on_frame(frame(number, track=8))
    late = feed.on_message(replace(STARTED, number=8, track="TR_2"))
    assert len(late) == MOST_WAITING


def test_packets_are_put_in_order_and_a_hole_is_waited_for_not_longer_than_a_conversation_bears() -> None:
    feed = TapFeed()
    feed.on_message(STARTED)
    assert stamps([heard for number in (1, 3, 2, 4) for heard in feed.on_frame(frame(number))]) == [1, 2, 3, 4]
    after = int(LIVE.reorder_wait_s * 48_000 / SAMPLES)
    found = [heard for number in range(6, 8 + after) for heard in feed.on_frame(frame(number))]
    assert stamps(found)[0] == 6 and stamps(found) == list(range(6, 8 + after))
    assert stamps(feed.on_frame(frame(5))) == []  # too late


def test_garbage_and_other_kinds_are_passed_over() -> None:
    feed = TapFeed()
    feed.on_message(STARTED)
    for body in (b"", b"\x80", bytes(12), b"\xff" * 40):
        feed.on_frame(frame(1, body=body))
    assert feed.on_frame(frame(2)._replace(kind=FrameKind.SENDER_REPORT)) == []
    assert stamps(feed.on_frame(frame(2))) == [2]


def test_of_a_track_that_has_ended_nothing_comes() -> None:
    feed = TapFeed()
    feed.on_message(STARTED)
    feed.on_message(TapEnded(track="TR_1"))
    assert feed.on_frame(frame(1)) == []


def test_sound_as_other_programs_read_it() -> None:
    feed = TapFeed()
    feed.on_message(STARTED)
    heard = [one for number in range(20) for one in feed.on_frame(frame(number))]
    packed = sound.SoundFrames(decoded=False).pack(heard, 3, feed.numbers)
    assert [sound.unpack(one)[4] for one in packed] == list(SOUNDS[:20])
    number, dropped, timestamp, at_s, _ = sound.unpack(packed[1])
    assert (number, dropped, timestamp) == (7, 3, SAMPLES) and abs(at_s - 100 - SAMPLES / 48_000) < 0.001
    decoded = sound.SoundFrames(decoded=True).pack(heard, 0, feed.numbers)
    assert [sound.samples(sound.unpack(one)[4]).shape for one in decoded] == [(SAMPLES, 2)] * 20
    with pytest.raises(ValueError, match="no header"):
        sound.unpack(packed[0][:10])


def test_who_publishes_again_and_again_does_not_fill_a_tap_with_decoders() -> None:
    feed, frames = TapFeed(), sound.SoundFrames(decoded=True)
    before = decoders()
    for number in range(1, 31):
        feed.on_message(replace(STARTED, number=number, track=f"TR_{number}"))
        heard = [one for at in range(3) for one in feed.on_frame(frame(at, track=number))]
        assert len(frames.pack(heard, 0, feed.numbers)) == 3
        feed.on_message(TapEnded(track=f"TR_{number}"))
    assert decoders() - before <= 1


def decoders() -> int:
    return sum(isinstance(one, SoundDecoder) for one in gc.get_objects())


@pytest.mark.parametrize(
    "message",
    [
        STARTED,
        SinkOffered(address="/tmp/1.sock"),
        TapMuted(track="TR_1", muted=True),
        TapLayer(number=7, layer=2),
        TapEnded(track="TR_1"),
    ],
)
def test_messages_are_read_back_as_they_were_said(message: TapStarted) -> None:
    assert decode(encode(message)) == message
