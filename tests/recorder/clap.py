"""A source whose pictures flash and whose sound beeps at known times, as packets of a journal; and what files show.

A `Stage` has publishers; each sends claps with a clock, a network and a codec of its own. `Stage.write` makes the
journal. Media is encoded once per codec and kept, as the same few seconds serve every test.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.container.input import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from recorder.config import JournalConfig, Sync
from recorder.journal import (
    AnyEvent,
    Epoch,
    Event,
    JournalWriter,
    Packet,
    ParticipantJoined,
    PayloadFormat,
    RecordingEnded,
    SenderReport,
    TrackStarted,
)
from sfu.core.types import SOUND_CODECS, Codec
from sfu.wire import rtp
from sfu.wire.ntp import ntp_from_unix
from sfu.wire.tap import SenderClock
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
MONOTONIC_S = 5000.0  # the machine's clock when the session begins
UNIX_S = 1_700_000_000.0
FRAME_S = 0.02
CLIP_S = 1.6  # has the first clap in it
PAYLOAD_TYPES = {Codec.VP8: 96, Codec.VP9: 98, Codec.H264: 102, Codec.AV1: 45, Codec.OPUS: 111}
FORMATS = {
    "video": tuple(PayloadFormat(PAYLOAD_TYPES[one], one.value, 90_000) for one in Codec if one not in SOUND_CODECS),
    "audio": (PayloadFormat(111, "opus", 48_000, 2),),
}
_ENCODERS = {Codec.VP8: "libvpx", Codec.H264: "libx264", Codec.VP9: "libvpx-vp9"}
_OPTIONS = {
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
    context = av.CodecContext.create(_ENCODERS[codec], "w")
    assert isinstance(context, VideoCodecContext)
    context.bit_rate, context.options = 300_000, _OPTIONS[codec]
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


Entries = list[Packet | SenderReport | Event]


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet on its way: `at_s` is the true time at which it leaves."""

    at_s: float
    entry: Packet


Network = Callable[[list[Sent]], Iterable[Packet]]


def plain(delay_s: float = 0.03) -> Network:
    return lambda sent: [one.entry._replace(at_s=one.at_s + delay_s) for one in sent]


def rough(seed: int, *, loss: float = 0.0, burst: float = 3.0, resent: float = 0.0, jitter_s: float = 0.02) -> Network:
    """Jitter that reorders; loss in bursts of this mean length, `resent` of which come back as retransmissions."""

    def carry(sent: list[Sent]) -> Iterable[Packet]:
        random = Random(seed)
        lost = False
        for one in sent:
            lost = random.random() < (1 - 1 / burst if lost else loss / burst / (1 - loss))
            at_s = one.at_s + 0.03 + random.random() * jitter_s
            if not lost:
                yield one.entry._replace(at_s=at_s)
            elif random.random() < resent:
                yield one.entry._replace(at_s=at_s + 0.1 + random.random() * 0.2, recovered=True)

    return carry


