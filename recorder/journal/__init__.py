"""The journal: everything that a recording is made of, as it came in. JOURNAL.md describes the format."""

from recorder.journal.events import (
    AnyEvent,
    ConsentChanged,
    Epoch,
    FramesDropped,
    JournalGap,
    LayerDescription,
    LayerSwitched,
    ParticipantJoined,
    ParticipantLeft,
    PayloadFormat,
    RecordingEnded,
    RecordingPaused,
    RecordingResumed,
    SpeakersChanged,
    TrackEnded,
    TrackMuted,
    TrackStarted,
)
from recorder.journal.reading import JournalReader
from recorder.journal.records import Damage, Entry, Event, MalformedJournal, Packet, SenderReport
from recorder.journal.writing import JournalState, JournalWriter

__all__ = [
    "AnyEvent",
    "ConsentChanged",
    "Damage",
    "Entry",
    "Epoch",
    "Event",
    "FramesDropped",
    "JournalGap",
    "JournalReader",
    "JournalState",
    "JournalWriter",
    "LayerDescription",
    "LayerSwitched",
    "MalformedJournal",
    "Packet",
    "ParticipantJoined",
    "ParticipantLeft",
    "PayloadFormat",
    "RecordingEnded",
    "RecordingPaused",
    "RecordingResumed",
    "SenderReport",
    "SpeakersChanged",
    "TrackEnded",
    "TrackMuted",
    "TrackStarted",
]
