"""A container being written, such that it can be played while it grows and after its writer was killed.

MP4 is fragmented while it grows; closing makes an ordinary one of it (FFmpeg's hybrid_fragmented). Matroska and WebM
are flushed at each cluster; closing adds length and index. WAV, FLAC and Ogg are readable up to where they end.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.audio.stream import AudioStream
from av.container.output import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from recorder.config import FilesConfig
from recorder.files.decoding import VIDEO_CLOCK
from recorder.media.sound import RATE

# flush_packets: no byte waits in a buffer of FFmpeg's. max_interleave_delta: while one stream is silent the other is
# written after a second, not ten. bitexact: no version, no random segment ids: the same journal gives the same file.
_COMMON: Final = {"flush_packets": "1", "max_interleave_delta": "1000000", "fflags": "+bitexact"}
_MATROSKA: Final = _COMMON | {"cluster_time_limit": "1000"}
_OPTIONS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    # delay_moov: the edit list that takes out the audio encoder's delay can be written.
    "mp4": ("mp4", _COMMON | {"movflags": "+hybrid_fragmented+frag_keyframe+delay_moov"}),
    "mkv": ("matroska", _MATROSKA),
    "webm": ("webm", _MATROSKA),
    "wav": ("wav", _COMMON | {"rf64": "auto"}),  # beyond 4 GB
    "flac": ("flac", _COMMON),
    "ogg": ("ogg", _COMMON),
}
_VIDEO_ENCODERS: Final = {"mp4": "libx264", "mkv": "libx264", "webm": "libvpx"}
_AUDIO_ENCODERS: Final = {
    "mp4": "aac",
    "mkv": "libopus",
    "webm": "libopus",
    "wav": "pcm_s16le",
    "flac": "flac",
    "ogg": "libopus",
}
WITH_VIDEO: Final = frozenset(_VIDEO_ENCODERS)
CONTAINERS: Final = frozenset(_OPTIONS)


class Output:
    """Streams are added before the first packet."""

    def __init__(self, path: Path, container: str) -> None:
        """Raises OSError (av's included) when it cannot be opened."""
        self.path = path
        self.container_name = container
        format_name, options = _OPTIONS[container]
        opened = av.open(str(path), "w", format=format_name, options=options)
        assert isinstance(opened, OutputContainer)
        self.container = opened
        self._closed = False

    def add_picture_encoder(self, size: tuple[int, int], config: FilesConfig) -> VideoStream:
        encoder = _VIDEO_ENCODERS[self.container_name]
        stream = self.container.add_stream(encoder, rate=30)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base = VIDEO_CLOCK
        context.thread_count = 1
        context.max_b_frames = 0
        context.gop_size = 1 << 20  # key frames come by time, not by number
        if encoder == "libx264":
            context.options = {
                "preset": config.x264_preset,
                "tune": "zerolatency",  # nothing is held back that a kill would lose
                "crf": str(config.quality),
                "x264-params": "scenecut=0",
            }
        else:
            context.bit_rate = max(100_000, config.vp8_bps * size[0] * size[1] // (1280 * 720))
            context.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        return stream

    def add_sound_encoder(self, config: FilesConfig) -> AudioStream:
        stream = self.container.add_stream(_AUDIO_ENCODERS[self.container_name], rate=RATE)
        assert isinstance(stream, AudioStream)
        stream.codec_context.layout = "stereo"
        stream.codec_context.time_base = Fraction(1, RATE)
        if self.container_name not in ("wav", "flac"):
            stream.codec_context.bit_rate = config.audio_bps
        return stream

    def mux(self, packets: Sequence[Packet[Any]]) -> None:
        """Raises OSError (av's included) when the disk does not take them."""
        for packet in packets:
            self.container.mux_one(packet)

    def close(self) -> None:
        """Idempotent."""
        if not self._closed:
            self._closed = True
            self.container.close()

    def discard(self) -> None:
        """Closes as well as can be after an error."""
        try:
            self.close()
        except OSError:
            os.truncate(self.path, self.path.stat().st_size)  # what there is stays; it can still be read
