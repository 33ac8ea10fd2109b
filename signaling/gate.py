"""Holds back what tells of a change until the change is kept. Sans-IO.

    a turn with a transaction ── what it says, to anybody ──► held ── committed ──► said, in order
    a turn without one ───────── to somebody with something held: behind that; to others: at once

So nobody hears of what a crash could undo, and each one hears everything in the order in which it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

Say = Callable[[], None]


class Gate:
    """Transactions are numbered from 1 and committed in that order. Who listens is known by any hashable."""

    def __init__(self) -> None:
        self._committed = 0
        self._held: dict[int, list[Say]] = {}  # by the transaction that it waits for
        self._waits_for: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def hold(self, said: Iterable[tuple[Hashable, Say]], transaction: int | None) -> list[Say]:
        """What was said in one turn, and its transaction. Returns what may be said at once."""
        free: list[Say] = []
        for listener, say in said:
            number = transaction or self._waits_for.get(listener, 0)
            if number <= self._committed:
                free.append(say)
            else:
                self._held.setdefault(number, []).append(say)
                self._waits_for[listener] = number
        return free

    def on_committed(self, transaction: int) -> list[Say]:
        """Returns what may be said now."""
        assert transaction == self._committed + 1, "transactions are committed in order"
        self._committed = transaction
        for listener in [one for one, number in self._waits_for.items() if number == transaction]:
            del self._waits_for[listener]
        return self._held.pop(transaction, [])
