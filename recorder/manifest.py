"""The form of `manifest.json`: what a recording is, who was there, which files there are, and what is missing in them.

Times are seconds of the session; a file's own time 0 is at its `start_s`. `manifest.schema.json` is made of these types
(a test compares). Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from recorder.journal.events import Epoch
from recorder.marks import Intervals, Moment, SessionMarks, TrackMarks
from recorder.take import Take

VERSION: Final = 1
FILE_NAME: Final = "manifest.json"


class Span(msgspec.Struct, frozen=True, omit_defaults=True):
    from_s: float
    to_s: float
    reason: str = ""


class Change(msgspec.Struct, frozen=True):
    at_s: float
    what: str


class Consent(msgspec.Struct, frozen=True):
    at_s: float
    given: bool


class Participant(msgspec.Struct, frozen=True):
    """`consent` is null when nobody was asked; false: nothing of this participant was taken since then."""

    identity: str
    name: str
    consent: bool | None
    consents: list[Consent]
    presence: list[Span]


class Jump(msgspec.Struct, frozen=True):
    at_s: float
    by_s: float


class Clock(msgspec.Struct, frozen=True):
    """How one layer's RTP time was laid on the session's. `drift_ppm`: how much faster the sender's clock ran; null
    when it sent too few reports to tell. `refused`: reports that could not be."""

    layer: int
    clock_rate: int
    reports: int
    refused: int
    drift_ppm: float | None
    jumps: list[Jump]


class Track(msgspec.Struct, frozen=True):
    id: str
    participant: str
    kind: str
    source: str
    codecs: list[str]
    started_s: float
    ended_s: float | None
    presence: list[Span]
    mutes: list[Span]
    gaps: list[Span]
    layers: list[Change]
    key_frames_s: list[float]
    frames: int
    packets: int
    recovered: int
    lost: int
    malformed: int
    undecodable: int
    clocks: list[Clock]
    not_listed: int


class Turn(msgspec.Struct, frozen=True):
    """From this time of the session on, what a file has is to be shown so: with its columns in the opposite order if it
    is `mirrored`, then turned clockwise."""

    at_s: float
    degrees: int
    mirrored: bool = False


class File(msgspec.Struct, frozen=True, omit_defaults=True):
    """`path` is relative to the manifest. `error`: why it ends early. `turns`: how pictures that were not decoded are
    to be shown; before the first, as they are. Players turn all pictures of the file by `container_degrees` by
    themselves, clockwise, which is included in `turns`."""

    path: str
    participant: str
    sources: list[str]
    tracks: list[str]
    start_s: float
    duration_s: float
    size_bytes: int
    sha256: str
    width: int | None
    height: int | None
    has_sound: bool
    error: str
    turns: list[Turn] = []
    container_degrees: int = 0


class Speakers(msgspec.Struct, frozen=True):
    at_s: float
    participants: list[str]


class Damaged(msgspec.Struct, frozen=True):
    segment: str
    offset: int
    length: int


class Journal(msgspec.Struct, frozen=True):
    segments: list[str]
    bytes: int
    damaged: list[Damaged]
    unreadable: list[str]
    ignored_entries: int


class Manifest(msgspec.Struct, frozen=True):
    """`complete`: the journal says that the recording was stopped; else it was interrupted, and `ended` is empty.
    `encrypted`: end to end; the journal has ciphertext, of which no files can be made."""

    version: int
    recording: str
    room: str
    started_at: str
    started_unix_s: float
    duration_s: float
    complete: bool
    ended: str
    mode: str
    participants: list[Participant]
    tracks: list[Track]
    files: list[File]
    speakers: list[Speakers]
    pauses: list[Span]
    missing: list[Change]
    journal: Journal
    encrypted: bool = False


def build(
    *,
    epoch: Epoch | None,
    marks: SessionMarks,
    takes: dict[str, Take],
    mode: str,
    files: list[File],
    journal: Journal,
) -> Manifest:
    unix_s = 0.0 if epoch is None else epoch.unix_s
    return Manifest(
        version=VERSION,
        recording="" if epoch is None else epoch.recording,
        room="" if epoch is None else epoch.room,
        started_at=_iso(unix_s),
        started_unix_s=unix_s,
        duration_s=_rounded(marks.until_s),
        complete=marks.ended is not None,
        ended=marks.ended or "",
        mode=mode,
        participants=[
            Participant(
                one.identity,
                one.name,
                one.consent,
                [Consent(_rounded(at_s), given) for at_s, given in one.consents],
                _spans(one.presence),
            )
            for one in marks.participants.values()
        ],
        tracks=[_track(one, takes[one.id]) for one in marks.tracks.values()],
        files=files,
        speakers=[Speakers(_rounded(at_s), list(who)) for at_s, who in marks.speakers],
        pauses=_spans(marks.pauses),
        missing=_changes(marks.missing),
        journal=journal,
        encrypted=marks.encrypted,
    )


def encode(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode(content: bytes) -> Manifest:
    """Raises ValueError, with words for who reads it, when it is none or of another version."""
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"this is no manifest of a recording: {error}") from error
    if manifest.version != VERSION:
        raise ValueError(f"the manifest has version {manifest.version}, not {VERSION}")
    return manifest


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12."""
    (described,), components = msgspec.json.schema_components([Manifest], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "manifest.json of a recording",
        **described,
        "$defs": components,
    }


def _track(marks: TrackMarks, take: Take) -> Track:
    feeds = take.all_feeds()
    clocks = [
        Clock(
            feed.layer,
            feed.figures.clock_rate,
            feed.figures.readings,
            feed.figures.refused,
            None if feed.figures.drift_ppm is None else round(feed.figures.drift_ppm, 1),
            [Jump(_rounded(jump.at_s), _rounded(jump.by_s)) for jump in feed.figures.jumps[:1000]],
        )
        for feed in feeds
        if feed.figures is not None
    ]
    return Track(
        id=marks.id,
        participant=marks.participant,
        kind=marks.kind,
        source=marks.source,
        codecs=marks.codecs,
        started_s=_rounded(marks.started_s),
        ended_s=None if marks.ended_s is None else _rounded(marks.ended_s),
        presence=_spans(marks.presence),
        mutes=_spans(marks.mutes),
        gaps=_spans(marks.gaps),
        layers=_changes(marks.layers),
        key_frames_s=[_rounded(at_s) for at_s in marks.key_frames],
        frames=marks.frames,
        packets=sum(feed.packets for feed in feeds),
        recovered=sum(feed.recovered for feed in feeds),
        lost=sum(feed.lost for feed in feeds),
        malformed=sum(feed.malformed for feed in feeds),
        undecodable=marks.undecodable,
        clocks=clocks,
        not_listed=marks.gaps.more + marks.mutes.more + marks.presence.more,
    )


def _spans(intervals: Intervals) -> list[Span]:
    return [Span(_rounded(one.from_s), _rounded(one.to_s), one.reason) for one in intervals.found]


def _changes(moments: list[Moment]) -> list[Change]:
    return [Change(_rounded(one.at_s), one.what) for one in moments]


def _rounded(seconds: float) -> float:
    return round(seconds, 4)


def _iso(unix_s: float) -> str:
    try:
        return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return ""
