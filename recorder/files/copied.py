"""A file of the publisher's own bitstreams, not decoded: hardly more work than reading the journal.

What costs is what cannot be done without decoding:
- Pictures change size where the publisher or the chosen layer did. VP8, VP9 and AV1 say so in the stream, which WebM
  permits and players follow. H.264 says so in parameter sets, which MP4 has once, in front: a new file begins.
- Another codec, or a first picture that comes long after the sound, begins a new file, too.
- How pictures are to be turned is listed beside the file. MP4 has one turn for all of them, which players follow: that
  of the first, and a key frame that is to be turned otherwise begins a new file. WebM has none that all players know.
- Silence is made of Opus packets that say so; a publisher's fast or slow clock is followed by 20 ms at a time.
"""

from __future__ import annotations

import io
import math
import struct
from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
from av.audio.stream import AudioStream
from av.container.input import InputContainer
from av.video.stream import VideoStream

from recorder.config import FilesConfig
from recorder.files.output import Output
from recorder.media import opus
from recorder.media.frames import EncodedFrame, GapReason
from recorder.media.layers import TimedFrame
from sfu.core.types import Codec
from sfu.wire.extensions import UPRIGHT, Orientation

_CONTAINERS = {Codec.VP8: "webm", Codec.VP9: "webm", Codec.AV1: "webm", Codec.H264: "mp4"}
_FOURCC = {Codec.VP8: b"VP80", Codec.VP9: b"VP90", Codec.AV1: b"AV01"}
_MS = Fraction(1, 1000)
_SAMPLE = Fraction(1, opus.CLOCK_RATE)
_HELD_MS = 500  # so long a picture waits for the next; less than streams may come apart (max_interleave_delta)
_LEAP = 960  # samples: how far the line of packets may be from the clock before a packet is put in or left out


class Placed(NamedTuple):
    """A packet of sound at a number of samples of the session, and as long."""

    position: int
    packet: bytes
    samples: int


