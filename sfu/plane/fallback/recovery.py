"""When what subscribers ask for again may leave: a token bucket for each Transport, and a queue behind it.

NACKs come from congested paths as much as from lossy ones, and answering all of them at once makes congestion worse. So
RTX has a rate of its own. What is beyond it waits in order, until it is of no use any more.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from sfu.core.types import DropReason
from sfu.plane.interface import PlaneConfig

if TYPE_CHECKING:
    from sfu.plane.fallback.slot import Slot


class Bucket:
    """So many bits per second, and so much at once. A datagram leaves while nothing is owed, on credit if need be; the
    next one when that is paid off."""

    __slots__ = ("_at", "_burst_s", "_level", "_rate_bps")

    def __init__(self, rate_bps: float, burst_s: float) -> None:
        self._burst_s = burst_s
        self._level = inf  # bytes; full to begin with
        self._at = 0.0
        self.set_rate(rate_bps)

    def set_rate(self, rate_bps: float) -> None:
        self._rate_bps = float(rate_bps)

    def ready_at(self) -> float:
        if self._level >= 0:
            return -inf
        return self._at - self._level * 8 / self._rate_bps

    def spend(self, size: int, now: float) -> None:
        elapsed = max(0.0, now - self._at)
        full = self._rate_bps * self._burst_s / 8
        self._level = min(full, self._level + elapsed * self._rate_bps / 8) - size
        self._at = max(self._at, now)


class _Waiting(NamedTuple):
    slot: Slot
    number: int  # as sent, unwrapped
    since: float


class Recovery:
    """RTX towards one remote."""

    def __init__(self, config: PlaneConfig) -> None:
        self.bucket = Bucket(config.recovery_bps, config.recovery_burst_s)
        self._most = config.rtx_waiting
        self._patience_s = config.rtx_wait_s
        self._waiting: deque[_Waiting] = deque()

    def next_timeout(self) -> float | None:
        return self.bucket.ready_at() if self._waiting else None

    def ask(self, slot: Slot, sequence_number: int, now: float) -> bool:
        """What a NACK names, sent now if nothing waits before it. False, and counted, if it is not taken."""
        number = slot.claim(sequence_number, now)
        if isinstance(number, DropReason):
            slot.drop(number)
            return False
        if not self._waiting and now >= self.bucket.ready_at():
            return self._send(slot, number, now)
        if len(self._waiting) >= self._most:
            slot.drop(DropReason.RTX_LIMIT)
            return False
        self._waiting.append(_Waiting(slot, number, now))
        slot.sent.wait(number)
        return True

    def send_due(self, now: float) -> None:
        while self._waiting and now >= self.bucket.ready_at():
            slot, number, since = self._waiting.popleft()
            slot.sent.release(number)
            if now - since > self._patience_s:
                slot.drop(DropReason.RTX_LATE)
            else:
                self._send(slot, number, now)

    def forget(self, slot: Slot) -> None:
        """It is gone."""
        for waiting in self._waiting:
            if waiting.slot is slot:
                slot.drop(DropReason.NOT_IN_HISTORY)
        self._waiting = deque(waiting for waiting in self._waiting if waiting.slot is not slot)

    def _send(self, slot: Slot, number: int, now: float) -> bool:
        left = slot.repeat(number, now)
        if isinstance(left, DropReason):
            slot.drop(left)
            return False
        self.bucket.spend(left, now)
        return True
