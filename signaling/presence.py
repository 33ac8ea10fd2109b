"""How a participant seems to the others, and how long it is waited for. Sans-IO.

    socket ── lost ── 2 s ──► reconnecting ── 30 s ──► gone for good
    a media connection ── silent, or to be built anew ──► reconnecting ── connected ──► connected

A blip of the socket is told nobody. As long as one of all these is missing, the participant is `reconnecting`.
"""

from __future__ import annotations

from typing import Final

from sfu.core.types import TransportState
from signaling.limits import SessionLimits
from signaling.messages import ConnectionName, LeaveReason, ParticipantState

# Of the Worker: why a Transport that is being made comes to nothing. What else ends one is not its client's failure.
_FAILED: Final = frozenset(
    {
        *("never_connected", "handshake_timeout", "fingerprint_mismatch", "no_srtp_profile", "dtls_error", "closed"),
        "internal",  # what it sends leads to a bug of ours, and would again
    }
)


class Presence:
    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._shown: ParticipantState = "connected"
        self._away_since: float | None = None
        self._grace_over = False
        self._missing: set[ConnectionName] = set()  # media connections
        self._connected: set[ConnectionName] = set()  # have been, as they are now
        self._rebuild_by: dict[ConnectionName, float] = {}

    @property
    def away(self) -> bool:
        """Its socket is lost; it may come back."""
        return self._away_since is not None

    def on_socket_lost(self, now: float) -> None:
        self._away_since = now
        self._grace_over = False

    def on_socket_back(self, now: float) -> None:
        self._away_since = None
        for connection in self._rebuild_by:
            self._rebuild_by[connection] = now + self._limits.rebuild_timeout_s

    def on_transport(self, connection: ConnectionName, state: TransportState) -> None:
        if state is TransportState.CONNECTED:
            self._connected.add(connection)
            self._missing.discard(connection)
        elif state is TransportState.RECONNECTING:
            self._missing.add(connection)

    def may_be_rebuilt(self, connection: ConnectionName, reason: str) -> bool:
        """What the client never managed to make it would not the next time; unless it was away."""
        return reason not in _FAILED or connection in self._connected or self.away

    def on_reset(self, connection: ConnectionName, now: float) -> None:
        """It is to be built anew."""
        self._connected.discard(connection)
        self._missing.add(connection)
        self._rebuild_by[connection] = now + self._limits.rebuild_timeout_s

    def on_rebuilding(self, connection: ConnectionName) -> None:
        """There is a Transport again, and the Worker minds the time from now on."""
        self._rebuild_by.pop(connection, None)

    def on_not_needed(self, connection: ConnectionName) -> None:
        """Nothing is left that would flow there."""
        self._rebuild_by.pop(connection, None)
        self._missing.discard(connection)

    def rebuilding(self) -> tuple[ConnectionName, ...]:
        """What waits to be built anew."""
        return tuple(self._rebuild_by)

    def next_timeout(self) -> float | None:
        if self._away_since is not None:
            within, grace = self._limits.resume_within_s, self._limits.resume_grace_s
            return self._away_since + (within if self._grace_over else min(grace, within))
        return min(self._rebuild_by.values(), default=None)

    def on_timeout(self, now: float) -> None:
        if self._away_since is not None and now >= self._away_since + self._limits.resume_grace_s:
            self._grace_over = True

    def end(self, now: float) -> tuple[LeaveReason, tuple[str, str] | None] | None:
        """Why it cannot stay, and what its client is told; None: it can."""
        if self.lost_for_good(now):
            return "disconnected", None
        overdue = self.overdue(now)
        if overdue is None:
            return None
        late = f"{overdue}: not built anew within {self._limits.rebuild_timeout_s:g} s"
        return "timeout", ("transport_lost", late)

    def lost_for_good(self, now: float) -> bool:
        """The socket has been away for too long."""
        return self._away_since is not None and now >= self._away_since + self._limits.resume_within_s

    def overdue(self, now: float) -> ConnectionName | None:
        """A connection that the client, though it is here, did not build anew in time."""
        if self.away:
            return None
        return next((connection for connection, by in self._rebuild_by.items() if now >= by), None)

    def change(self) -> ParticipantState | None:
        """What the others are to be told, once; None: nothing new."""
        missing = bool(self._missing) or (self.away and self._grace_over)
        state: ParticipantState = "reconnecting" if missing else "connected"
        if state == self._shown:
            return None
        self._shown = state
        return state
