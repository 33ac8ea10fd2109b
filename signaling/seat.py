"""A session and the way to its client, as the switchboard keeps them, and what it counts of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from signaling.messages import TrackPublished, TrackUnpublished
from signaling.recordings.session import RecordingSession
from signaling.session import ClientSession
from signaling.taps.session import TapSession
from signaling.whip.session import HttpSession

AnySession = ClientSession | HttpSession | RecordingSession | TapSession
Sending = Callable[[Any], None]
Closing = Callable[[int, str], None]  # with the WebSocket's code, and ours


@dataclass(frozen=True, slots=True)
class SignalingCounters:
    rooms: int
    participants: int
    sessions: int
    resumed: int  # how often one went on with another WebSocket
    closed: dict[str, int]  # sessions by the code they ended with


@dataclass(slots=True)
class Seat:
    number: int  # the session's
    session: AnySession
    send: Sending
    close: Closing
    address: str  # shortened, for logs
    socket: int | None = None  # which WebSocket speaks for it

    def on_socket_lost(self) -> None:
        """It says nothing until it has another, and there is nothing to close."""
        self.send, self.close, self.socket = _to_nobody, _to_nobody, None

    def __str__(self) -> str:
        """For logs."""
        identity = self.session.grant.identity if self.session.grant is not None else "-"
        return f"room={self.session.room} participant={identity} session={self.number} address={self.address}"


def describe_track(change: TrackPublished | TrackUnpublished) -> str:
    """For logs."""
    if isinstance(change, TrackPublished):
        return f"track={change.track.id} source={change.track.source}"
    return f"track={change.track}"


def _to_nobody(*_: Any) -> None:
    """There is no socket."""
