"""A file of decoded and newly encoded media: one size and codec, continuous sound, both from session time 0 on.

frames ─► PictureDecoder ─► canvas ─► PictureTrack: time stamps, repeats, slates ─► encoder ─┐
frames ─► LaidSound ─► SoundTrack: encoder ─────────────────────────────────────────────────┴─► Output
"""

from __future__ import annotations

from pathlib import Path

from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from recorder.config import FilesConfig
from recorder.files.canvas import fitted, slate
from recorder.files.decoding import VIDEO_CLOCK, PictureDecoder
from recorder.files.laying import LaidSound, sound_frame
from recorder.files.output import Output
from recorder.media.layers import TimedFrame
from recorder.media.sound import RATE, Samples

_TICKS = VIDEO_CLOCK.denominator
_LAST_FRAME_S = 0.04  # before the end the picture is written once more, so that it lasts as long as the sound


class PictureTrack:
    """Encodes pictures at their times, and what stands for them when there are none."""

    def __init__(self, output: Output, stream: VideoStream, size: tuple[int, int], name: str, config: FilesConfig):
        self._output = output
        self._stream = stream
        self._size = size
        self._config = config
        self._slate = slate(size, name)
        self._decoders: dict[str, PictureDecoder] = {}
        self._picture: VideoFrame | None = None
        self._seen_s = 0.0  # when the last real picture was
        self._written_s = -1.0
        self._written_ticks = -1
        self._key_s = -1e9
        self._held: Packet[VideoStream] | None = None
        self.late = 0

    def place(self, track: str, timed: TimedFrame) -> bool:
        """Whether it could be decoded; what only must wait for a key frame counts as such."""
        decoder = self._decoders.setdefault(track, PictureDecoder())
        failed = decoder.failed
        for frame in decoder.decode(timed.frame, round(timed.at_s * _TICKS)):
            at_s = (frame.pts if frame.pts is not None else round(timed.at_s * _TICKS)) / _TICKS
            self._fill(at_s - 0.001)
            self._picture = fitted(frame, self._size)
            self._seen_s = at_s
            self._write(self._picture, at_s)
        return decoder.failed == failed

    def advance(self, settled_s: float) -> None:
        self._fill(settled_s)

    def finish(self, end_s: float) -> None:
        self._fill(end_s)
        last_s = end_s - _LAST_FRAME_S
        if self._written_s < last_s:
            self._write(self._standing(last_s), last_s)
        for packet in self._stream.encode(None):
            self._hold(packet)
        self._mux_held(round(end_s * _TICKS))

    def _fill(self, until_s: float) -> None:
        """Repeats what stands there. Sessions begin with a picture, too."""
        if self._written_s < 0 <= until_s:
            self._write(self._slate, 0.0)
        while self._written_s >= 0 and (next_s := self._next_repeat_s()) < until_s:
            self._write(self._standing(next_s), next_s)

    def _next_repeat_s(self) -> float:
        turns_s = self._seen_s + self._config.hold_s
        repeat_s = self._written_s + self._config.repeat_s
        return turns_s if self._written_s < turns_s < repeat_s else repeat_s

    def _standing(self, at_s: float) -> VideoFrame:
        held = self._picture is not None and at_s < self._seen_s + self._config.hold_s
        return self._picture if held and self._picture is not None else self._slate

    def _write(self, picture: VideoFrame, at_s: float) -> None:
        if at_s <= self._written_s:
            self.late += 1
            return
        # What is due less than a tick after the last follows it: containers take no two pictures of one time.
        self._written_ticks = max(round(at_s * _TICKS), self._written_ticks + 1)
        picture.pts = self._written_ticks
        picture.time_base = VIDEO_CLOCK
        key = at_s - self._key_s >= self._config.key_frame_interval_s
        picture.pict_type = PictureType.I if key else PictureType.NONE
        if key:
            self._key_s = at_s
        self._written_s = at_s
        for packet in self._stream.encode(picture):
            self._hold(packet)

    def _hold(self, packet: Packet[VideoStream]) -> None:
        """Until the next says how long it is shown: what an encoder guesses makes a file longer than the session."""
        if packet.pts is not None:
            self._mux_held(packet.pts)
        self._held = packet

    def _mux_held(self, until: int) -> None:
        if self._held is not None and self._held.pts is not None:
            self._held.duration = max(1, until - self._held.pts)
            self._output.mux([self._held])
            self._held = None


class SoundTrack:
    """Encodes one continuous line of sound. The last piece is held: a packet may be longer than the session."""

    def __init__(self, output: Output, stream: AudioStream):
        self._output = output
        self._stream = stream
        self._encoded = 0
        self._held: list[Samples] = []
        self._laid = LaidSound()

    def place(self, track: str, timed: TimedFrame) -> bool:
        """Whether it could be decoded."""
        failed = self._laid.failed
        self._take(self._laid.place(track, timed))
        return self._laid.failed == failed

    def advance(self, settled_s: float) -> None:
        self._take(self._laid.line.fill(int(settled_s * RATE)))

    def finish(self, end_s: float) -> None:
        end = round(end_s * RATE)
        self._held += self._laid.line.fill(end)
        for samples in self._held:
            self._encode(samples[: max(0, end - self._encoded)])
        self._output.mux(self._stream.encode(None))

    def _take(self, pieces: list[Samples]) -> None:
        self._held += pieces
        while len(self._held) > 1:
            self._encode(self._held.pop(0))

    def _encode(self, samples: Samples) -> None:
        if len(samples):
            self._output.mux(self._stream.encode(sound_frame(samples, self._encoded)))
            self._encoded += len(samples)


class DecodedFile:
    """`size` is `None` for a file without pictures. Methods raise OSError (av's included) when the disk refuses."""

    start_s = 0.0

    def __init__(
        self, path: Path, container: str, config: FilesConfig, *, name: str, size: tuple[int, int] | None, sound: bool
    ) -> None:
        self.output = Output(path, container)
        self.size = size
        self.pictures: PictureTrack | None = None
        self.sound: SoundTrack | None = None
        if size is not None:
            stream = self.output.add_picture_encoder(size, config)
            self.pictures = PictureTrack(self.output, stream, size, name, config)
        if sound:
            self.sound = SoundTrack(self.output, self.output.add_sound_encoder(config))

    def place(self, track: str, kind: str, timed: TimedFrame) -> bool:
        """Whether the frame could be decoded; one that this file does not show counts as such."""
        if kind == "audio":
            return self.sound is None or self.sound.place(track, timed)
        return self.pictures is None or self.pictures.place(track, timed)

    def advance(self, settled_s: float) -> None:
        for part in (self.pictures, self.sound):
            if part is not None:
                part.advance(settled_s)

    def finish(self, end_s: float) -> None:
        for part in (self.pictures, self.sound):
            if part is not None:
                part.finish(end_s)
        self.output.close()

    def abandon(self) -> None:
        self.output.discard()
