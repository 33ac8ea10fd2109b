"""What a session wants done. It does none of it itself; `switchboard.py` does, in the order given."""

from __future__ import annotations

from dataclasses import dataclass

from recorder.control import AnyOrder
from sfu.control import AnyCommand
from signaling.auth import Grant
from signaling.messages import AnyServerMessage, LeaveReason, Resume
from signaling.moderation_messages import AnyModeration
from signaling.room_events import Change
from signaling.taps.messages import AnyTapMessage
from signaling.whip.exchange import Response


@dataclass(frozen=True, slots=True)
class Call:
    """To the Worker; its Reply comes back by `on_reply`."""

    command: AnyCommand


@dataclass(frozen=True, slots=True)
class Send:
    """To the client: over its WebSocket, or as the response to one of its HTTP requests."""

    message: AnyServerMessage | Response


@dataclass(frozen=True, slots=True)
class Tell:
    """To the recorder, whose words come back by `on_word`; or to whoever taps."""

    order: AnyOrder | AnyTapMessage


@dataclass(frozen=True, slots=True)
class Close:
    """The last output: close the WebSocket. `code` is of PROTOCOL.md."""

    ws_code: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Enter:
    """May we come in? Answered by `on_entered` or `on_refused`."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class TakeUp:
    """May we be another session's new socket? Answered by `on_refused`, or that one goes on in our place."""

    resume: Resume


@dataclass(frozen=True, slots=True)
class Attend:
    """Whether our client is away, or back."""

    away: bool


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the others in the room."""

    change: Change


@dataclass(frozen=True, slots=True)
class Moderate:
    """Do something to the room, or to somebody in it. Answered by `on_moderated`."""

    request: AnyModeration


@dataclass(frozen=True, slots=True)
class Renew:
    """From now on we are here by this grant. Answered by `on_renewed`."""

    request: int
    grant: Grant


@dataclass(frozen=True, slots=True)
class Depart:
    reason: LeaveReason


Output = Call | Send | Tell | Close | Enter | TakeUp | Attend | Announce | Moderate | Renew | Depart
