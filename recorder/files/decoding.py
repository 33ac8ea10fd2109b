"""Decoders, by PyAV. What cannot be decoded is counted, not raised. Blocking; one thread."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from recorder.files.turning import turned
from recorder.media.frames import EncodedFrame
from recorder.media.sound import CHANNELS, RATE, Samples
from sfu.core.types import Codec

# libvpx shows the highest spatial layer of a VP9 picture alone; FFmpeg's own decoder would show each.
_DECODERS = {Codec.VP8: "vp8", Codec.VP9: "libvpx-vp9", Codec.H264: "h264", Codec.AV1: "libdav1d"}
VIDEO_CLOCK = Fraction(1, 90_000)
# Larger than any screen; a header that claims more would have us allocate gigabytes.
_MOST_PIXELS = 8192 * 8192


class PictureDecoder:
    """One track, through its codecs. After something undecodable it waits for a key frame."""

    def __init__(self) -> None:
        self._codec: Codec | None = None
        self._context: VideoCodecContext | None = None
        self.failed = 0
        self._awaiting_key_frame = True

    def decode(self, frame: EncodedFrame, pts: int) -> list[av.VideoFrame]:
        """Pictures with `pts` of VIDEO_CLOCK, turned upright; none while there is nothing to build on."""
        if frame.codec is not self._codec or self._context is None:
            self._codec = frame.codec
            self._context = _picture_context(frame.codec)
            self._awaiting_key_frame = True
        if self._awaiting_key_frame and not frame.key_frame:
            return []
        packet = av.Packet(frame.bitstream)
        packet.pts = packet.dts = pts
        packet.time_base = VIDEO_CLOCK
        try:
            pictures = self._context.decode(packet)
        except (av.FFmpegError, ValueError):
            return self._fail()
        if any(picture.width * picture.height > _MOST_PIXELS for picture in pictures):
            return self._fail()
        self._awaiting_key_frame = False
        # Decoders hold nothing back (low_delay), so what comes is of this frame.
        return [turned(picture, frame.orientation) for picture in pictures]

    def _fail(self) -> list[av.VideoFrame]:
        self.failed += 1
        self._context = None  # what it was told is not to be trusted
        return []


class SoundDecoder:
    """Opus to stereo at 48 kHz."""

    def __init__(self) -> None:
        self._context: AudioCodecContext | None = None
        self.failed = 0

    def decode(self, bitstream: bytes) -> Samples:
        """None when it cannot be decoded."""
        if self._context is None:
            self._context = _sound_context()
        packet = av.Packet(bitstream)
        packet.time_base = Fraction(1, RATE)
        try:
            frames = self._context.decode(packet)
        except (av.FFmpegError, ValueError):
            self.failed += 1
            self._context = None
            return np.empty((0, CHANNELS), np.int16)
        pieces = [frame.to_ndarray().reshape(-1, CHANNELS) for frame in frames]
        return np.concatenate(pieces) if pieces else np.empty((0, CHANNELS), np.int16)


def _picture_context(codec: Codec) -> VideoCodecContext:
    context = av.CodecContext.create(_DECODERS[codec], "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1  # more would hold pictures back, and the rest of the machine is needed
    context.flags |= Flags.low_delay
    return context


def _sound_context() -> AudioCodecContext:
    context = av.CodecContext.create("libopus", "r")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = RATE
    context.layout = "stereo"
    context.format = "s16"
    return context
