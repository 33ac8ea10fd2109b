"""What it costs to make files of a journal: two participants with real pictures and sound, in each mode.

CPU time, so a busy machine shows little of itself; it does show in the caches.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recorder.config import DEFAULT_CONTAINER, FilesConfig, JournalConfig, MediaConfig, Mode, Sync
from recorder.journal import Epoch, JournalWriter, ParticipantJoined, PayloadFormat, RecordingEnded, TrackStarted
from recorder.recovery import recover
from sfu.core.types import Codec
from sfu.wire import rtp
from signaling.client.packetising import vp8_payloads
from signaling.demo import tone
from signaling.demo.encoding import FRAMES_PER_S, AudioEncoder, VideoEncoder
from signaling.demo.picture import HEIGHT, WIDTH, Picture

PEOPLE: Final = ("ada", "bob")
MODES: Final = (Mode.COPY, Mode.DECODE)
SIZE: Final = (2 * WIDTH, 2 * HEIGHT)
_KEY_FRAME_EVERY: Final = 10 * FRAMES_PER_S
_VIDEO, _AUDIO = PayloadFormat(96, "VP8", 90_000), PayloadFormat(111, "opus", 48_000, 2)

Sent = tuple[float, int, int, list[bytes]]  # when, track, RTP time, payloads of a frame


def cost_s(seconds: float) -> dict[str, float]:
    """CPU seconds per second of a participant, by mode, of a recording of so many `seconds`."""
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory), seconds)
        return {mode: _make(Path(directory), mode) / seconds / len(PEOPLE) for mode in MODES}


def verdicts(costs: dict[str, float]) -> list[tuple[str, bool]]:
    size = f"{SIZE[0]} × {SIZE[1]}, {FRAMES_PER_S}/s"
    return [
        (f"files of a journal, {mode}: {3600 * cost:.0f} s of CPU per participant and hour ({size})", True)
        for mode, cost in costs.items()
    ]


def write(directory: Path, seconds: float) -> None:
    """A journal, as if both had been taken without a loss."""
    writer = JournalWriter(directory / "journal", JournalConfig(sync=Sync.NEVER), Epoch("cost", "cost", "", 0.0, 0.0))
    sent: list[Sent] = []
    for index, name in enumerate(PEOPLE):
        writer.event(0.0, ParticipantJoined(name, name))
        for kind, source, described in (("video", "camera", _VIDEO), ("audio", "microphone", _AUDIO)):
            track = 2 * index + (kind == "audio")
            writer.event(0.0, TrackStarted(f"{name}-{kind}", name, kind, source, name, (described,)), track)
        sent += [*_pictures(name, index, seconds), *_sounds(index, seconds)]
    numbers = [0] * (2 * len(PEOPLE))
    for at_s, track, timestamp, payloads in sorted(sent, key=lambda one: one[0]):
        for payload in payloads:
            packet = rtp.build(
                payload_type=(_AUDIO if track % 2 else _VIDEO).payload_type,
                sequence_number=numbers[track] & 0xFFFF,
                timestamp=timestamp,
                ssrc=track + 1,
                payload=payload,
                marker=payload is payloads[-1],
            )
            writer.packet(track, 0, numbers[track], at_s, packet, False)
            numbers[track] += 1
    writer.event(seconds, RecordingEnded("stopped"))
    writer.close(seconds)


def _pictures(name: str, index: int, seconds: float) -> Iterator[Sent]:
    picture, encoder = Picture(name, index), VideoEncoder(Codec.VP8, 1, *SIZE)
    for number in range(int(seconds * FRAMES_PER_S)):
        y, u, v = picture.planes(number, 0.0)
        (layer,) = encoder.encode((_doubled(y), _doubled(u), _doubled(v)), number % _KEY_FRAME_EVERY == 0)
        timestamp = number * 90_000 // FRAMES_PER_S
        yield number / FRAMES_PER_S, 2 * index, timestamp, vp8_payloads(layer.bitstream, number, number)


def _doubled(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return plane.repeat(2, axis=0).repeat(2, axis=1)


def _sounds(index: int, seconds: float) -> Iterator[Sent]:
    source, encoder = tone.Tone(tone.pitch_hz(index)), AudioEncoder()
    for number in range(int(seconds * tone.SAMPLE_RATE / tone.FRAME_SAMPLES)):
        at = number * tone.FRAME_SAMPLES
        yield at / tone.SAMPLE_RATE, 2 * index + 1, at, [encoder.encode(source.frame())]


def _make(directory: Path, mode: Mode) -> float:
    """CPU seconds."""
    began_s = time.process_time()
    recover(directory, MediaConfig(), FilesConfig(mode=mode, container=DEFAULT_CONTAINER[mode]))
    return time.process_time() - began_s
