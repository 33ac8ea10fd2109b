"""A token bucket: how often somebody may do something, with some credit for bursts."""

from __future__ import annotations

from signaling.errors import ProtocolError
from signaling.limits import SessionLimits


class Rate:
    def __init__(self, per_s: float, burst: int, now: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._credit = float(burst)
        self._at = now

    def allows(self, now: float, amount: float = 1.0) -> bool:
        """Count `amount` more; False, and nothing counted, when that is too much."""
        self._credit = min(self._burst, self._credit + (now - self._at) * self._per_s)
        self._at = now
        if self._credit < amount:
            return False
        self._credit -= amount
        return True

    def credit(self, now: float) -> float:
        """How much `allows` would allow now."""
        return min(self._burst, self._credit + (now - self._at) * self._per_s)


class Pace:
    """What one client may say: so many messages, and so many bytes."""

    def __init__(self, limits: SessionLimits, now: float) -> None:
        self._limits = limits
        self._messages = Rate(limits.messages_per_s, limits.messages_burst, now)
        self._bytes = Rate(limits.bytes_per_s, limits.bytes_burst, now)

    def check(self, frame_bytes: int, now: float) -> None:
        """Raises ProtocolError, `rate`."""
        if not self._messages.allows(now):
            raise ProtocolError("rate", f"more than {self._limits.messages_per_s:g} messages per second")
        if not self._bytes.allows(now, frame_bytes):
            raise ProtocolError("rate", f"more than {self._limits.bytes_per_s:g} bytes per second")
