"""Which recording is sent next, and when one that failed is tried again. Sans-IO; `now` is Unix time.

submit ─► due ─ poll ─► under way ─ on_done ─► gone
           ▲                │
           └─ on_failed ────┘   later each time, up to an hour; after a week it is given up
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from recorder.uploads.config import UploadConfig


@dataclass(slots=True)
class _Waiting:
    since: float
    attempts: int
    at: float
    under_way: bool = False


class Schedule:
    """`chance` gives numbers in [0, 1)."""

    def __init__(self, config: UploadConfig, chance: Callable[[], float]) -> None:
        self._config = config
        self._chance = chance
        self._waiting: dict[str, _Waiting] = {}
        self._due: list[tuple[float, str]] = []  # heap; may hold what is out of date
        self._under_way = 0

    @property
    def names(self) -> set[str]:
        """What is under way, or waits for its time."""
        return set(self._waiting)

    def submit(self, name: str, now: float, *, since: float | None = None, attempts: int = 0, at: float = 0.0) -> None:
        """Nothing happens if it is there already. The rest: what is known of it from before."""
        if name not in self._waiting:
            self._wait(name, _Waiting(now if since is None else since, attempts, at))

    def is_under_way(self, name: str) -> bool:
        return name in self._waiting and self._waiting[name].under_way

    def next_timeout(self) -> float | None:
        if self._under_way >= self._config.concurrency:
            return None
        while self._due and not self._is_current(*self._due[0]):
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def poll(self, now: float) -> str | None:
        """What to send now; followed by `on_done` or `on_failed`. None: nothing more yet."""
        at = self.next_timeout()
        if at is None or at > now:
            return None
        _, name = heapq.heappop(self._due)
        self._waiting[name].under_way = True
        self._under_way += 1
        return name

    def on_done(self, name: str) -> None:
        """It is there, or will never be."""
        del self._waiting[name]
        self._under_way -= 1

    def on_failed(self, name: str, now: float) -> tuple[int, float] | None:
        """How often it has failed, and when it is tried again; None: it is given up."""
        one = self._waiting[name]
        one.attempts += 1
        config = self._config
        pause_s = min(config.first_pause_s * 2.0 ** min(one.attempts - 1, 30), config.longest_pause_s)
        one.at = now + pause_s * (1 + config.jitter * (2 * self._chance() - 1))
        if one.at > one.since + config.give_up_after_s:
            self.on_done(name)
            return None
        one.under_way = False
        self._under_way -= 1
        self._wait(name, one)
        return one.attempts, one.at

    def _wait(self, name: str, one: _Waiting) -> None:
        self._waiting[name] = one
        heapq.heappush(self._due, (one.at, name))

    def _is_current(self, at: float, name: str) -> bool:
        one = self._waiting.get(name)
        return one is not None and not one.under_way and one.at == at