@dataclass(slots=True)
class Publisher:
    """Sends from `from_s` to `until_s` of the session. `ppm`: how much faster its clocks run."""

    identity: str
    codec: Codec | None = Codec.VP8
    from_s: float = 0.0
    until_s: float = 10.0
    ppm: float = 0.0
    ntp_offset_s: float = 1234.5  # its calendar is wrong
    network: Network = field(default_factory=plain)
    sound: bool = True
    reports: bool = True
    first: int = 1  # its track numbers: this, and the next
    silent: tuple[tuple[float, float], ...] = ()  # nothing is sent; pictures go on with a key frame
    quiet: tuple[tuple[float, float], ...] = ()  # no sound is sent
    jump: tuple[float, int] | None = None  # at this time RTP timestamps leap by so many seconds
    seed: int = 1
    ids: str = ""  # of its tracks; those of another to come back as it
    size: tuple[int, int] = (WIDTH, HEIGHT)
    clips: tuple[float, ...] = ()  # instead of all: the first CLIP_S again and again, at these times; reports each 5 s
    later: tuple[float, tuple[tuple[bytes, bool], ...]] | None = None  # from this time on, these encoded pictures

    def entries(self) -> Entries:
        random = Random(self.seed)
        found: Entries = [Event(0, self.from_s, ParticipantJoined(self.identity, self.identity.title()))]
        name = self.ids or f"{self.identity}{self.first}"
        if self.codec is not None:
            started = TrackStarted(f"{name}-v", self.identity, "video", "camera", "t", FORMATS["video"])
            found.append(Event(self.first, self.from_s, started))
            media = self._repeated(self._pictures()) if self.clips else self._pictures()
            found += self._stream(self.first, media, 90_000, random)
        if self.sound:
            started = TrackStarted(f"{name}-a", self.identity, "audio", "microphone", "t", FORMATS["audio"])
            found.append(Event(self.first + 1, self.from_s, started))
            media = self._repeated(self._sounds()) if self.clips else self._sounds()
            found += self._stream(self.first + 1, media, 48_000, random)
        return found

    def _repeated(self, media: Iterable[tuple[float, int, list[bytes]]]) -> Iterable[tuple[float, int, list[bytes]]]:
        clip = list(media)
        return [(begin + at_s, kind, payloads) for begin in self.clips for at_s, kind, payloads in clip]

    def _pictures(self) -> Iterable[tuple[float, int, list[bytes]]]:
        assert self.codec is not None
        begun = False
        for number, (bitstream, key_frame) in enumerate(pictures(self.codec, self._length_s, *self.size)):
            at_s = number / FPS
            if self.later is not None and at_s >= self.later[0]:
                bitstream, key_frame = self.later[1][number]
            silent = at_s < self.from_s or _is_within(at_s, self.silent)
            begun = not silent and (begun or key_frame)
            if begun:
                yield at_s, PAYLOAD_TYPES[self.codec], payloads_of(self.codec, bitstream, number, key_frame)

    def _sounds(self) -> Iterable[tuple[float, int, list[bytes]]]:
        for number, packet in enumerate(sounds(self._length_s)):
            at_s = number * FRAME_S
            if at_s >= self.from_s and not _is_within(at_s, self.silent + self.quiet):
                yield at_s, PAYLOAD_TYPES[Codec.OPUS], [packet]

    @property
    def _length_s(self) -> float:
        return CLIP_S if self.clips else self.until_s

    def _own_s(self, at_s: float) -> float:
        return at_s * (1 + self.ppm / 1e6)

    def _timestamp(self, at_s: float, base: int, clock_rate: int) -> int:
        leapt = self.jump[1] * clock_rate if self.jump and at_s >= self.jump[0] else 0
        return (base + round(self._own_s(at_s) * clock_rate) + leapt) & 0xFFFFFFFF

    def _stream(
        self, track: int, media: Iterable[tuple[float, int, list[bytes]]], clock_rate: int, random: Random
    ) -> list[Packet | SenderReport]:
        ssrc, base = random.getrandbits(32) | 1, random.getrandbits(32)
        number = random.randrange(30_000)
        sent: list[Sent] = []
        for at_s, payload_type, payloads in media:
            for index, payload in enumerate(payloads):
                packet = rtp.build(
                    payload_type=payload_type,
                    sequence_number=number & 0xFFFF,
                    timestamp=self._timestamp(at_s, base, clock_rate),
                    ssrc=ssrc,
                    payload=payload,
                    marker=index == len(payloads) - 1,
                )
                sent.append(Sent(at_s + index * 1e-4, Packet(track, 0, False, number, at_s, packet)))
                number += 1
        found: list[Packet | SenderReport] = list(self.network(sent))
        at_s = self.from_s + 0.5
        until_s, every_s = (self.clips[-1] + 290, 5.0) if self.clips else (self.until_s, 1.0)
        while self.reports and at_s < until_s:
            ntp = ntp_from_unix(UNIX_S + self.ntp_offset_s + self._own_s(at_s))
            clock = SenderClock(ntp, self._timestamp(at_s, base, clock_rate), ssrc)
            found.append(SenderReport(track, 0, at_s + 0.03 + random.random() * 0.004, clock))
            at_s += every_s
        return found


def _is_within(at_s: float, spans: tuple[tuple[float, float], ...]) -> bool:
    return any(begin <= at_s < end for begin, end in spans)


@dataclass(slots=True)
class Stage:
    publishers: list[Publisher]
    events: list[tuple[float, int, AnyEvent]] = field(default_factory=list)
    until_s: float = 10.0
    ended: bool = True
    more: Entries = field(default_factory=list)

    def entries(self) -> Entries:
        found = [*self.more, *(entry for publisher in self.publishers for entry in publisher.entries())]
        found += [Event(track, at_s, event) for at_s, track, event in self.events]
        if self.ended:
            found.append(Event(0, self.until_s, RecordingEnded("stopped")))
        return sorted(found, key=lambda entry: (entry.at_s, isinstance(entry, Packet)))

    def write(self, directory: Path) -> Path:
        """The recording's directory, with a journal in it."""
        epoch = Epoch("rec1", "standup", "boot", MONOTONIC_S, UNIX_S)
        writer = JournalWriter(directory / "journal", JournalConfig(sync=Sync.NEVER), epoch)
        for entry in self.entries():
            at_s = MONOTONIC_S + entry.at_s
            if isinstance(entry, Packet):
                writer.packet(entry.track, entry.layer, entry.sequence_number, at_s, entry.rtp, entry.recovered)
            elif isinstance(entry, SenderReport):
                writer.sender_report(entry.track, entry.layer, at_s, entry.clock)
            else:
                writer.event(at_s, entry.event, entry.track)
        writer.close(MONOTONIC_S + self.until_s)
        return directory


