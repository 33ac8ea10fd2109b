"""Encoders and decoders, and everything between them: pictures and tones survive packets."""

from __future__ import annotations

import numpy as np
import pytest

from sfu.core.types import Codec
from signaling.client.packetising import h264_payloads, vp8_payloads
from signaling.client.reassembly import FrameAssembler
from signaling.client.receiving import ReceivedPacket
from signaling.demo import strip, tone
from signaling.demo.decoding import AudioDecoder, VideoDecoder
from signaling.demo.encoding import AudioEncoder, VideoEncoder
from signaling.demo.picture import HEIGHT, WIDTH, Picture
from signaling.demo.strip import Mark
from signaling.demo.tone import Tone

FRAMES = 12
CODECS = [Codec.VP8, Codec.H264]


@pytest.mark.parametrize("codec", CODECS)
def test_every_layer_shows_sender_and_frame_number_after_packets_and_codec(codec: Codec) -> None:
    picture, encoder = Picture("Ada", 7), VideoEncoder(codec, 3, WIDTH, HEIGHT)
    assemblers = [FrameAssembler(codec) for _ in range(3)]
    decoders = [VideoDecoder(codec) for _ in range(3)]
    numbers = [0, 0, 0]
    seen: list[set[tuple[int, int, Mark | None]]] = [set(), set(), set()]
    for number in range(FRAMES):
        layers = encoder.encode(picture.planes(number, 0.0), key_frame=number == 0)
        for index, layer in enumerate(layers):
            payloads = (
                vp8_payloads(layer.bitstream, number, number) if codec is Codec.VP8 else h264_payloads(layer.bitstream)
            )
            for place, payload in enumerate(payloads, 1):
                packet = ReceivedPacket(numbers[index], number, place == len(payloads), 96, payload, {}, 0.0)
                numbers[index] += 1
                if frame := assemblers[index].on_packet(packet):
                    for shown in decoders[index].decode(frame.bitstream):
                        seen[index].add((shown.width, shown.height, strip.read(shown.luma)))
    sizes = [(80, 44), (160, 88), (320, 176)]
    assert seen == [{(*size, Mark(7, number)) for number in range(FRAMES)} for size in sizes]


@pytest.mark.parametrize("codec", CODECS)
def test_key_frames_come_when_asked_for_and_only_then(codec: Codec) -> None:
    picture, encoder = Picture("Ada", 7), VideoEncoder(codec, 2, WIDTH, HEIGHT)
    wanted = [number in (0, 5) for number in range(FRAMES)]
    keys = [
        [layer.key_frame for layer in encoder.encode(picture.planes(number, 0.0), want)]
        for number, want in enumerate(wanted)
    ]
    assert keys == [[want, want] for want in wanted]


def test_a_tone_is_heard_through_opus() -> None:
    source, encoder, decoder = Tone(tone.pitch_hz(4)), AudioEncoder(), AudioDecoder()
    packets = [encoder.encode(source.frame()) for _ in range(15)]
    assert all(10 < len(packet) < 200 for packet in packets)
    samples = np.concatenate([decoder.decode(packet) for packet in packets])
    assert len(samples) == 15 * tone.FRAME_SAMPLES
    heard = tone.heard_hz(samples[-tone.WINDOW_SAMPLES :])
    assert heard is not None
    assert abs(heard - tone.pitch_hz(4)) < 2


def test_what_cannot_be_decoded_is_counted() -> None:
    video, audio = VideoDecoder(Codec.VP8), AudioDecoder()
    assert video.decode(b"\x10\x00\x00nonsense") == []
    assert len(audio.decode(b"\xff" * 3)) == 0
    assert video.failed == audio.failed == 1
