"""The contract between signaling and the recorder's processes: what they are told, and what they say. msgpack frames.

    signaling ── Begin ──► Begun or Failed       then the plane may be told of the sink's address
              ◄── Listening ──                   the plane has opened the sink; before, ten frames may wait in it
              ── Note ───► (into the journal)    what happened in the room, with the tracks that begin and end
              ◄── Progress ──                    each second, and when the disk gives trouble or is well again
              ── End ────► Ended                 the journal is whole
              ── Make ───► Made or Failed        files and manifest of the journal, in a process of lower priority
              ── Mix ────► Mixed or MixFailed    one file of its files, in one of lower priority still; before that,
                                                 Mixing for each hundredth
              ── StopMix ►                       and nothing is said of it any more

To the process that sends recordings away (uploads/process.py):

    signaling ── Storage ──► Pong                    what was under way before is gone on with
              ── Upload ───► Uploaded or UploadFailed; before that, UploadDelayed for each attempt that failed

A recording that is begun again goes on: its journal is continued, and its sink has another address. So it is after a
crash of this process, and after one of the media Worker's.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast

import msgpack
import msgspec
from msgspec import Struct

from recorder.journal.events import AnyEvent
from sfu.control import MalformedFrame

# Where mixes lie within a recording's directory.
MIXES: Final = "mixes"


class Message(Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Base of all messages; the class name is the tag."""


# --- to the recorder -----------------------------------------------------------------------------------------


class Begin(Message, frozen=True, kw_only=True):
    """`directory`: of this recording alone; it is made. `live`: the layout of a composite that is to be made while it
    runs (recorder/live/); empty: of none."""

    recording: str
    room: str
    directory: str
    live: str = ""


class Note(Message, frozen=True, kw_only=True):
    """It happened just now. `track` is the number that the sink's frames have for it. `muted`: so is a track that
    starts, before anything of it is taken."""

    recording: str
    event: AnyEvent
    track: int = 0
    muted: bool = False


class End(Message, frozen=True, kw_only=True):
    recording: str
    reason: str


class Make(Message, frozen=True, kw_only=True):
    """Of a recording that has ended, in whatever way. `mode`, `container`: as in recorder/config.py."""

    recording: str
    directory: str
    mode: str
    container: str | None = None


class Mix(Message, frozen=True, kw_only=True):
    """Of a recording whose files are made; its container is the ending of `path`. `layout`: as in
    recorder/mix/layouts.py. It may be said again."""

    recording: str
    mix: str
    directory: str
    path: str
    layout: dict[str, Any]


class StopMix(Message, frozen=True, kw_only=True):
    recording: str
    mix: str


class Ping(Message, frozen=True, kw_only=True):
    """Answered by Pong: the process lives."""


class Storage(Message, frozen=True, kw_only=True):
    """Where recordings go, `s3://BUCKET/PREFIX`, and where those lie that are sent: each in a directory of its name
    below `recordings`. `with_journal`: as in recorder/uploads/config.py."""

    recordings: str
    url: str
    endpoint: str | None
    with_journal: bool


class Upload(Message, frozen=True, kw_only=True):
    """Of a recording whose files are made. It may be said again. `order`: greater than any before of this recording, so
    that what becomes of it is not taken for what becomes of the next one. `delete`: of what is here, what has been
    verified there, before Uploaded is said."""

    recording: str
    order: int
    delete: bool = False


AnyOrder = Begin | Note | End | Make | Mix | StopMix | Ping | Storage | Upload


# --- from the recorder ---------------------------------------------------------------------------------------


class Begun(Message, frozen=True, kw_only=True):
    recording: str
    address: str  # of its sink, for the plane


class Listening(Message, frozen=True, kw_only=True):
    """The plane's end of its sink is known. What is tapped from now on is not lost to a process that starts slowly."""

    recording: str


class Progress(Message, frozen=True, kw_only=True):
    """So far, since the process began with it. `state` is a JournalState, `failure` says in words what is wrong."""

    recording: str
    bytes: int
    packets: int
    dropped: int  # frames that the sink lost
    lost: int  # entries that the disk did not take
    state: str
    failure: str


class Ended(Message, frozen=True, kw_only=True):
    recording: str


class MadeFile(Struct, frozen=True, kw_only=True):
    path: str  # within the directory
    participant: str
    size_bytes: int
    duration_s: float
    error: str = ""


class Made(Message, frozen=True, kw_only=True):
    recording: str
    duration_s: float
    files: list[MadeFile]


class Failed(Message, frozen=True, kw_only=True):
    """What was asked last of this recording cannot be done."""

    recording: str
    reason: str


class Mixing(Message, frozen=True, kw_only=True):
    """`share`: of it that is made, from 0 to 1."""

    recording: str
    mix: str
    share: float


class Mixed(Message, frozen=True, kw_only=True):
    recording: str
    mix: str
    size_bytes: int


class MixFailed(Message, frozen=True, kw_only=True):
    recording: str
    mix: str
    reason: str


class Uploaded(Message, frozen=True, kw_only=True):
    """All of it is in the storage, and was verified there; then it was deleted here, if so ordered. `order`: as in
    the Upload that this answers. `sent_bytes`: of what was not there already."""

    recording: str
    order: int
    sent_bytes: int


class UploadDelayed(Message, frozen=True, kw_only=True):
    """It is tried again, for days."""

    recording: str
    reason: str


class UploadFailed(Message, frozen=True, kw_only=True):
    """It is not tried again by itself. What is here stays. `order`: as in the Upload that this answers."""

    recording: str
    order: int
    reason: str


class Pong(Message, frozen=True, kw_only=True):
    pass


AnyWord = (
    Begun
    | Listening
    | Progress
    | Ended
    | Made
    | Failed
    | Mixing
    | Mixed
    | MixFailed
    | Uploaded
    | UploadDelayed
    | UploadFailed
    | Pong
)

M = TypeVar("M")


def encode(message: AnyOrder | AnyWord) -> bytes:
    return cast(bytes, msgpack.packb(msgspec.to_builtins(message)))


def decode(frame: bytes, expected: Any) -> Any:
    """A frame back to AnyOrder or AnyWord. Raises MalformedFrame."""
    try:
        return msgspec.convert(msgpack.unpackb(frame), expected)
    except (ValueError, msgpack.UnpackException, msgspec.ValidationError) as error:
        raise MalformedFrame(str(error)) from error