def changed(publisher: Publisher, **changes: object) -> Publisher:
    return replace(publisher, **changes)  # type: ignore[arg-type]


# --- what a file shows ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Seen:
    """`numbers`: (time, frame number) of each picture whose strip can be read. Times are the file's own."""

    flashes: list[float] = field(default_factory=list)
    beeps: list[float] = field(default_factory=list)
    numbers: list[tuple[float, int]] = field(default_factory=list)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    video_end_s: float = 0.0
    audio_end_s: float = 0.0
    largest_audio_hole_s: float = 0.0


def watch(path: Path) -> Seen:
    """Decodes a whole file. What cannot be decoded is not there."""
    seen = Seen()
    with av.open(str(path)) as opened:
        if opened.streams.video:
            _watch_pictures(_decoded(opened, opened.streams.video[0]), seen)
    with av.open(str(path)) as opened:
        if opened.streams.audio:
            _listen(_decoded(opened, opened.streams.audio[0]), seen)
    return seen


def beep_near(path: Path, at_s: float) -> float:
    """When a beep begins, within half a second of `at_s`; infinity when there is none. Reads no more than that."""
    with av.open(str(path)) as opened:
        stream = opened.streams.audio[0]
        opened.seek(int((at_s - 1.0) / float(stream.time_base or 1)), stream=stream)
        for frame in _decoded(opened, stream):
            loud = np.flatnonzero(np.abs(_mono(frame)) > 0.2)
            if len(loud) and frame.time >= at_s - 0.5:
                return float(frame.time) + float(loud[0]) / 48_000
            if frame.time > at_s + 0.5:
                break
    return float("inf")


def _decoded(opened: InputContainer, stream: Any) -> Iterable[Any]:
    for packet in opened.demux(stream):
        with contextlib.suppress(av.error.InvalidDataError):
            yield from packet.decode()


def _watch_pictures(frames: Iterable[av.VideoFrame], seen: Seen) -> None:
    bright = False
    for frame in frames:
        assert frame.time is not None
        luma: NDArray[np.uint8] = np.asarray(frame.to_ndarray(format="gray"), np.uint8)
        was, bright = bright, bool(_middle(luma).mean() > 150)
        if bright and not was:
            seen.flashes.append(frame.time)
        mark = strip.read(luma)
        if mark is not None:
            seen.numbers.append((frame.time, mark.frame_number))
        seen.sizes.add((frame.width, frame.height))
        seen.video_end_s = frame.time


def _middle(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Above the strip, and within the bars beside an upright picture."""
    height, width = luma.shape
    return luma[height // 8 : height // 2, width * 2 // 5 : width * 3 // 5]


def _mono(frame: av.AudioFrame) -> NDArray[np.float32]:
    samples = frame.to_ndarray()
    channels = samples if frame.format.is_planar else samples.reshape(-1, len(frame.layout.channels)).T
    mono = channels.mean(axis=0)
    if np.issubdtype(samples.dtype, np.integer):
        mono = mono / (1 << (8 * samples.dtype.itemsize - 1))
    return np.asarray(mono, np.float32)


def _listen(frames: Iterable[av.AudioFrame], seen: Seen) -> None:
    pieces: list[NDArray[np.float32]] = []
    expected_s: float | None = None
    for frame in frames:
        mono = _mono(frame)
        assert frame.time is not None
        if expected_s is not None:
            seen.largest_audio_hole_s = max(seen.largest_audio_hole_s, abs(frame.time - expected_s))
        expected_s = frame.time + frame.samples / 48_000
        pieces.append(mono)
    if not pieces:
        return
    sound = np.concatenate(pieces)
    seen.audio_end_s = len(sound) / 48_000
    loud = np.flatnonzero(np.abs(sound) > 0.2)
    if len(loud):
        begins = np.concatenate([[True], np.diff(loud) > 24_000])
        seen.beeps = [float(one) / 48_000 for one in loud[begins]]


def worst(found: list[float], expected: list[float]) -> float:
    """The largest difference, when each expected moment was found; else infinity."""
    if len(found) != len(expected):
        return float("inf")
    return max((abs(one - other) for one, other in zip(found, expected, strict=True)), default=0.0)
