"""What the files of a recorded call show: whose pictures, all of them or not, the right tone, and both at one time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from signaling.demo import strip, tone
from signaling.demo.encoding import FRAMES_PER_S

# Of pictures between the first and the last, of windows with sound. Bots of a busy machine leave beats out.
LEAST_SHARE = 0.9
# All files begin with the recording and are as long as it; a frame may be missing at the end.
LENGTHS_WITHIN_S = 0.3
# Of what was due at one time; a bot that was late itself by so much is granted that besides.
TOGETHER_WITHIN_S = 0.04
# Of all sources of all bots at once.
PAUSE_S = 0.6
PITCH_WITHIN_HZ = tone.STEP_HZ / 4
_WINDOW = tone.WINDOW_SAMPLES
_BLOCK = tone.FRAME_SAMPLES // 4  # 5 ms: how finely the end of a silence is found
_LEAST_SILENCE_BLOCKS = 20


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """`skew_s`: how much later the picture goes on than the sound after a pause of both, beyond how much later it was
    due; None: it cannot be seen. `late_s`: how late the bot itself sent something, at worst."""

    name: str
    path: str
    length_s: float
    pictures: int
    pictures_sent: int  # from the first to the last that is there
    skew_s: float | None
    late_s: float
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordingVerdict:
    directory: str
    files: tuple[FileVerdict, ...]
    faults: tuple[str, ...]  # of the recording as a whole, then of its files

    @property
    def ok(self) -> bool:
        return not self.faults

    def to_json(self) -> dict[str, object]:
        return {"ok": self.ok, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Sender:
    """A bot, and when its sound and picture went on after the pause, by its own clock; which picture was the first."""

    name: str
    number: int
    sound_on_s: float
    picture_on_s: float
    picture_on: int
    late_s: float


@dataclass(frozen=True, slots=True)
class Numbered:
    """A picture that could be read."""

    at_s: float
    mark: strip.Mark


def judge_file(path: Path, bot: Sender, length_s: float) -> FileVerdict:
    """`length_s`: of the recording. Decodes all of it. Raises OSError and av.FFmpegError."""
    sender = bot.number
    pictures, video_end_s = _pictures(path)
    samples = _samples(path)
    end_s = max(video_end_s, len(samples) / tone.SAMPLE_RATE)
    numbers = [one.mark.frame_number for one in pictures if one.mark.sender == sender]
    distinct = len(set(numbers))
    sent = numbers[-1] - numbers[0] + 1 if numbers else 0
    faults = []
    if abs(end_s - length_s) > LENGTHS_WITHIN_S:
        faults.append(f"it is {end_s:.2f} s long, the recording {length_s:.2f} s")
    if not numbers:
        faults.append("no picture can be read")
    elif distinct < LEAST_SHARE * sent:
        faults.append(f"{distinct} of {sent} pictures")
    if len(numbers) < len(pictures):
        faults.append("pictures of somebody else")
    if any(later < earlier for earlier, later in pairwise(numbers)):
        faults.append("pictures out of order")
    faults += _tone_faults(samples, tone.pitch_hz(sender))
    skew_s = _skew_s(pictures, samples, bot)
    if skew_s is None:
        faults.append("sound or picture does not go on after the pause")
    elif abs(skew_s) > TOGETHER_WITHIN_S + bot.late_s:
        faults.append(f"sound and picture are {1000 * skew_s:.0f} ms apart")
    return FileVerdict(bot.name, path.name, end_s, distinct, sent, skew_s, bot.late_s, tuple(faults))


def _pictures(path: Path) -> tuple[list[Numbered], float]:
    """Those with a strip, and when the last one ends."""
    found: list[Numbered] = []
    end_s = 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            at_s = frame.time or 0.0
            end_s = max(end_s, at_s + 1 / FRAMES_PER_S)
            mark = strip.read(np.asarray(frame.to_ndarray(format="gray"), np.uint8))
            if mark is not None:
                found.append(Numbered(at_s, mark))
    return found, end_s


def _samples(path: Path) -> NDArray[np.float32]:
    """Mono, from the file's time 0 on."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=tone.SAMPLE_RATE)
    pieces: list[NDArray[np.float32]] = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.audio[0]):
            if not pieces and frame.time:
                pieces.append(np.zeros(max(0, round(frame.time * tone.SAMPLE_RATE)), np.float32))
            pieces += [one.to_ndarray()[0] for one in resampler.resample(frame)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def _tone_faults(samples: NDArray[np.float32], expected_hz: float) -> list[str]:
    windows = [samples[at : at + _WINDOW] for at in range(0, len(samples) - _WINDOW + 1, _WINDOW)]
    heard = [pitch for window in windows if (pitch := tone.heard_hz(window)) is not None]
    if not heard:
        return ["silence"]
    right = sum(abs(pitch - expected_hz) < PITCH_WITHIN_HZ for pitch in heard)
    # The windows in which a pause begins and ends are heard as something else.
    return [] if right >= LEAST_SHARE * len(heard) - 4 else [f"{expected_hz:.0f} Hz in {right} of {len(heard)} windows"]


def _skew_s(pictures: Sequence[Numbered], samples: NDArray[np.float32], bot: Sender) -> float | None:
    """By the picture with which the bot went on, and the end of the silence that is nearest to where it should be."""
    picture_s = min((one.at_s for one in pictures if one.mark.frame_number == bot.picture_on), default=None)
    blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    sounds = np.flatnonzero(np.sqrt((blocks**2).mean(axis=1)) > tone.SILENCE)
    goes_on = sounds[1:][np.diff(sounds) > _LEAST_SILENCE_BLOCKS] * _BLOCK / tone.SAMPLE_RATE
    if picture_s is None or not len(goes_on):
        return None
    expected_s = picture_s - (bot.picture_on_s - bot.sound_on_s)
    sound_s = float(goes_on[np.argmin(np.abs(goes_on - expected_s))])
    return expected_s - sound_s
