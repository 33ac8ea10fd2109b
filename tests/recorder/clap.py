"""What claps are made of: pictures that flash and sound that beeps at known times, encoded, and their RTP payloads.

Encoded once per codec and kept, as the same few seconds serve every test.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from recorder.journal import PayloadFormat
from sfu.core.types import SOUND_CODECS, Codec
from signaling.client.packetising import h264_payloads, vp8_payloads
from signaling.demo import strip
from tests.recorder import ivf
from tests.recorder.packing import av1_payloads, vp9_payloads

WIDTH, HEIGHT, FPS = 160, 96, 15
CLAP_EVERY_S = 2.0
FIRST_CLAP_S = 1.0
FLASH_S = 0.1
BEEP_S = 0.1
BEEP_HZ = 1000.0
FRAME_S = 0.02
CLIP_S = 1.6  # has the first clap in it
PAYLOAD_TYPES = {Codec.VP8: 96, Codec.VP9: 98, Codec.H264: 102, Codec.AV1: 45, Codec.OPUS: 111}
FORMATS = {
    "video": tuple(PayloadFormat(PAYLOAD_TYPES[one], one.value, 90_000) for one in Codec if one not in SOUND_CODECS),
    "audio": (PayloadFormat(111, "opus", 48_000, 2),),
}
ENCODERS = {Codec.VP8: "libvpx", Codec.H264: "libx264", Codec.VP9: "libvpx-vp9"}
OPTIONS = {
    Codec.VP8: {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    Codec.VP9: {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    Codec.H264: {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "x264-params": "keyint=infinite:scenecut=0:repeat-headers=1",
    },
}
KEY_FRAME_EVERY = 2 * FPS
AV1_CLIP, AV1_CLIP_S = Path(__file__).with_name("clap.av1.ivf"), 10.0


def claps(until_s: float, from_s: float = 0.0) -> list[float]:
    count = int((until_s - FIRST_CLAP_S) / CLAP_EVERY_S) + 1
    times = [FIRST_CLAP_S + CLAP_EVERY_S * index for index in range(max(count, 0))]
    return [at_s for at_s in times if from_s <= at_s < until_s - FLASH_S]


@functools.cache
def pictures(codec: Codec, seconds: float, width: int = WIDTH, height: int = HEIGHT) -> tuple[tuple[bytes, bool], ...]:
    """Encoded pictures at FPS: frame numbers in a strip, a flash at each clap; a key frame every two seconds."""
    if codec is Codec.AV1:
        # Encoded once and for all (make_av1_clip.py); no picture depends on what comes after it.
        assert (width, height) == (WIDTH, HEIGHT) and seconds <= AV1_CLIP_S
        clip = ivf.read(AV1_CLIP)[: round(seconds * FPS)]
        return tuple((picture, number % KEY_FRAME_EVERY == 0) for number, picture in enumerate(clip))
    context = av.CodecContext.create(ENCODERS[codec], "w")
    assert isinstance(context, VideoCodecContext)
    context.bit_rate, context.options = 300_000, OPTIONS[codec]
    return encode(context, seconds, width, height)


def encode(context: VideoCodecContext, seconds: float, width: int, height: int) -> tuple[tuple[bytes, bool], ...]:
    """Its kind and options are the caller's."""
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS)
    context.gop_size, context.max_b_frames, context.thread_count = 1 << 20, 0, 1
    encoded: list[tuple[bytes, bool]] = []
    for number in range(round(seconds * FPS)):
        at_s = number / FPS
        flashing = any(clap - 1e-6 <= at_s < clap + FLASH_S for clap in claps(seconds))
        planes = np.full((height * 3 // 2, width), 128, np.uint8)
        planes[:height] = 235 if flashing else 40
        strip.draw(planes[:height], strip.Mark(1, number))
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        frame.pict_type = PictureType.I if number % KEY_FRAME_EVERY == 0 else PictureType.NONE
        encoded += [(bytes(packet), packet.is_keyframe) for packet in context.encode(frame)]
    encoded += [(bytes(packet), packet.is_keyframe) for packet in context.encode(None)]
    assert len(encoded) == round(seconds * FPS)
    return tuple(encoded)


@functools.cache
def sounds(seconds: float) -> tuple[bytes, ...]:
    """Opus packets of 20 ms: a faint hum, and a beep at each clap."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format, context.bit_rate = 48_000, "mono", "s16", 32_000
    context.options = {"application": "audio", "frame_duration": "20"}
    times = np.arange(round(seconds * 48_000)) / 48_000
    samples = 0.003 * np.sin(2 * np.pi * 220 * times)
    for clap in claps(seconds):
        beeping = (times >= clap) & (times < clap + BEEP_S)
        samples[beeping] = 0.5 * np.sin(2 * np.pi * BEEP_HZ * times[beeping])
    pcm = (samples * 32767).astype(np.int16)
    packets: list[bytes] = []
    for begin in range(0, len(pcm) - 959, 960):
        frame = av.AudioFrame.from_ndarray(pcm[begin : begin + 960].reshape(1, 960), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, begin, Fraction(1, 48_000)
        packets += [bytes(packet) for packet in context.encode(frame)]
    return tuple(packets)


def payloads_of(codec: Codec, bitstream: bytes, number: int, key_frame: bool) -> list[bytes]:
    if codec is Codec.VP8:
        return vp8_payloads(bitstream, number, number)
    if codec is Codec.H264:
        return h264_payloads(bitstream)
    if codec is Codec.VP9:
        return vp9_payloads(bitstream, number, key_frame)
    return av1_payloads(bitstream, key_frame)
