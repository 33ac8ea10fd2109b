"""What the manifest tells of a recording besides its files: intervals and moments, in seconds of the session.

Only written to here; `manifest.py` gives it its form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Interval(NamedTuple):
    from_s: float
    to_s: float
    reason: str = ""


class Moment(NamedTuple):
    at_s: float
    what: str


_RECENT = 8  # intervals that are looked at: questions are about now


@dataclass(slots=True)
class Intervals:
    """Intervals of one kind, in order, bounded. Adjoining ones of one reason become one."""

    most: int
    found: list[Interval] = field(default_factory=list)
    more: int = 0  # that were not kept
    _open: tuple[float, str] | None = None

    def add(self, from_s: float, to_s: float, reason: str = "") -> None:
        if to_s <= from_s:
            return
        last = self.found[-1] if self.found else None
        if last is not None and last.reason == reason and from_s <= last.to_s:
            self.found[-1] = last._replace(to_s=max(to_s, last.to_s))
        elif len(self.found) < self.most:
            self.found.append(Interval(from_s, to_s, reason))
        else:
            self.more += 1

    def begin(self, at_s: float, reason: str = "") -> None:
        """Idempotent while it is open."""
        if self._open is None:
            self._open = (at_s, reason)

    def end(self, at_s: float) -> None:
        if self._open is not None:
            (from_s, reason), self._open = self._open, None
            self.add(from_s, at_s, reason)

    def contains(self, at_s: float) -> bool:
        """Also while one is open. Looks at the last few: ask about now."""
        if self._open is not None and self._open[0] <= at_s:
            return True
        return any(one.from_s <= at_s < one.to_s for one in reversed(self.found[-_RECENT:]))

    def touches(self, from_s: float, to_s: float) -> bool:
        if self._open is not None and self._open[0] <= to_s:
            return True
        return any(one.from_s <= to_s and from_s <= one.to_s for one in reversed(self.found[-_RECENT:]))


@dataclass(slots=True)
class ParticipantMarks:
    identity: str
    name: str
    presence: Intervals
    consent: bool | None = None  # None: nobody was asked
    consents: list[tuple[float, bool]] = field(default_factory=list)


@dataclass(slots=True)
class TrackMarks:
    """Of one track id, through reconnects."""

    id: str
    participant: str
    kind: str
    source: str
    started_s: float
    presence: Intervals
    gaps: Intervals
    mutes: Intervals
    ended_s: float | None = None
    codecs: list[str] = field(default_factory=list)
    layers: list[Moment] = field(default_factory=list)
    key_frames: list[float] = field(default_factory=list)
    frames: int = 0
    first_frame_s: float | None = None
    last_frame_s: float | None = None
    undecodable: int = 0


@dataclass(slots=True)
class SessionMarks:
    """`ended` is why it ended; `None` while nothing says so, as after a crash."""

    participants: dict[str, ParticipantMarks] = field(default_factory=dict)
    tracks: dict[str, TrackMarks] = field(default_factory=dict)
    speakers: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    pauses: Intervals = field(default_factory=lambda: Intervals(10_000))
    missing: list[Moment] = field(default_factory=list)  # frames of the sink, entries of the journal
    ended: str | None = None
    encrypted: bool = False  # end to end: what was taken cannot be decoded
    until_s: float = 0.0
    ignored: int = 0  # entries that claimed to be of a time or track that cannot be
