"""Requests that may come twice: the first with a key is carried out, the others are answered what it was answered.

    ask(key, …) ─┬─ new ──────────────► Ticket: carry it out, then `settle` or `abandon`
                 ├─ being carried out ─► Ticket to wait for
                 └─ answered ─────────► the Kept answer

A key is one caller's. Answers are kept for a day, or until there is no more room for them. Sans-IO.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from signaling.errors import Refused

# As long as others keep them: who repeats a request does so within minutes, a job queue perhaps the next day.
KEEP_S: Final = 24 * 3600.0
# Of all callers together. Beyond it the oldest go, for memory: some 500 bytes each, at most 64 KiB.
MAX_KEPT: Final = 10_000
MAX_KEPT_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it went out."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Ticket:
    """A request under way. `first`: this one is to carry it out; the others register to be told."""

    scope: tuple[str, str]
    fingerprint: bytes
    waiting: list[Callable[[Kept | None], None]] = field(default_factory=list)


@dataclass(slots=True)
class _Entry:
    fingerprint: bytes
    answer: Kept
    until: float


class Idempotency:
    def __init__(self, max_kept: int = MAX_KEPT, max_kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_kept = max_kept
        self._max_kept_bytes = max_kept_bytes
        self._octets = 0
        self._under_way: dict[tuple[str, str], Ticket] = {}
        self._kept: OrderedDict[tuple[str, str], _Entry] = OrderedDict()

    def ask(self, caller: str, key: str, fingerprint: bytes, now: float) -> tuple[Ticket, bool] | Kept:
        """A Ticket and whether the request is to be carried out for it; or what it was answered before. `fingerprint`
        is of everything that makes it this request. Raises Refused: the key was another request's."""
        scope = (caller, key)
        self._expire(now)
        before = self._under_way.get(scope) or self._kept.get(scope)
        if before is not None and before.fingerprint != fingerprint:
            raise Refused("idempotency_mismatch", "this Idempotency-Key was used for another request")
        if isinstance(before, _Entry):
            return before.answer
        if isinstance(before, Ticket):
            return before, False
        ticket = self._under_way[scope] = Ticket(scope, fingerprint)
        return ticket, True

    def settle(self, ticket: Ticket, answer: Kept, now: float) -> None:
        """It was carried out."""
        del self._under_way[ticket.scope]
        self._kept[ticket.scope] = _Entry(ticket.fingerprint, answer, now + KEEP_S)
        self._octets += len(answer.body)
        while len(self._kept) > self._max_kept or self._octets > self._max_kept_bytes:
            self._drop_oldest()
        for tell in ticket.waiting:
            tell(answer)

    def abandon(self, ticket: Ticket) -> None:
        """It had no effect, or it is not known which: nothing is remembered, and the next one is carried out."""
        del self._under_way[ticket.scope]
        for tell in ticket.waiting:
            tell(None)

    def _expire(self, now: float) -> None:
        while self._kept and next(iter(self._kept.values())).until <= now:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, entry = self._kept.popitem(last=False)
        self._octets -= len(entry.answer.body)
