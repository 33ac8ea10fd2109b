"""A session and the way to its client, as the switchboard keeps them, and what it counts of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sfu.control import AnyNotice, LayerChanged
from signaling.loop_lag import Histogram
from signaling.messages import TrackPublished, TrackUnpublished
from signaling.recordings.session import RecordingSession
from signaling.room_events import Entered
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
    waits_since: float | None = None  # joined then, and nothing has flowed to it yet that could have at once

    def on_joined(self, entered: Entered, now: float) -> None:
        if any(not track.muted for other in entered.others for track in other.tracks):
            self.waits_since = now

    def on_notice(self, notice: AnyNotice, now: float, first_media_times: Histogram) -> None:
        """Adds how long the first media took, if this is about that."""
        if self.waits_since is not None and isinstance(notice, LayerChanged):
            first_media_times.add(now - self.waits_since)
            self.waits_since = None

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
        return f"published track={change.track.id} source={change.track.source}"
    return f"unpublished track={change.track}"


def _to_nobody(*_: Any) -> None:
    """There is no socket."""
