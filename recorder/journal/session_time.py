"""The session's one clock: seconds since the recording began, whichever run of the machine wrote the entry."""

from __future__ import annotations

from recorder.journal.events import Epoch


class SessionTime:
    """Times of entries are the machine's monotonic clock, which begins anew when the machine does. Then, and only then,
    the calendar says how long that took; a calendar that went backwards counts as no time at all."""

    def __init__(self) -> None:
        self.first: Epoch | None = None
        self.boot = ""
        self._offset_s = 0.0
        self._latest_s = 0.0

    def on_epoch(self, epoch: Epoch) -> None:
        if self.first is None:
            self.first = epoch
            self._offset_s = -epoch.monotonic_s
        elif epoch.boot != self.boot:
            began_s = max(epoch.unix_s - self.first.unix_s, self._latest_s)
            self._offset_s = began_s - epoch.monotonic_s
        self.boot = epoch.boot

    def session_s(self, at_s: float) -> float:
        """Negative for what arrived before the recording began. Without an epoch (its segment is lost) times stay."""
        session_s = at_s + self._offset_s
        self._latest_s = max(self._latest_s, session_s)
        return session_s
