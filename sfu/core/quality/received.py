"""The score of one Subscription on its way from the server, from what its subscriber reports and what it was given.

What is lost, late or frozen before it reached the server is its publisher's affair, and taken out as far as
it is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfu.core.allocation import LimitedBy, Share
from sfu.core.quality.pictures import Picture, score_picture
from sfu.core.quality.score import WORST, Cause, Score
from sfu.core.quality.sound import Sound, score_sound
from sfu.core.quality.windows import Losses, Stalls, at_worst, beside
from sfu.core.types import Kind

if TYPE_CHECKING:
    from sfu.core.quality.published import PublishedQuality
    from sfu.wire.rtcp import ReportBlock

# Of a picture that cannot be decoded until the next key frame: a round trip, and the time that one takes.
PICTURE_LOST_S = 0.5


@dataclass(slots=True)
class Frames:
    """What its client says that it made of it, in all."""

    decoded: int = 0
    dropped: int = 0
    freezes: int = 0
    frozen_s: float = 0.0


class ReceivedQuality:
    def __init__(self, kind: Kind, clock_rate: int, *, is_screen: bool = False) -> None:
        self.score: Score | None = None  # None: it is to receive nothing, or has not reported
        self.loss = 0.0
        self.jitter_s = 0.0
        self.frames: Frames | None = None  # None: its client does not say
        self._shown = 1.0  # of the frames that its client got, by its last report
        self._stood = 0, 0.0  # freezes that its client told of, and their seconds, without those that were meant
        self._was_paused = True  # since its client's last report
        self._is_screen = is_screen
        self._kind = kind
        self._clock_rate = clock_rate
        self._losses = Losses()
        self.reported: ReportBlock | None = None  # the last one
        self._stalls = Stalls()
        self._pictures_lost = 0
        self._pictures_lost_lately = 0  # since the last look
        # A report tells of what was before it, of up to five seconds. So what never reached the server excuses those
        # that may tell of it still, however long ago it was looked at.
        self._missing = 0.0  # the most of it, from the look on that took the last report
        self.excused = 0.0  # of what that one told: by its publisher's losses, and luck

    def on_report(self, block: ReportBlock) -> None:
        if self.reported is None:
            self._losses.on_totals(block.highest_sequence, block.packets_lost)
        self.reported = block

    def on_frames(self, decoded: int, dropped: int, freezes: int, frozen_s: float) -> None:
        """What its client says that became of it since it said so last."""
        if self.frames is None:
            self.frames = Frames()
            self._stalls.restart()  # those until now were guessed
        told = self.frames
        told.decoded += decoded
        told.dropped += dropped
        told.freezes += freezes
        told.frozen_s += frozen_s
        self._shown = decoded / (decoded + dropped) if decoded + dropped else 1.0
        if not self._was_paused:
            # To a browser the end of a short pause is a freeze.
            self._stood = self._stood[0] + freezes, self._stood[1] + frozen_s
        self._was_paused = False

    def on_picture_lost(self) -> None:
        """What it was being sent cannot be decoded."""
        self._pictures_lost_lately += 1

    def assess(
        self, share: Share, source: PublishedQuality, rtt_s: float | None, now: float, *, redundant: bool = False
    ) -> Score | None:
        """`redundant`: it is sent as RED."""
        self._compare(source)
        if self._is_guessed:
            self._stalls.on_totals(self._pictures_lost, self._pictures_lost * PICTURE_LOST_S, now)
        else:
            self._stalls.on_totals(*self._stood, now)
        self._was_paused |= share.rung is None
        if share.rung is None:
            paused = share.limited_by is LimitedBy.BANDWIDTH
            self.score = Score(WORST, Cause.BANDWIDTH) if paused else None
        elif self.reported is None:
            self.score = None
        elif self._kind == "audio":
            self.score = score_sound(Sound(self.loss, self.jitter_s, rtt_s, redundant=redundant))
        else:
            self.score = self._picture(share, source, rtt_s)
        return self.score

    @property
    def _is_guessed(self) -> bool:
        """Of screens browsers tell freezes, too: whenever nothing moves."""
        return self.frames is None or self._is_screen

    def _compare(self, source: PublishedQuality) -> None:
        """Over about the same time, from look to look: reports come once or twice in it, and by the last one alone a
        receiver would be judged by its luck beside the publisher's."""
        reported = self.reported
        self._missing = max(self._missing, source.missing)
        if reported is not None:
            self.jitter_s = max(0.0, reported.jitter / self._clock_rate - source.jitter_s)
            if self._losses.on_totals(reported.highest_sequence, reported.packets_lost):
                # Not quite the same packets: of a second's, half as many more may be lost as of those around it.
                self.excused, self._missing = at_worst(self._missing, self._losses.packets), source.missing
        self.loss = beside(self._losses.share, self.excused)
        # A picture that whoever loses more has spoilt.
        if self.loss >= max(self.excused, self._missing):
            self._pictures_lost += self._pictures_lost_lately
        self._pictures_lost_lately = 0

    def _picture(self, share: Share, source: PublishedQuality, rtt_s: float | None) -> Score:
        assert share.rung is not None, "a picture that is sent"
        ideal = share.rung if share.ideal is None else share.ideal
        stalls, stalled_s = self._stalls.recent
        shown = 1.0
        if not self._is_guessed:
            shown = self._shown
            # Those that came from the publisher stood still there, too.
            excused, excused_s = source.stalls.recent
            stalls, stalled_s = max(0, stalls - excused), max(0.0, stalled_s - excused_s)
        return score_picture(
            Picture(
                # Of what has not come yet no size is known.
                pixels=share.rung.pixels or ideal.pixels,
                wanted_pixels=ideal.pixels,
                frame_rate=share.rung.frame_rate * shown,
                wanted_frame_rate=ideal.frame_rate,
                stalls=stalls,
                stalled_s=stalled_s,
                loss=self.loss,
                rtt_s=rtt_s,
            )
        )
