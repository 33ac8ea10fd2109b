"""Whose packets reach the journal, by what was noted before."""

from __future__ import annotations

import pytest

from recorder.journal.events import (
    AnyEvent,
    ConsentChanged,
    ParticipantLeft,
    RecordingPaused,
    RecordingResumed,
    SpeakersChanged,
    TrackEnded,
    TrackMuted,
    TrackStarted,
)
from recorder.withholding import Withholding

ADA = (1, TrackStarted("t1", "ada", "audio", "microphone"))
BOB = (2, TrackStarted("t2", "bob", "video", "camera"))

CASES: dict[str, tuple[list[tuple[int, AnyEvent]], set[int]]] = {
    "nobody has been told of": ([], set()),
    "everybody": ([ADA, BOB], {1, 2}),
    "muted": ([ADA, BOB, (1, TrackMuted(True))], {2}),
    "muted no more": ([ADA, BOB, (1, TrackMuted(True)), (1, TrackMuted(False))], {1, 2}),
    "ended": ([ADA, BOB, (1, TrackEnded())], {2}),
    "the number means another track now": ([ADA, (1, TrackMuted(True)), (1, BOB[1])], {1}),
    "paused": ([ADA, BOB, (0, RecordingPaused())], set()),
    "resumed": ([ADA, BOB, (0, RecordingPaused()), (0, RecordingResumed())], {1, 2}),
    "refused": ([ADA, BOB, (0, ConsentChanged("ada", False))], {2}),
    "refused before the track": ([(0, ConsentChanged("ada", False)), ADA, BOB], {2}),
    "agreed after all": ([ADA, (0, ConsentChanged("ada", False)), (0, ConsentChanged("ada", True))], {1}),
    "agreed but muted": ([ADA, (1, TrackMuted(True)), (0, ConsentChanged("ada", True))], set()),
    "refused and gone, with packets on their way": (
        [ADA, BOB, (0, ConsentChanged("ada", False)), (0, ParticipantLeft("ada"))],
        {2},
    ),
    "gone, and back where nobody is asked": (
        [ADA, (0, ConsentChanged("ada", False)), (0, ParticipantLeft("ada")), (1, TrackEnded()), (3, ADA[1])],
        {3},
    ),
    "speaks": ([ADA, (0, SpeakersChanged(("ada",)))], {1}),
}


@pytest.mark.parametrize(("noted", "taken"), CASES.values(), ids=CASES.keys())
def test_withholds(noted: list[tuple[int, AnyEvent]], taken: set[int]) -> None:
    withholding = Withholding()
    for track, event in noted:
        withholding.on_event(event, track)
    assert {track for track in range(1, 4) if withholding.takes(track)} == taken
