"""The score of one published Track on its way to the server, from what the plane has counted of its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfu.core.ladder import FRAME_RATE
from sfu.core.quality.pictures import Picture, score_picture
from sfu.core.quality.score import WORST, Cause, Score
from sfu.core.quality.sound import Sound, score_sound
from sfu.core.quality.windows import Losses, Stalls
from sfu.core.types import Codec, Kind

if TYPE_CHECKING:
    from sfu.plane.interface import LayerReception

# With nothing at all for so long it is not there. Silent Opus (DTX) sends 2.5 packets a second.
SILENT_AFTER_S = 4.0
# Browsers begin with a small picture and add layers as their estimate grows, and so do they after a pause.
GRACE_S = 10.0
# Fewer packets a second are silence, and what they weigh says nothing of how the voice is coded. Most send 50.
VOICE_PACKETS_PER_S = 15
# A camera that sends half as many frames from now on has trouble at first, and after some minutes it is another camera,
# or a darker room.
FRAME_RATE_FORGOTTEN_PER_S = 0.1


@dataclass(frozen=True, slots=True)
class Expected:
    """What should come of a Track. `wanted_layer`: the best that its publisher was not asked to pause; -1: none."""

    muted: bool
    is_screen: bool
    wanted_layer: int
    flowing: frozenset[int]  # layers


class PublishedQuality:
    """Asked every few seconds."""

    def __init__(self, kind: Kind, clock_rate: int) -> None:
        self.score: Score | None = None  # None: nothing is to come, or nothing is known
        self.loss = 0.0  # of its own network
        self.missing = 0.0  # of that, what nothing brought back: receivers miss it, too
        self.jitter_s = 0.0
        self.frame_rate = 0.0
        self.stalls = Stalls()
        self._kind = kind
        self._clock_rate = clock_rate
        self._losses: dict[int, Losses] = {}  # by SSRC, as all here
        self._missing: dict[int, Losses] = {}
        self._counted: Mapping[int, LayerReception] = {}  # by SSRC, when last asked
        self._asked_at: float | None = None
        self._progressed_at: float | None = None
        self._expected: Expected | None = None
        self._settled_at = 0.0  # from when on all layers that are wanted should be there
        self._layer: int | None = None  # whose frames count
        self._best_frame_rate = 0.0
        self._resumes = True  # the next frame comes after a pause that was meant

    def assess(
        self, receptions: Sequence[LayerReception], expected: Expected, rtt_s: float | None, now: float
    ) -> Score | None:
        before, self._counted = self._counted, {one.ssrc: one for one in receptions}
        last_s, self._asked_at = self._asked_at, now
        self._losses = {one.ssrc: self._losses.get(one.ssrc, Losses()) for one in receptions}
        self._missing = {one.ssrc: self._missing.get(one.ssrc, Losses()) for one in receptions}
        for one in receptions:
            span = one.highest_sequence_number - one.first_sequence_number + 1
            self._losses[one.ssrc].on_totals(span, span - one.packets)
            self._missing[one.ssrc].on_totals(span, span - one.packets - one.restored)
        changed = self._expected is None or (expected.muted, expected.wanted_layer) != (
            self._expected.muted,
            self._expected.wanted_layer,
        )
        self._expected = expected
        if changed:
            self._settled_at = now + GRACE_S
            self._resumes = True
        progressed = any(one.ssrc not in before or one.packets > before[one.ssrc].packets for one in receptions)
        if progressed or changed or self._progressed_at is None:
            self._progressed_at = now
        if not receptions or expected.muted or expected.wanted_layer < 0 or last_s is None:
            self.score = None
        elif now - self._progressed_at >= SILENT_AFTER_S:
            # A screen on which nothing moves may send nothing.
            self.score = None if expected.is_screen else Score(WORST, Cause.SILENCE)
        elif self._kind == "audio":
            self.score = self._sound(receptions[0], before.get(receptions[0].ssrc), rtt_s, now - last_s)
        else:
            self.score = self._picture(receptions, before, expected, rtt_s, now, now - last_s)
        return self.score

    def _read(self, one: LayerReception) -> None:
        self.loss, self.missing = self._losses[one.ssrc].share, self._missing[one.ssrc].share
        self.jitter_s = one.jitter / self._clock_rate

    def _sound(
        self, one: LayerReception, before: LayerReception | None, rtt_s: float | None, interval_s: float
    ) -> Score | None:
        self._read(one)
        redundant, bitrate_bps = one.codec is Codec.RED, None
        is_voice = before is not None and one.packets - before.packets >= VOICE_PACKETS_PER_S * interval_s
        if before is not None and is_voice and not redundant:
            arrived_bps = 8 * (one.bytes - before.bytes) / interval_s
            bitrate_bps = int(arrived_bps / max(0.1, 1 - self.loss))  # as it was sent
        return score_sound(Sound(self.loss, self.jitter_s, rtt_s, bitrate_bps, redundant))

    def _picture(
        self,
        receptions: Sequence[LayerReception],
        before: Mapping[int, LayerReception],
        expected: Expected,
        rtt_s: float | None,
        now: float,
        interval_s: float,
    ) -> Score | None:
        # What was never sent, because the camera is small, say, cannot be missing.
        wanted = min(expected.wanted_layer, max(one.layer for one in receptions))
        flowing = [one for one in receptions if one.layer in expected.flowing and one.layer <= wanted]
        if not flowing:
            return None
        best = max(flowing, key=lambda one: one.layer)
        self._read(best)
        frames = best.frames - before[best.ssrc].frames if best.ssrc in before else 0
        if self._resumes or best.layer != self._layer or best.ssrc not in before:
            self._layer, self._resumes = best.layer, self._resumes and frames == 0
            self.stalls.restart()
        self.stalls.on_totals(best.freezes, best.frozen_s, now)
        if best.ssrc in before:
            self.frame_rate = frames / interval_s
            faded = self._best_frame_rate - FRAME_RATE_FORGOTTEN_PER_S * interval_s
            self._best_frame_rate = min(FRAME_RATE, max(faded, self.frame_rate))
        if now < self._settled_at:
            wanted = best.layer
        stalls, stalled_s = (0, 0.0) if expected.is_screen else self.stalls.recent
        judged_by_frames = not expected.is_screen and best.ssrc in before
        return score_picture(
            Picture(
                pixels=1,
                wanted_pixels=1 << 2 * (wanted - best.layer),
                frame_rate=self.frame_rate if judged_by_frames else FRAME_RATE,
                wanted_frame_rate=self._best_frame_rate if judged_by_frames else FRAME_RATE,
                stalls=stalls,
                stalled_s=stalled_s,
                loss=self.loss,
                rtt_s=rtt_s,
            )
        )