class PacketLine:
    """Lays Opus packets on the session's time line without a hole. The counterpart of media/sound.py."""

    def __init__(self, position: int) -> None:
        self.position = position

    def place(self, at_s: float, packet: bytes, samples: int, unbroken: bool) -> list[Placed]:
        ahead = round(at_s * opus.CLOCK_RATE) - self.position
        if ahead <= -_LEAP or (not unbroken and ahead < -samples // 2):
            return []
        placed = []
        if ahead >= _LEAP or not unbroken:
            placed = self.fill(self.position + ahead)
        placed.append(Placed(self.position, packet, samples))
        self.position += samples
        return placed

    def fill(self, until: int) -> list[Placed]:
        """Silence up to there, but for a rest below 2.5 ms."""
        placed = []
        for samples in opus.SILENCE_SAMPLES:
            while until - self.position >= samples:
                placed.append(Placed(self.position, opus.silence(samples), samples))
                self.position += samples
        return placed


class Turn(NamedTuple):
    """From this time of the session on, pictures are to be turned so, whatever the container says."""

    at_s: float
    orientation: Orientation


class CopiedFile:
    """One file, of one codec, from `start_s` of the session on: its time 0. Raises OSError (av's included)."""

    size: tuple[int, int] | None = None

    def __init__(self, path: Path, start_s: float, first_picture: EncodedFrame | None, config: FilesConfig) -> None:
        self.start_s = start_s
        self.orientation = UPRIGHT if first_picture is None else first_picture.orientation
        self.turns = [Turn(start_s, self.orientation)] if self.orientation != UPRIGHT else []
        self._most_turns = config.turns_per_file
        self.container_turns = 0  # quarters, clockwise: what players do by themselves
        self.codec = None if first_picture is None else first_picture.codec
        self.parameter_sets = b"" if first_picture is None else parameter_sets(first_picture)
        self.output = Output(path, "ogg" if self.codec is None else _CONTAINERS[self.codec])
        self._video: VideoStream | None = None
        if first_picture is not None:
            with _template(first_picture) as template:
                source = template.streams.video[0]
                self.size = (source.width, source.height)
                self._video = self.output.container.add_stream_from_template(source, opaque=True)
                self._video.time_base = _MS
                # What mirrors, too, is not understood by every player; then our own turn it, and nobody else.
                can_tell = self.output.container_name == "mp4" and not self.orientation.mirrored
                if can_tell and self.orientation.turns:
                    self.container_turns = self.orientation.turns
                    self._video.set_display_rotation(-90 * self.container_turns)
        # An encoder that encodes nothing: for the header it writes.
        sound = self.output.container.add_stream("libopus", rate=opus.CLOCK_RATE)
        assert isinstance(sound, AudioStream)
        sound.codec_context.layout = "stereo"
        sound.codec_context.bit_rate = config.audio_bps
        self._sound = sound
        self.output.container.start_encoding()
        self._start_sample = round(start_s * opus.CLOCK_RATE)
        self._written_ms = -1
        # The last of each, held until the next says how long it is, or the end does.
        self._sound_held: Placed | None = None
        self._picture_held: tuple[int, EncodedFrame] | None = None  # from which millisecond on

    def add_sound(self, placed: list[Placed]) -> None:
        for one in placed:
            if one.position >= self._start_sample:
                self._mux_sound()
                self._sound_held = one
                at_ms = (one.position - self._start_sample) * 1000 // opus.CLOCK_RATE
                if self._picture_held is not None and at_ms - self._picture_held[0] > _HELD_MS:
                    self._mux_picture(None)

    def close(self, end_s: float, *, is_last: bool) -> None:
        """The last picture is shown until `end_s`. A packet of sound cannot be cut: where the session ends (`is_last`),
        one that lies beyond by more than half of it is left out."""
        last = self._sound_held
        if is_last and last is not None and last.position + last.samples / 2 > end_s * opus.CLOCK_RATE:
            self._sound_held = None
        self._mux_sound()
        self._mux_picture(round((end_s - self.start_s) * 1000))
        self.output.close()

    def add_picture(self, timed: TimedFrame) -> None:
        at_ms = round((timed.at_s - self.start_s) * 1000)
        if self._picture_held is not None:
            self._mux_picture(max(at_ms, self._picture_held[0] + 1))
        self._picture_held = max(at_ms, self._written_ms + 1), timed.frame
        before, now = (self.turns[-1].orientation if self.turns else UPRIGHT), timed.frame.orientation
        if now != before and len(self.turns) < self._most_turns:
            self.turns.append(Turn(timed.at_s, now))

    def _mux_sound(self) -> None:
        if self._sound_held is not None:
            position, packet, samples = self._sound_held
            # The header says that a decoder's first samples mean nothing, and players leave those out; but what is
            # heard at a packet's time is still what was said before it.
            at = position - self._start_sample - opus.LOOK_AHEAD_SAMPLES
            self._mux(self._sound, packet, at, samples, _SAMPLE, key_frame=True)
            self._sound_held = None

    def _mux_picture(self, until_ms: int | None) -> None:
        """None: nobody knows how long it is shown."""
        if self._picture_held is not None and self._video is not None:
            at_ms, frame = self._picture_held
            duration = 0 if until_ms is None else max(1, until_ms - at_ms)
            self._mux(self._video, frame.bitstream, at_ms, duration, _MS, frame.key_frame)
            self._written_ms, self._picture_held = at_ms, None

    def _mux(
        self,
        stream: VideoStream | AudioStream,
        bitstream: bytes,
        pts: int,
        duration: int,
        time_base: Fraction,
        key_frame: bool,
    ) -> None:
        packet = av.Packet(bitstream)
        packet.stream = stream
        packet.time_base = time_base
        packet.pts = packet.dts = pts
        packet.duration = duration
        packet.is_keyframe = key_frame
        self.output.mux([packet])


class CopiedFiles:
    """The files of one participant, one after the other. `path_for(number)` is without an ending."""

    def __init__(self, stem: Path, config: FilesConfig, *, pictures: bool, wait_s: float) -> None:
        """`pictures`: there will be some; then the first sound waits for the first of them up to `wait_s`."""
        self._stem = stem
        self._config = config
        self._wait_s = wait_s if pictures else 0.0
        self._first_s = math.inf  # when he came: that may be an hour after the recording began
        self.files: list[CopiedFile] = []
        self._line = PacketLine(0)
        self._waiting: deque[Placed] = deque()
        self._next: dict[str, int] = {}

    def place(self, track: str, kind: str, timed: TimedFrame) -> bool:
        """Always true: nothing is decoded."""
        self._first_s = min(self._first_s, timed.at_s)
        if kind == "audio":
            frame = timed.frame
            samples = opus.duration_samples(frame.bitstream) or 0
            unbroken = self._next.get(track) == frame.timestamp and frame.gap is not GapReason.BEGIN
            self._next[track] = frame.timestamp + samples
            self._add_sound(self._line.place(timed.at_s, frame.bitstream, samples, unbroken))
        else:
            self._add_picture(timed)
        return True

    def advance(self, settled_s: float) -> None:
        self._add_sound(self._line.fill(int(settled_s * opus.CLOCK_RATE)))
        if not self.files and settled_s > self._first_s + self._wait_s:
            self._begin(0.0, None)

    def finish(self, end_s: float) -> None:
        self._add_sound(self._line.fill(round(end_s * opus.CLOCK_RATE)))
        if not self.files:
            self._begin(0.0, None)
        self.files[-1].close(end_s, is_last=True)

    def abandon(self) -> None:
        if self.files:
            self.files[-1].output.discard()

    def _add_sound(self, placed: list[Placed]) -> None:
        if self.files:
            self.files[-1].add_sound(placed)
        else:
            self._waiting += placed

    def _add_picture(self, timed: TimedFrame) -> None:
        frame = timed.frame
        current = self.files[-1] if self.files else None
        changed = current is None or current.codec is not frame.codec
        if current is not None and frame.codec is Codec.H264 and frame.key_frame and not changed:
            sets = parameter_sets(frame)
            changed = (bool(sets) and sets != current.parameter_sets) or frame.orientation != current.orientation
        if changed:
            if not frame.key_frame:
                return
            try:
                # The first file begins with the session, whatever came first in it.
                self._begin(timed.at_s if self.files else 0.0, frame)
            except (av.FFmpegError, IndexError):
                return  # no picture of this codec: the next key frame may be one
        self.files[-1].add_picture(timed)

    def _begin(self, start_s: float, first_picture: EncodedFrame | None) -> None:
        number = len(self.files) + 1
        ending = "ogg" if first_picture is None else _CONTAINERS[first_picture.codec]
        name = f"{self._stem.name}.{ending}" if number == 1 else f"{self._stem.name}-part{number}.{ending}"
        begun = CopiedFile(self._stem.parent / name, start_s, first_picture, self._config)
        if self.files:
            self.files[-1].close(start_s, is_last=False)
        self.files.append(begun)
        begun.add_sound(list(self._waiting))
        self._waiting.clear()


def parameter_sets(frame: EncodedFrame) -> bytes:
    """Of an H.264 access unit, in order; empty for other codecs."""
    if frame.codec is not Codec.H264:
        return b""
    units = frame.bitstream.split(b"\x00\x00\x00\x01")
    return b"".join(unit for unit in units if unit and unit[0] & 0x1F in (7, 8))


def _template(frame: EncodedFrame) -> InputContainer:
    """A stream such as a demuxer would find: FFmpeg reads size and parameter sets out of the first picture itself."""
    if frame.codec is Codec.H264:
        opened = av.open(io.BytesIO(frame.bitstream), "r", format="h264")
    else:
        header = struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, _FOURCC[frame.codec], 0, 0, 1000, 1, 1, 0)
        framed = struct.pack("<IQ", len(frame.bitstream), 0) + frame.bitstream
        opened = av.open(io.BytesIO(header + framed), "r", format="ivf")
    assert isinstance(opened, InputContainer)
    return opened
