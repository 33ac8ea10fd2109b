"""Decoders by PyAV, as far as a listener needs them who checks rather than shows: brightness, samples, sizes.

Blocking: call from a worker thread, one call at a time per decoder. What cannot be decoded is counted, not raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from sfu.core.types import Codec
from signaling.demo.tone import SAMPLE_RATE

_DECODERS = {Codec.VP8: "vp8", Codec.H264: "h264"}


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    width: int
    height: int
    luma: NDArray[np.uint8]


class VideoDecoder:
    def __init__(self, codec: Codec) -> None:
        context = av.CodecContext.create(_DECODERS[codec], "r")
        assert isinstance(context, VideoCodecContext)
        context.thread_count = 1  # more threads would hold frames back
        self._context = context
        self.failed = 0

    def decode(self, bitstream: bytes) -> list[DecodedPicture]:
        try:
            frames = self._context.decode(av.Packet(bitstream))
        except av.FFmpegError:
            self.failed += 1
            return []
        return [DecodedPicture(frame.width, frame.height, _plane(frame.planes[0], frame)) for frame in frames]


class AudioDecoder:
    """Opus to mono at 48 kHz."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "r")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate = SAMPLE_RATE
        context.layout = "stereo"  # as SDP has it; the decoder brings mono to it
        self._context = context
        self.failed = 0

    def decode(self, bitstream: bytes) -> NDArray[np.float32]:
        """Samples from -1 to 1; none when the packet cannot be decoded."""
        packet = av.Packet(bitstream)
        packet.time_base = Fraction(1, SAMPLE_RATE)
        try:
            frames = self._context.decode(packet)
        except av.FFmpegError:
            self.failed += 1
            return np.empty(0, np.float32)
        pieces = [_left(frame) for frame in frames]
        return np.concatenate(pieces) if pieces else np.empty(0, np.float32)


def _plane(plane: VideoPlane, frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Without the padding at the end of each line."""
    padded: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return padded[: frame.height, : frame.width].copy()


def _left(frame: av.AudioFrame) -> NDArray[np.float32]:
    samples = frame.to_ndarray()
    channels = len(frame.layout.channels)
    left = samples[0] if frame.format.is_planar else samples[0, ::channels]
    if np.issubdtype(left.dtype, np.integer):
        return (left / 32768.0).astype(np.float32)
    return left.astype(np.float32)
