"""Whose packets are not taken at the moment: of who has not consented, what is muted, everything while paused. Sans-IO.

What is withheld never reaches the journal. A client that is muted may well go on sending, also when it was a moderator
who muted it.
"""

from __future__ import annotations

from recorder.journal.events import (
    AnyEvent,
    ConsentChanged,
    ParticipantLeft,
    RecordingPaused,
    RecordingResumed,
    TrackEnded,
    TrackMuted,
    TrackStarted,
)


class Withholding:
    """Fed with what is noted; tracks are known by the numbers that the sink has for them."""

    def __init__(self) -> None:
        self._paused = False
        self._refused: set[str] = set()  # participants
        self._muted: set[int] = set()
        self._owners: dict[int, str] = {}
        self.tracks: frozenset[int] = frozenset()  # that are withheld, of those known

    def takes(self, track: int) -> bool:
        """Of a track that nobody has told of, nothing: it could not be told whose it is."""
        return not self._paused and track in self._owners and track not in self.tracks

    def knows(self, track: int) -> bool:
        return track in self._owners

    def on_event(self, event: AnyEvent, track: int) -> None:
        match event:
            case TrackStarted():
                self._owners[track] = event.participant
                self._muted.discard(track)
            case TrackEnded():
                self._owners.pop(track, None)
                self._muted.discard(track)
            case TrackMuted(muted=True):
                self._muted.add(track)
            case TrackMuted():
                self._muted.discard(track)
            case ConsentChanged(given=False):
                self._refused.add(event.participant)
            case ConsentChanged():
                self._refused.discard(event.participant)
            case ParticipantLeft(participant=identity) if identity in self._refused:
                # What is on its way still is not taken either; who comes back is told of again.
                self._refused.discard(identity)
                self._muted.update(number for number, owner in self._owners.items() if owner == identity)
            case RecordingPaused():
                self._paused = True
            case RecordingResumed():
                self._paused = False
            case _:
                return
        self.tracks = frozenset(
            number for number, owner in self._owners.items() if number in self._muted or owner in self._refused
        )
