"""Who claps, and over what: the packets of publishers as a journal has them.

A `Stage` has publishers; each sends claps with a clock, a network and a codec of its own. `Stage.write` makes the
journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from recorder.config import JournalConfig, Sync
from recorder.journal import (
    AnyEvent,
    Epoch,
    Event,
    JournalWriter,
    Packet,
    ParticipantJoined,
    RecordingEnded,
    SenderReport,
    TrackStarted,
)
from sfu.core.types import Codec
from sfu.wire import extensions, rtp
from sfu.wire.ntp import ntp_from_unix
from sfu.wire.tap import SenderClock
from tests.recorder.clap import (
    CLIP_S,
    FORMATS,
    FPS,
    FRAME_S,
    HEIGHT,
    KEY_FRAME_EVERY,
    PAYLOAD_TYPES,
    WIDTH,
    payloads_of,
    pictures,
    sounds,
)

MONOTONIC_S = 5000.0  # the machine's clock when the session begins
UNIX_S = 1_700_000_000.0
CAPTURE_TIME_ID = 12  # of its header extension
CAPTURE_TIME_EVERY = 20  # packets
ORIENTATION_ID = 13

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
    sound_named_late_s: tuple[float, float] = (0.0, 0.0)  # by reports, which pair its RTP times with later ones
    tells_captures: bool = False  # twenty packets apart, by abs-capture-time
    first: int = 1  # its track numbers: this, and the next
    silent: tuple[tuple[float, float], ...] = ()  # nothing is sent; pictures go on with a key frame
    quiet: tuple[tuple[float, float], ...] = ()  # no sound is sent
    jump: tuple[float, int] | None = None  # at this time RTP timestamps leap by so many seconds
    seed: int = 1
    ids: str = ""  # of its tracks; those of another to come back as it
    size: tuple[int, int] = (WIDTH, HEIGHT)
    clips: tuple[float, ...] = ()  # instead of all: the first CLIP_S again and again, at these times; reports each 5 s
    later: tuple[float, tuple[tuple[bytes, bool], ...]] | None = None  # from this time on, these encoded pictures
    orientations: tuple[tuple[float, extensions.Orientation], ...] = ()  # from these times on, its pictures are so

    def entries(self) -> Entries:
        random = Random(self.seed)
        found: Entries = [Event(0, self.from_s, ParticipantJoined(self.identity, self.identity.title()))]
        name = self.ids or f"{self.identity}{self.first}"
        if self.codec is not None:
            captures = CAPTURE_TIME_ID if self.tells_captures else 0
            turns = ORIENTATION_ID if self.orientations else 0
            started = TrackStarted(
                f"{name}-v", self.identity, "video", "camera", "t", FORMATS["video"], (), captures, turns
            )
            found.append(Event(self.first, self.from_s, started))
            media = self._repeated(self._pictures()) if self.clips else self._pictures()
            found += self._stream(self.first, media, 90_000, random)
        if self.sound:
            captures = CAPTURE_TIME_ID if self.tells_captures else 0
            started = TrackStarted(
                f"{name}-a", self.identity, "audio", "microphone", "t", FORMATS["audio"], (), captures
            )
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

    def _ntp(self, at_s: float) -> int:
        return ntp_from_unix(UNIX_S + self.ntp_offset_s + self._own_s(at_s))

    def _extensions(self, at_s: float, number: int, of_pictures: bool, is_last: bool) -> bytes:
        """What a packet of this number says; `is_last`: of its picture."""
        elements = []
        if self.tells_captures and number % CAPTURE_TIME_EVERY == 0:
            elements.append((CAPTURE_TIME_ID, self._ntp(at_s).to_bytes(8, "big")))
        if of_pictures and is_last and self.orientations:
            # On key frames, and where it changed (3GPP TS 26.114 §7.4.5).
            now, before = (self._orientation(moment_s) for moment_s in (at_s, at_s - 1 / FPS))
            if now != before or round(at_s * FPS) % KEY_FRAME_EVERY == 0:
                elements.append((ORIENTATION_ID, extensions.pack_orientation(now)))
        return extensions.pack(elements) if elements else b""

    def _orientation(self, at_s: float) -> extensions.Orientation:
        reached = [orientation for from_s, orientation in self.orientations if from_s <= at_s + 1e-6]
        return reached[-1] if reached else extensions.UPRIGHT

    def _stream(
        self, track: int, media: Iterable[tuple[float, int, list[bytes]]], clock_rate: int, random: Random
    ) -> list[Packet | SenderReport]:
        ssrc, base = random.getrandbits(32) | 1, random.getrandbits(32)
        number = random.randrange(30_000)
        sent: list[Sent] = []
        for at_s, payload_type, payloads in media:
            for index, payload in enumerate(payloads):
                is_last = index == len(payloads) - 1
                packet = rtp.build(
                    payload_type=payload_type,
                    sequence_number=number & 0xFFFF,
                    timestamp=self._timestamp(at_s, base, clock_rate),
                    ssrc=ssrc,
                    payload=payload,
                    marker=is_last,
                    extension=self._extensions(at_s, number, clock_rate == 90_000, is_last),
                )
                sent.append(Sent(at_s + index * 1e-4, Packet(track, 0, False, number, at_s, packet)))
                number += 1
        found: list[Packet | SenderReport] = list(self.network(sent))
        at_s = self.from_s + 0.5
        until_s, every_s = (self.clips[-1] + 290, 5.0) if self.clips else (self.until_s, 1.0)
        while self.reports and at_s < until_s:
            late_s = random.uniform(*self.sound_named_late_s) if clock_rate == 48_000 else 0.0
            clock = SenderClock(self._ntp(at_s), self._timestamp(at_s - late_s, base, clock_rate), ssrc)
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
