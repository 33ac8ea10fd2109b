"""One turn, one transaction: events are stamped in order, and of what is put more than once the last counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count

from signaling.events import AnyEvent, RoomCreated, RoomEnded, RoomReference
from signaling.ledger import Ledger
from signaling.records import Drop, Put, Record, StoredRoom, Transaction
from signaling.webhooks.delivery import Delivery

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOM = RoomReference(id="RM_1", name="demo")


def stored(room_seq: int) -> StoredRoom:
    return StoredRoom(id="RM_1", name="demo", by="join", room_seq=room_seq)


def address(event: AnyEvent, room_url: str) -> Iterable[Delivery]:
    """To one webhook, for every end of a room."""
    if isinstance(event, RoomEnded):
        yield Delivery(
            id="DL_1", webhook="WH_1", lane="", event=event.seq, event_id=event.id, type="room.ended", created_at=0.0
        )


def ledger(last_seq: int = 0) -> Ledger:
    numbers = count(1)
    return Ledger(last_seq, lambda: f"EV_{next(numbers)}", address)


def test_a_turn_in_which_nothing_happens_is_no_transaction() -> None:
    assert ledger().close_turn() is None


def test_events_are_stamped_in_order_and_go_on_after_those_that_are_kept() -> None:
    book = ledger(last_seq=41)
    first: AnyEvent = RoomCreated(room=ROOM, room_seq=1, by="join")
    second: AnyEvent = RoomEnded(room=ROOM, room_seq=2, reason="empty")
    book.add(first, NOW)
    book.add(second, NOW)
    transaction = book.close_turn()
    assert transaction is not None
    assert [(event.id, event.seq, event.created_at, event.room_seq) for event in transaction.events] == [
        ("EV_1", 42, NOW, 1),
        ("EV_2", 43, NOW, 2),
    ]
    assert [(one.event, one.event_id) for one in transaction.deliveries] == [(43, "EV_2")]
    assert book.close_turn() is None, "what is in one transaction is in no other"


def test_the_last_word_counts() -> None:
    key = ("room", "RM_1")
    cases: list[tuple[list[Record], Transaction]] = [
        ([Put(stored(1)), Put(stored(2))], Transaction(puts={key: stored(2)})),
        ([Put(stored(1)), Drop(StoredRoom, "RM_1")], Transaction(drops=frozenset({key}))),
        ([Drop(StoredRoom, "RM_1"), Put(stored(3))], Transaction(puts={key: stored(3)})),
    ]
    for records, transaction in cases:
        book = ledger()
        for record in records:
            book.add(record, NOW)
        assert book.close_turn() == transaction
