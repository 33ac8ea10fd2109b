"""One direction of a network path: a bottleneck with a queue, then delay, jitter and loss. Virtual time, seeded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import TypeAlias

Schedule: TypeAlias = Callable[[float, Callable[[float], None]], None]  # calls with the time when it has come


@dataclass(frozen=True, slots=True)
class Conditions:
    """`rate_bps` 0: no bottleneck. Bytes are those of datagrams."""

    rate_bps: float = 0.0
    queue_s: float = 0.5  # so much waits at most; what comes then is dropped
    delay_s: float = 0.02
    jitter_s: float = 0.0  # each packet up to so much later, in order
    loss: float = 0.0
    burst_enters: float = 0.0  # Gilbert–Elliott: chance per packet to enter a burst, in which every packet is lost …
    burst_leaves: float = 1.0  # … and to leave it
    reordered: float = 0.0  # this share overtakes nobody, but is overtaken: it comes 5 to 15 ms later


@dataclass(slots=True)
class Passage:
    """One datagram on its way. It may be postponed while it waits: whoever delivers it looks again when it is due."""

    leaves_at: float
    arrives_at: float


class Link:
    def __init__(self, random: Random, conditions: Conditions | None = None) -> None:
        self.conditions = conditions or Conditions()
        self._random = random
        self._free_at = 0.0  # when the bottleneck has sent what waits
        self._waiting: deque[Passage] = deque()
        self._last_arrival = 0.0
        self._in_burst = False
        self._away_until = 0.0
        self.dropped = 0

    def change(self, now: float, **conditions: float) -> None:
        """What waits goes on at the new rate, if that is lower; nobody who waits is brought forward."""
        before = self.conditions
        self.conditions = replace(before, **conditions)
        if before.rate_bps and 0 < self.conditions.rate_bps < before.rate_bps:
            longer = before.rate_bps / self.conditions.rate_bps
            self._free_at = now + self.queue_s(now) * longer
            for passage in self._waiting:
                postponed_s = (longer - 1) * max(0.0, passage.leaves_at - now)
                passage.leaves_at += postponed_s
                passage.arrives_at += postponed_s
                self._last_arrival = max(self._last_arrival, passage.arrives_at)

    def stop(self, until: float) -> None:
        """Nothing leaves before then; what comes meanwhile waits."""
        self._away_until = max(self._away_until, until)
        self._free_at = max(self._free_at, until)

    def queue_s(self, now: float) -> float:
        return max(0.0, self._free_at - now)

    def pass_on(self, size: int, now: float) -> Passage | None:
        """`None`: it never arrives."""
        conditions = self.conditions
        leaves_at = max(now, self._away_until)
        if conditions.rate_bps:
            if self.queue_s(now) > conditions.queue_s:
                self.dropped += 1
                return None
            leaves_at = self._free_at = max(now, self._free_at) + 8 * size / conditions.rate_bps
        if self._is_lost():
            return None
        arrives_at = leaves_at + conditions.delay_s
        if conditions.jitter_s:
            arrives_at += conditions.jitter_s * self._random.random()
        if conditions.reordered and self._random.random() < conditions.reordered:
            arrives_at += 0.005 + 0.01 * self._random.random()
        else:
            arrives_at = self._last_arrival = max(arrives_at, self._last_arrival)
        while self._waiting and self._waiting[0].leaves_at <= now:
            self._waiting.popleft()
        self._waiting.append(Passage(leaves_at, arrives_at))
        return self._waiting[-1]

    def _is_lost(self) -> bool:
        conditions = self.conditions
        if conditions.burst_enters:
            chance = conditions.burst_leaves if self._in_burst else conditions.burst_enters
            if self._random.random() < chance:
                self._in_burst = not self._in_burst
            if self._in_burst:
                return True
        return bool(conditions.loss) and self._random.random() < conditions.loss


class TcpLikeFlow:
    """Somebody else's download through the same bottleneck: a window that grows by a packet per round trip and halves
    once per round trip with a loss (RFC 5681, without slow start)."""

    PACKET = 1200

    def __init__(self, link: Link, at: Schedule, now: float, back_s: float) -> None:
        self._link = link
        self._at = at
        self._back_s = back_s
        self._window = 10.0
        self._in_flight = 0
        self._halved_at = now
        self._stopped = False
        self.arrived = 0
        self._fill(now)

    def stop(self) -> None:
        self._stopped = True

    def _fill(self, now: float) -> None:
        while not self._stopped and self._in_flight < int(self._window):
            self._in_flight += 1
            passage = self._link.pass_on(self.PACKET, now)
            if passage is None:
                self._at(now + 2 * self._back_s + self._link.queue_s(now), self._on_loss)
            else:
                self._at(passage.arrives_at + self._back_s, self._on_ack)

    def _on_ack(self, now: float) -> None:
        self._in_flight -= 1
        self.arrived += self.PACKET
        self._window += 1 / self._window
        self._fill(now)

    def _on_loss(self, now: float) -> None:
        self._in_flight -= 1
        if now - self._halved_at > 2 * self._back_s + self._link.queue_s(now):
            self._halved_at = now
            self._window = max(2.0, self._window / 2)
        self._fill(now)
