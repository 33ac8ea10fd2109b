"""Repeated requests, without HTTP."""

from __future__ import annotations

import pytest

from signaling.api.idempotency import KEEP_S, Idempotency, Kept, Ticket
from signaling.errors import Refused
from signaling.records import Drop, Put, Stored

ANSWER = Kept(201, {"ETag": '"1"'}, b"{}")


def begin(table: Idempotency, key: str = "k", fingerprint: bytes = b"f", now: float = 0.0) -> Ticket:
    found = table.ask("ada", key, fingerprint, now)
    assert not isinstance(found, Kept) and found[1], "this one is to be carried out"
    return found[0]


def test_the_second_request_is_answered_what_the_first_was() -> None:
    table = Idempotency()
    table.settle(begin(table), ANSWER, 0.0)
    assert table.ask("ada", "k", b"f", 1.0) is ANSWER


def test_a_request_that_comes_meanwhile_waits_for_the_first() -> None:
    table = Idempotency()
    ticket = begin(table)
    found = table.ask("ada", "k", b"f", 0.0)
    assert not isinstance(found, Kept) and found == (ticket, False)
    told: list[Kept | None] = []
    ticket.waiting.append(told.append)
    table.settle(ticket, ANSWER, 0.0)
    assert told == [ANSWER]


def test_what_was_abandoned_is_carried_out_by_the_next() -> None:
    table = Idempotency()
    ticket = begin(table)
    told: list[Kept | None] = []
    ticket.waiting.append(told.append)
    table.abandon(ticket)
    assert told == [None]
    begin(table)


@pytest.mark.parametrize("settled", [False, True])
def test_a_key_is_for_one_request(settled: bool) -> None:
    table = Idempotency()
    ticket = begin(table)
    if settled:
        table.settle(ticket, ANSWER, 0.0)
    with pytest.raises(Refused, match="idempotency_mismatch"):
        table.ask("ada", "k", b"other", 0.0)


def test_keys_of_others_are_others() -> None:
    table = Idempotency()
    table.settle(begin(table), ANSWER, 0.0)
    assert not isinstance(table.ask("eve", "k", b"other", 0.0), Kept)


def test_answers_are_forgotten_after_a_day() -> None:
    table = Idempotency()
    table.settle(begin(table), ANSWER, 0.0)
    assert table.ask("ada", "k", b"f", KEEP_S - 1) is ANSWER
    begin(table, now=KEEP_S)


def test_the_oldest_go_when_there_are_too_many_or_they_are_too_large() -> None:
    table = Idempotency(max_kept=3, max_kept_bytes=100)
    for key in "abcd":
        table.settle(begin(table, key), ANSWER, 0.0)
    begin(table, "a")
    assert table.ask("ada", "b", b"f", 0.0) is ANSWER
    table.settle(begin(table, "large"), Kept(200, {}, b"x" * 95), 0.0)
    begin(table, "b")


def stored(table: Idempotency, before: dict[str, Stored] | None = None) -> dict[str, Stored]:
    """What a store has by then."""
    values = dict(before or {})
    while (record := table.poll_record()) is not None:
        if isinstance(record, Put):
            values[record.value.key] = record.value
        else:
            assert isinstance(record, Drop)
            del values[record.key]
    return values


def test_answers_outlive_a_restart_but_for_secrets() -> None:
    table = Idempotency()
    table.settle(begin(table), ANSWER, 0.0)
    table.settle(begin(table, "secret"), ANSWER, 0.0, store=False)
    values = stored(table)
    again = Idempotency()
    again.restore(values.values())
    assert again.ask("ada", "k", b"f", KEEP_S - 1) == ANSWER
    with pytest.raises(Refused, match="idempotency_mismatch"):
        again.ask("ada", "k", b"other", KEEP_S - 1)
    begin(again, "secret")
    begin(again, "k", now=KEEP_S)
    assert stored(again, values) == {}, "what is over is not kept either"
