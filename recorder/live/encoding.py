"""Pictures and sound to fragments that end where they are told to. PyAV; blocking."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from recorder.files.laying import sound_frame
from recorder.live import boxes
from recorder.live.boxes import AUDIO_TIMESCALE, AUDIO_TRACK, VIDEO_TIMESCALE, VIDEO_TRACK, Run, Sample
from recorder.live.config import LiveConfig
from recorder.media.sound import Samples
from signaling.client.packetising import nal_units

# An AAC encoder gives a frame when it has seen the next two: so much sound it is fed beyond a part's end.
LOOK_AHEAD_SAMPLES = 4096
_FRAME_SAMPLES = 1024
_SPS, _PPS = 7, 8  # types of NAL units
_PIXELS = 1280 * 720  # that LiveConfig's rates are for


class _Packet(NamedTuple):
    at: int  # in its track's timescale
    is_sync: bool
    content: bytes


class FragmentEncoder:
    """One run: pictures and sound without a break from `position` samples of the session on."""

    def __init__(self, size: tuple[int, int], config: LiveConfig, position: int) -> None:
        self._pictures = _picture_encoder(size, config)
        self._sound = _sound_encoder(config)
        self._encoded = self._begin = position
        self._video: list[_Packet] = []
        self._audio: list[_Packet] = []
        self._number = 0
        units = {unit[0] & 31: unit for unit in nal_units(self._pictures.extradata or b"")}
        # Two bytes say all; what FFmpeg puts behind repeats it for decoders of another kind.
        self.beginning = boxes.beginning(size, (units[_SPS], units[_PPS]), (self._sound.extradata or b"")[:2])

    def picture(self, frame: VideoFrame, at_s: float, *, key: bool) -> None:
        frame.pts, frame.time_base = round(at_s * VIDEO_TIMESCALE), Fraction(1, VIDEO_TIMESCALE)
        frame.pict_type = PictureType.I if key else PictureType.NONE
        for packet in self._pictures.encode(frame):
            assert packet.pts is not None
            content = boxes.with_lengths(nal_units(bytes(packet)))
            self._video.append(_Packet(packet.pts, packet.is_keyframe, content))

    def sound(self, samples: Samples) -> None:
        """What follows."""
        for packet in self._sound.encode(sound_frame(samples, self._encoded)):
            assert packet.pts is not None
            if packet.pts >= self._begin:  # before it there is only the encoder's own delay
                self._audio.append(_Packet(packet.pts, True, bytes(packet)))
        self._encoded += len(samples)

    def fragment(self, end_s: float) -> bytes:
        """All pictures, which end there, and the sound that begins before."""
        end = round(end_s * VIDEO_TIMESCALE)
        nexts = [packet.at for packet in self._video[1:]] + [end]
        video = [Sample(to - one.at, one.is_sync, one.content) for one, to in zip(self._video, nexts, strict=True)]
        due = [one for one in self._audio if one.at < round(end_s * AUDIO_TIMESCALE)]
        audio = [Sample(_FRAME_SAMPLES, True, one.content) for one in due]
        runs = [Run(VIDEO_TRACK, self._video[0].at, video)] if video else []
        runs += [Run(AUDIO_TRACK, due[0].at, audio)] if due else []
        self._video.clear()
        del self._audio[: len(due)]
        self._number += 1
        return boxes.fragment(self._number, runs)


def _picture_encoder(size: tuple[int, int], config: LiveConfig) -> VideoCodecContext:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, VIDEO_TIMESCALE)
    context.thread_count = 1
    context.max_b_frames = 0
    context.gop_size = 1 << 20  # key frames come by time, not by number
    context.flags |= Flags.global_header
    most_bps = max(200_000, config.video_bps * size[0] * size[1] // _PIXELS)
    context.options = {
        "preset": config.x264_preset,
        "tune": "zerolatency",
        "profile": "main",
        "crf": str(config.quality),
        "maxrate": str(most_bps),
        "bufsize": str(round(most_bps * config.buffer_s)),
        "x264-params": "scenecut=0",
    }
    context.open()
    return context


def _sound_encoder(config: LiveConfig) -> AudioCodecContext:
    context = av.CodecContext.create("aac", "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format = AUDIO_TIMESCALE, "stereo", "fltp"
    context.bit_rate = config.audio_bps
    context.time_base = Fraction(1, AUDIO_TIMESCALE)
    context.flags |= Flags.global_header
    context.open()
    return context
