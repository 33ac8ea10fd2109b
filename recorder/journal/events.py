"""What a journal says besides packets: who was there, what was sent, what was permitted. JSON, by msgspec.

A reader skips events it does not know and fields it does not know, so both can be added without another version.
Participants are named by their identity, which stays when they come back.
"""

from __future__ import annotations

from typing import Final

import msgspec

from recorder.journal.errors import MalformedJournal

MOST_FORMATS: Final = 64
MOST_NAMES: Final = 4096  # of speakers at once


class _Event(msgspec.Struct, frozen=True, tag_field="event", omit_defaults=True):
    pass


class Epoch(_Event, frozen=True, tag="epoch"):
    """First in every segment: session time 0 is `monotonic_s` of the first one. `boot` names the run of the machine
    whose monotonic clock it is; after a restart of the machine `unix_s` says how much time has passed."""

    recording: str
    room: str
    boot: str
    monotonic_s: float
    unix_s: float


class ParticipantJoined(_Event, frozen=True, tag="participant_joined"):
    participant: str
    name: str = ""


class ParticipantLeft(_Event, frozen=True, tag="participant_left"):
    participant: str


class ConsentChanged(_Event, frozen=True, tag="consent_changed"):
    """`given` is false also when consent was withdrawn. Without an event a room asked nobody."""

    participant: str
    given: bool


class PayloadFormat(msgspec.Struct, frozen=True, omit_defaults=True):
    """`codec` as SDP has it (VP8, VP9, H264, AV1, opus), in any case; `parameters` is the fmtp line."""

    payload_type: int
    codec: str
    clock_rate: int
    channels: int = 1
    parameters: str = ""


class LayerDescription(msgspec.Struct, frozen=True, omit_defaults=True):
    """Simulcast encoding number `layer` of a track, 0 the smallest."""

    layer: int
    rid: str = ""


class TrackStarted(_Event, frozen=True, tag="track_started"):
    """From here on the entry's `track` number means track `id`. The same id under a new number is the same track after
    a reconnect; the same number again ends what it meant before. `kind`: audio or video; `source`: camera, microphone,
    screen or screen_audio. Tracks of one participant whose `transport` is the same are sent by one clock.
    `capture_time_id`, `orientation_id`: of the header extensions abs-capture-time and video-orientation; 0: none."""

    id: str
    participant: str
    kind: str
    source: str
    transport: str = ""
    formats: tuple[PayloadFormat, ...] = ()
    layers: tuple[LayerDescription, ...] = ()
    capture_time_id: int = 0
    orientation_id: int = 0


class TrackEnded(_Event, frozen=True, tag="track_ended"):
    pass


class TrackMuted(_Event, frozen=True, tag="track_muted"):
    muted: bool


class LayerSwitched(_Event, frozen=True, tag="layer_switched"):
    """The recorder asked for another layer. The packets say when it came."""

    layer: int
    reason: str = ""


class MediaEncrypted(_Event, frozen=True, tag="media_encrypted"):
    """The senders encrypt end to end: payloads are ciphertext, which nobody here can decode."""


class SpeakersChanged(_Event, frozen=True, tag="speakers_changed"):
    """Who speaks, the dominant one first."""

    participants: tuple[str, ...] = ()


class FramesDropped(_Event, frozen=True, tag="frames_dropped"):
    """The recorder read the sink too slowly: so many of its frames, of any track, are missing here."""

    count: int


class JournalGap(_Event, frozen=True, tag="journal_gap"):
    """Nothing could be written for a while: so many records are missing here."""

    records: int
    reason: str


class RecordingPaused(_Event, frozen=True, tag="recording_paused"):
    pass


class RecordingResumed(_Event, frozen=True, tag="recording_resumed"):
    pass


class RecordingEnded(_Event, frozen=True, tag="recording_ended"):
    reason: str = ""


AnyEvent = (
    Epoch
    | ParticipantJoined
    | ParticipantLeft
    | ConsentChanged
    | TrackStarted
    | TrackEnded
    | TrackMuted
    | LayerSwitched
    | MediaEncrypted
    | SpeakersChanged
    | FramesDropped
    | JournalGap
    | RecordingPaused
    | RecordingResumed
    | RecordingEnded
)


class _Tag(msgspec.Struct):
    event: str


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(AnyEvent)
_TAG_DECODER = msgspec.json.Decoder(_Tag)
_KNOWN: Final = frozenset(str(one.__struct_config__.tag) for one in (AnyEvent.__args__))


def encode(event: AnyEvent) -> bytes:
    return _ENCODER.encode(event)


def decode(body: bytes) -> AnyEvent | None:
    """`None` for an event of a later version. Raises MalformedJournal for what is no event."""
    try:
        if _TAG_DECODER.decode(body).event not in _KNOWN:
            return None
        event = _DECODER.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedJournal(str(error)) from error
    if isinstance(event, TrackStarted) and len(event.formats) > MOST_FORMATS:
        raise MalformedJournal(f"{len(event.formats)} formats of one track")
    if isinstance(event, SpeakersChanged) and len(event.participants) > MOST_NAMES:
        raise MalformedJournal(f"{len(event.participants)} who speak at once")
    return event
