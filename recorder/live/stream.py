"""The composite as a stream of parts, late by a bounded time. No I/O but decoding and encoding; session times.

entries ─► Composite ─┬─► FragmentEncoder ─► Piece, one after the other
now ─────► Pace ──────┘
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from recorder.config import MediaConfig
from recorder.journal import Entry
from recorder.live.composite import Composite
from recorder.live.config import LiveConfig
from recorder.live.encoding import LOOK_AHEAD_SAMPLES, FragmentEncoder
from recorder.live.pace import Pace, Turn
from recorder.media.sound import RATE
from recorder.mix.layouts import Layout


class Piece(NamedTuple):
    """A part. `beginning`: that of the MP4, where a run begins. `begins_segment`: with a key frame, as all runs do."""

    content: bytes
    begin_s: float
    duration_s: float
    begins_segment: bool
    beginning: bytes
    dropped_pictures: int
    skipped_s: float


class LiveStream:
    def __init__(self, layout: Layout, config: LiveConfig) -> None:
        self._layout = layout
        self._config = config
        self._pictures_per_part = max(1, round(config.part_s * layout.frames_per_s))
        self.part_s = self._pictures_per_part / layout.frames_per_s
        self.parts_per_segment = max(1, round(config.segment_s / self.part_s))
        # What waits for a report or a retransmission longer than the composite does would come too late for it.
        media = MediaConfig(clock_wait_s=config.delay_s / 2)
        self._composite = Composite(layout, media, config)
        self._pace: Pace | None = None
        self._encoder: FragmentEncoder | None = None
        self._parts = 0  # of this segment
        self._heard = 0  # samples, up to where sound was encoded

    @property
    def ended(self) -> bool:
        """The recording has, and all of it is there."""
        ended_s = self._composite.ended_s
        return ended_s is not None and (self._pace is None or self._pace.next_s >= ended_s)

    @property
    def encrypted(self) -> bool:
        """End to end: there is nothing that could be shown."""
        return self._composite.session.marks.encrypted

    def on_entries(self, entries: Iterable[Entry]) -> None:
        self._composite.on_entries(entries)

    def wait_s(self, now: float) -> float:
        """Until the next part is due."""
        return 0.0 if self._pace is None else self._pace.wait_s(now)

    def piece(self, now: float) -> Piece | None:
        """The next part, when it is due. The first time decides where the stream begins."""
        if self._pace is None:
            self._pace = Pace(self._config, self.part_s, now)
        turn = self._pace.turn(now)
        if turn is None:
            return None
        beginning = b""
        if self._encoder is None or turn.skipped_s:
            beginning = self._begin_run(turn)
        return self._encoded(turn, beginning)

    def _begin_run(self, turn: Turn) -> bytes:
        if turn.skipped_s:
            self._composite.skip(turn.begin_s)
        self._heard = round(turn.begin_s * RATE)
        self._encoder = FragmentEncoder((self._layout.width, self._layout.height), self._config, self._heard)
        self._parts = 0
        return self._encoder.beginning

    def _encoded(self, turn: Turn, beginning: bytes) -> Piece:
        assert self._encoder is not None
        begins_segment = self._parts % self.parts_per_segment == 0
        self._parts += 1
        count = 1 if turn.thin else self._pictures_per_part
        for index in range(count):
            at_s = turn.begin_s + index / self._layout.frames_per_s
            self._encoder.picture(self._composite.picture(at_s), at_s, key=begins_segment and index == 0)
        end_s = turn.begin_s + self.part_s
        until = round(end_s * RATE) + LOOK_AHEAD_SAMPLES
        self._encoder.sound(self._composite.sound(self._heard, until - self._heard))
        self._heard = until
        self._composite.forget(turn.begin_s)
        return Piece(
            self._encoder.fragment(end_s),
            turn.begin_s,
            self.part_s,
            begins_segment,
            beginning,
            self._pictures_per_part - count,
            turn.skipped_s,
        )
