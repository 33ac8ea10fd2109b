"""Ends turns: their records become one transaction of the store, and what was said in them waits for it (`gate.py`).

So do the webhooks: what is on its way to them is kept in the same transaction, and sent when that is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from functools import partial
from itertools import count
from time import monotonic

from signaling.gate import Gate, Say
from signaling.ledger import Ledger
from signaling.loop_lag import BOUNDS_S, Histogram
from signaling.records import Record
from signaling.store import Store
from signaling.webhooks.delivery import Delivery
from signaling.webhooks.outbox import Outbox


class Turns:
    """`last_seq`: of the last event that the store has. `new_event_id` gives `EV_…`. Who is in `on_kept` is told
    when there is something more to read in the store."""

    def __init__(self, store: Store, last_seq: int, new_event_id: Callable[[], str], outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox
        self._ledger = Ledger(last_seq, new_event_id, outbox.address)
        self._gate = Gate()
        self._said: list[tuple[Hashable, Say]] = []
        self._numbers = count(1)
        self.commit_times = Histogram(BOUNDS_S)  # until what was done is kept, and may be answered
        self.on_kept: list[Callable[[], None]] = []

    def say(self, listener: Hashable, say: Say) -> None:
        """When this turn has ended and is kept, and what the listener was told before has been said."""
        self._said.append((listener, say))

    def end(self, *polls: Callable[[], Record | None]) -> None:
        """Records are taken from each of these until there is none."""
        now = datetime.now(UTC)
        for poll_record in polls:
            while (record := poll_record()) is not None:
                self._ledger.add(record, now)
        transaction = self._ledger.close_turn()
        said, self._said = self._said, []
        if transaction is None:
            for say in self._gate.hold(said, None):
                say()
            return
        number = next(self._numbers)
        self._gate.hold(said, number)
        self._store.commit(transaction, partial(self._on_committed, number, transaction.deliveries, monotonic()))

    def _on_committed(self, number: int, deliveries: tuple[Delivery, ...], since_s: float) -> None:
        self.commit_times.add(monotonic() - since_s)
        for say in self._gate.on_committed(number):
            say()
        if deliveries:
            self._outbox.admit(deliveries)
        for tell in self.on_kept:
            tell()
