"""Encoders in real time, by PyAV: VP8 (or H.264) in one to three layers of half the size each, and Opus.

Blocking: call from a worker thread, one call at a time per encoder. A key frame comes on request, in all layers at
once, as browsers do; otherwise never, so that whoever lost one has to ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from sfu.core.types import Codec
from signaling.demo.picture import Planes, halved
from signaling.demo.tone import FRAME_SAMPLES, SAMPLE_RATE

FRAMES_PER_S = 15
LAYER_BPS = (60_000, 120_000, 300_000)  # smallest first; a third of it would do for a moving ball
AUDIO_BPS = 32_000

_VIDEO_CLOCK = Fraction(1, 90_000)
_NEVER = 1 << 20  # frames between key frames that nobody asked for

_OPTIONS = {
    Codec.VP8: {
        "deadline": "realtime",
        "cpu-used": "8",  # fastest
        "lag-in-frames": "0",
        "error-resilient": "0",
        "noise-sensitivity": "0",
    },
    Codec.H264: {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "x264-params": "keyint=infinite:scenecut=0:repeat-headers=1",
    },
}
_ENCODERS = {Codec.VP8: "libvpx", Codec.H264: "libx264"}


@dataclass(frozen=True, slots=True)
class EncodedLayer:
    bitstream: bytes
    key_frame: bool


class VideoEncoder:
    """One source. Layer 0 is the smallest; the last has the size of the picture."""

    def __init__(
        self, codec: Codec, layers: int, width: int, height: int, layer_bps: tuple[int, int, int] = LAYER_BPS
    ) -> None:
        """`layers` is 1 to 3; `width` and `height` must halve that often to even numbers."""
        self._contexts = [
            _video_context(codec, width >> shift, height >> shift, layer_bps[2 - shift])
            for shift in reversed(range(layers))
        ]
        self._frames = 0

    def encode(self, planes: Planes, key_frame: bool) -> list[EncodedLayer]:
        """One frame in every layer, smallest first."""
        sizes = [planes]
        for _ in self._contexts[1:]:
            sizes.append(halved(sizes[-1]))
        pts = self._frames * 90_000 // FRAMES_PER_S
        self._frames += 1
        return [
            _encode(context, size, pts, key_frame)
            for context, size in zip(self._contexts, reversed(sizes), strict=True)
        ]


class AudioEncoder:
    """Opus, mono, 20 ms per packet."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate = SAMPLE_RATE
        context.layout = "mono"
        context.format = "s16"
        context.bit_rate = AUDIO_BPS
        context.options = {"application": "voip", "frame_duration": "20"}
        self._context = context
        self._samples = 0

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, FRAME_SAMPLES), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._samples
        frame.time_base = Fraction(1, SAMPLE_RATE)
        self._samples += FRAME_SAMPLES
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


def _video_context(codec: Codec, width: int, height: int, bit_rate: int) -> VideoCodecContext:
    context = av.CodecContext.create(_ENCODERS[codec], "w")
    assert isinstance(context, VideoCodecContext)
    context.width = width
    context.height = height
    context.pix_fmt = "yuv420p"
    context.time_base = _VIDEO_CLOCK
    context.framerate = Fraction(FRAMES_PER_S)
    context.bit_rate = bit_rate
    context.gop_size = _NEVER
    context.max_b_frames = 0
    context.thread_count = 1
    context.options = _OPTIONS[codec]
    return context


def _encode(context: VideoCodecContext, planes: Planes, pts: int, key_frame: bool) -> EncodedLayer:
    frame = av.VideoFrame.from_ndarray(
        np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, context.width), format="yuv420p"
    )
    frame.pts = pts
    frame.time_base = _VIDEO_CLOCK
    frame.pict_type = PictureType.I if key_frame else PictureType.NONE
    packets = context.encode(frame)
    return EncodedLayer(b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets))
