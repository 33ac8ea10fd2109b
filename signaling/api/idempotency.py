"""Requests that may come twice: the first with a key is carried out, the others are answered what it was answered.

    ask(key, …) ─┬─ new ──────────────► Ticket: carry it out, then `settle` or `abandon`
                 ├─ being carried out ─► Ticket to wait for
                 └─ answered ─────────► the Kept answer

A key is one caller's. Answers are kept for a day, also over a restart, or until there is no more room for them.
Sans-IO, with `now` in Unix time.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from signaling.errors import Refused
from signaling.records import Drop, Put, Record, Stored, StoredAnswer

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
    is_stored: bool


class Idempotency:
    def __init__(self, max_kept: int = MAX_KEPT, max_kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_kept = max_kept
        self._max_kept_bytes = max_kept_bytes
        self._octets = 0
        self._under_way: dict[tuple[str, str], Ticket] = {}
        self._kept: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._records: deque[Record] = deque()

    def restore(self, kept: Iterable[Stored]) -> None:
        answers = [value for value in kept if isinstance(value, StoredAnswer)]
        for one in sorted(answers, key=lambda answer: answer.until):
            entry = _Entry(one.fingerprint, Kept(one.status, one.headers, one.body), one.until, is_stored=True)
            self._add((one.caller, one.idempotency_key), entry)

    def poll_record(self) -> Record | None:
        return self._records.popleft() if self._records else None

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

    def settle(self, ticket: Ticket, answer: Kept, now: float, *, store: bool = True) -> None:
        """It was carried out. `store`: the answer may be written down; one with a secret in it is kept in memory."""
        del self._under_way[ticket.scope]
        self._add(ticket.scope, _Entry(ticket.fingerprint, answer, now + KEEP_S, is_stored=store))
        if store:
            self._records.append(Put(_stored(ticket.scope, self._kept[ticket.scope])))
        for tell in ticket.waiting:
            tell(answer)

    def abandon(self, ticket: Ticket) -> None:
        """It had no effect, or it is not known which: nothing is remembered, and the next one is carried out."""
        del self._under_way[ticket.scope]
        for tell in ticket.waiting:
            tell(None)

    def _add(self, scope: tuple[str, str], entry: _Entry) -> None:
        self._kept[scope] = entry
        self._octets += len(entry.answer.body)
        while len(self._kept) > self._max_kept or self._octets > self._max_kept_bytes:
            self._drop_oldest()

    def _expire(self, now: float) -> None:
        while self._kept and next(iter(self._kept.values())).until <= now:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        scope, entry = self._kept.popitem(last=False)
        self._octets -= len(entry.answer.body)
        if entry.is_stored:
            self._records.append(Drop(StoredAnswer, _stored(scope, entry).key))


def _stored(scope: tuple[str, str], entry: _Entry) -> StoredAnswer:
    caller, key = scope
    return StoredAnswer(
        caller=caller,
        idempotency_key=key,
        fingerprint=entry.fingerprint,
        status=entry.answer.status,
        headers=entry.answer.headers,
        body=entry.answer.body,
        until=entry.until,
    )
