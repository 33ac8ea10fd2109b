"""Who is speaking: the dominant speaker of a room, and who was it before, after Volfin and Cohen.

"Dominant Speaker Identification for Multipoint Videoconferencing" (2013) compares a challenger with the dominant
speaker over three intervals, and lets it take over when it is ahead in all of them. Here these are counts of 20 ms
frames with speech in them (`activity.py`):

    medium     300 ms   the challenger has been speaking
    immediate  280 ms   the dominant one has fallen silent: the pause between two words is shorter
    long       600 ms   and stays so, if the challenger has been talking over it: who has the floor keeps it

The paper's scores (and those of Jitsi and mediasoup: C1 = 3, C2 = 2, C3 = 0) are logarithms of likelihoods cut off
below, so that nearly always one of both sides is at the cut: they come down to thresholds of counts, and are stated as
such here. Their long interval, a second in which the challenger must have said more, makes every change of speakers
wait for half of it. README.md has what both do on the same traces.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf

from sfu.core.activity import FRAME_S, Activity, frame_of

MEDIUM_FRAMES = 15
SPOKE_FRAMES = 8  # of these. Higher: later switches; lower: a cough is enough
IMMEDIATE_FRAMES = 14  # without any speech of the dominant speaker. Lower: "yes" in a pause for breath takes over
LONG_FRAMES = 30
FELL_SILENT_FRAMES = 3  # at most so many of these
BEFORE_FRAMES = 35  # the time before the medium interval: with so much speech in it …
TALKED_OVER_FRAMES = 12  # … the challenger has not waited for a silence
# Silence of the dominant speaker after which nobody speaks: longer than a pause for thought.
SILENT_AFTER_FRAMES = 100

# While anything is heard. Each decision costs 2 µs per Track that is. Less than the 50 ms between two looks at levels,
# or one that comes a little late would make the next one come too early to decide.
DECISION_INTERVAL_S = 0.04
RECENT_SPEAKERS = 10  # as many as anybody would show


@dataclass(frozen=True, slots=True)
class SpeakersChanged:
    """`recent`: who was dominant, the last first. `speaking`: whether the first of them still speaks."""

    recent: tuple[int, ...]
    speaking: bool


class Speakers:
    """The audio Tracks of one room. Fed in time; a level that comes later than another one's `now` is just late."""

    def __init__(self) -> None:
        self.activities: dict[int, Activity] = {}  # of every Track that has said how loud it is
        self.dominant: int | None = None  # None: nobody speaks
        self._recent: list[int] = []
        self._told = SpeakersChanged((), False)
        self._heard_at: dict[int, float] = {}  # Tracks that may be speaking
        self._decide_at: float | None = None
        self._changes: deque[SpeakersChanged] = deque()

    def may_begin(self, now: float) -> bool:
        """Nobody speaks, but somebody makes a sound that may become speech: in a moment more is known."""
        if self.dominant is not None:
            return False
        frame = frame_of(now)
        heard = [self.activities[track] for track in self._heard_at]
        return any(activity.is_active or activity.spoke(frame, MEDIUM_FRAMES) for activity in heard)

    def on_level(self, track: int, level: int, at_s: float) -> None:
        """`level`: of RFC 6464, 0 loud … 127 silent."""
        activity = self.activities.get(track)
        if activity is None:
            activity = self.activities[track] = Activity()
        activity.on_level(level, at_s)
        if activity.is_active:
            self._heard_at[track] = at_s
            if self._decide_at is None:
                self._decide_at = at_s + DECISION_INTERVAL_S

    def forget(self, track: int) -> None:
        """It was muted, or is no more: it has been silent for ever."""
        self.activities.pop(track, None)
        self._heard_at.pop(track, None)
        if self.dominant == track:
            self.dominant = None
            self._tell()

    def forget_speaker(self, track: int) -> None:
        """And it was never here."""
        self.forget(track)
        if track in self._recent:
            self._recent.remove(track)
            self._tell()

    def next_timeout(self) -> float | None:
        return self._decide_at

    def on_timeout(self, now: float) -> None:
        if self._decide_at is None or now < self._decide_at:
            return
        self._decide(frame_of(now))
        forget_before = now - SILENT_AFTER_FRAMES * FRAME_S
        self._heard_at = {track: at for track, at in self._heard_at.items() if at >= forget_before}
        self._decide_at = now + DECISION_INTERVAL_S if self._heard_at or self.dominant is not None else None

    def poll(self) -> SpeakersChanged | None:
        return self._changes.popleft() if self._changes else None

    def _decide(self, frame: int) -> None:
        dominant = self.dominant
        incumbent = None if dominant is None else self.activities[dominant]
        if incumbent is not None and incumbent.spoke(frame, SILENT_AFTER_FRAMES) == 0:
            self.dominant = dominant = incumbent = None
        best, best_lead = None, (0, -inf)
        for track in self._heard_at:
            if track == dominant:
                continue
            challenger = self.activities[track]
            spoke = challenger.spoke(frame, MEDIUM_FRAMES)
            if spoke < SPOKE_FRAMES or (incumbent is not None and not _yields(incumbent, challenger, frame)):
                continue
            lead = (spoke, challenger.loudness_dbov(frame))
            if best is None or lead > best_lead:
                best, best_lead = track, lead
        if best is not None:
            self.dominant = best
            if best in self._recent:
                self._recent.remove(best)
            self._recent = [best, *self._recent][:RECENT_SPEAKERS]
        self._tell()

    def _tell(self) -> None:
        state = SpeakersChanged(tuple(self._recent), self.dominant is not None)
        if state != self._told:
            self._told = state
            self._changes.append(state)


def _yields(incumbent: Activity, challenger: Activity, frame: int) -> bool:
    if incumbent.spoke(frame, IMMEDIATE_FRAMES) > 0:
        return False
    talked_over = challenger.spoke(frame, BEFORE_FRAMES, ago=MEDIUM_FRAMES) >= TALKED_OVER_FRAMES
    return not talked_over or incumbent.spoke(frame, LONG_FRAMES) <= FELL_SILENT_FRAMES
