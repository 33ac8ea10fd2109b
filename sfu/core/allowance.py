"""A token bucket: so much per second, and so much at once. Limits what one remote can make others pay for."""

from __future__ import annotations


class Allowance:
    """Starts full. `now` must not go backwards by more than it went forwards: a step back refills nothing."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = burst
        self._at: float | None = None

    def take(self, wanted: int, now: float) -> int:
        """How many of `wanted` are granted: 0 … wanted. They are spent."""
        self._refill(now)
        granted = max(0, min(wanted, int(self._left)))
        self._left -= granted
        return granted

    def spend(self, amount: int, now: float) -> bool:
        """All of `amount` or nothing, for what cannot be divided. While anything is left all is granted, on credit if
        need be: what is dear is possible then, and nothing more until it is paid off."""
        self._refill(now)
        if self._left <= 0:
            return False
        self._left -= amount
        return True

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = now
