"""Whether a Transport's remote is there, told from its connectivity checks, its RTCP and DTLS. No I/O, no clock.

    CONNECTING ── DTLS done and a check seen ──► CONNECTED ◄── check, RTCP ── RECONNECTING
        │                                            └── silent 10 s ────────────►┘  │
        └── no parameters, or no DTLS, in time ──► GONE ◄── silent 30 s ─────────────┘

Closing a page sends nothing at all, so silence is all there is to go by; a closed signaling connection is the
faster hint, and not for here. RTCP counts because libnice, and so GStreamer, sends no checks once it is connected
(RFC 7675 notwithstanding): who reports on what we send still wants it, and only the remote has the keys to say so.
"""

from __future__ import annotations

from sfu.core.types import TransportState
from sfu.net.config import TransportConfig


class Liveness:
    def __init__(self, config: TransportConfig, now: float) -> None:
        self.state = TransportState.CONNECTING
        self.reason = ""  # why it is in this state: of RECONNECTING and GONE
        self._config = config
        self._deadline: float | None = now + config.connect_timeout_s
        self._overdue = "never_connected"  # what it means when the deadline passes
        self._heard_at: float | None = None
        self._secured = False

    def on_remote(self, now: float) -> None:
        """The remote's parameters are known: DTLS may begin."""
        if self.state is TransportState.CONNECTING:
            self._deadline = now + self._config.handshake_timeout_s
            self._overdue = "handshake_timeout"

    def on_check(self, now: float) -> None:
        self._heard_at = now
        self._settle()

    def on_rtcp(self, now: float) -> None:
        """Authentic. Before the first check it proves nothing: there is no path to answer on."""
        if self.state in (TransportState.CONNECTED, TransportState.RECONNECTING):
            self._heard_at = now
            self._settle()

    def on_secured(self) -> None:
        """DTLS is done and keys are in place."""
        self._secured = True
        self._settle()

    def end(self, reason: str) -> None:
        self.state = TransportState.GONE
        self.reason = reason
        self._deadline = None

    def deadline(self) -> float | None:
        """When `on_timeout` has something to do."""
        return self._deadline

    def on_timeout(self, now: float) -> None:
        """One step at a time: after a stall of ours, what waits in the socket is heard before anybody is given up."""
        if self._deadline is None or now < self._deadline:
            return
        if self.state is TransportState.CONNECTED:
            assert self._heard_at is not None, "nobody is CONNECTED without a check"
            self.state = TransportState.RECONNECTING
            self.reason = "silent"
            self._deadline = self._heard_at + self._config.silent_gone_s
            self._overdue = "silent"
        else:
            self.end(self._overdue)

    def _settle(self) -> None:
        if self.state is TransportState.GONE or not self._secured or self._heard_at is None:
            return
        self.state = TransportState.CONNECTED
        self.reason = ""
        self._deadline = self._heard_at + self._config.silent_reconnecting_s
