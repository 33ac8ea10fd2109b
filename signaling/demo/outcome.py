"""What came of a call between bots: who decoded whom, how soon, and what was wrong. Pure, and printable as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from signaling.demo.bot import Bot, Seen

# Of what was sent since the first decoded frame. The rest may be under way, or lost and asked for when the call ends.
LEAST_SHARE = 0.8
LEAST_FRAMES = 5
LEAST_WINDOWS = 2
FRAMES_PER_WINDOW = 5  # of 20 ms, in 100 ms of sound


@dataclass(frozen=True, slots=True)
class Direction:
    """One receiver and one sender. The times are from the later of both beginning to join, to the first frame that
    the receiver decoded; `None`: there was none."""

    receiver: str
    sender: str
    audio_after_s: float | None
    video_after_s: float | None
    audio_packets: int
    audio_lost: int
    video_packets: int
    video_lost: int
    recovered: int
    frames_decoded: int
    frame_number: int | None
    width: int
    height: int
    bitrate_bps: int
    pitch_hz: float | None
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    directions: tuple[Direction, ...]

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def faults(self) -> list[str]:
        return [f"{one.receiver} ◄ {one.sender}: {fault}" for one in self.directions for fault in one.faults]

    def audio_after_s(self) -> tuple[float, float] | None:
        """(median, maximum); `None` when nothing was heard."""
        return _median_and_most([one.audio_after_s for one in self.directions])

    def video_after_s(self) -> tuple[float, float] | None:
        """(median, maximum); `None` when nothing was seen."""
        return _median_and_most([one.video_after_s for one in self.directions])

    def to_json(self) -> dict[str, object]:
        return {
            "ok": self.ok,
            "audio_after_s": self.audio_after_s(),
            "video_after_s": self.video_after_s(),
            "directions": [asdict(one) for one in self.directions],
            "faults": self.faults,
        }


def outcome(bots: Sequence[Bot]) -> Outcome:
    """As it stands now, for each of `bots` against each other of them."""
    return Outcome(
        tuple(_direction(receiver, sender) for receiver in bots for sender in bots if sender is not receiver)
    )


def _direction(receiver: Bot, sender: Bot) -> Direction:
    seen = receiver.seen.get(sender.room.identity) or Seen(sender.sender)
    video, audio = seen.video, seen.audio
    began_s = max(receiver.started_at_s, sender.started_at_s)
    return Direction(
        receiver=receiver.name,
        sender=sender.name,
        audio_after_s=None if audio.first_at_s is None else audio.first_at_s - began_s,
        video_after_s=None if video.first_at_s is None else video.first_at_s - began_s,
        audio_packets=audio.traffic.packets,
        audio_lost=audio.traffic.lost,
        video_packets=video.traffic.packets,
        video_lost=video.traffic.lost,
        recovered=video.traffic.recovered,
        frames_decoded=video.decoded,
        frame_number=video.last_number,
        width=video.size[0],
        height=video.size[1],
        bitrate_bps=round(video.traffic.bitrate_bps + audio.traffic.bitrate_bps),
        pitch_hz=audio.last_hz,
        faults=(*_video_faults(seen, sender), *_audio_faults(seen)),
    )


def _video_faults(seen: Seen, sender: Bot) -> list[str]:
    if seen.video.first_number is None:
        return ["no video"]
    sent = sender.camera.frames - seen.video.first_number
    return seen.video.faults(least=max(LEAST_FRAMES, int(LEAST_SHARE * sent)))


def _audio_faults(seen: Seen) -> list[str]:
    if seen.audio.first_at_s is None:
        return ["no audio"]
    expected = seen.audio.traffic.packets + seen.audio.traffic.lost
    return seen.audio.faults(least=max(LEAST_WINDOWS, int(LEAST_SHARE * expected / FRAMES_PER_WINDOW) - 1))


def _median_and_most(times: Sequence[float | None]) -> tuple[float, float] | None:
    known = [time for time in times if time is not None]
    return (median(known), max(known)) if known else None
