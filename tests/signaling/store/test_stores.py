"""What both stores promise, and what SQLite adds: it survives a kill, tells its versions apart, and is one server's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from signaling.events import AnyEvent, RoomCreated, RoomReference
from signaling.records import StoredRoom, Transaction
from signaling.store import CannotOpenStore, Store, checkpoints, open_store
from signaling.store.schema import MIGRATIONS
from signaling.store.sqlite import SqliteStore
from signaling.webhooks.delivery import Delivery
from tests.support.ice import PATIENCE_S, until

NOW = datetime.now(UTC)
ROOT = Path(__file__).resolve().parents[3]


def event(seq: int, room: str = "demo") -> AnyEvent:
    reference = RoomReference(id=f"RM_{room}", name=room)
    return RoomCreated(id=f"EV_{seq}", seq=seq, created_at=NOW, room=reference, room_seq=1, by="api")


def room(name: str, room_seq: int = 1) -> StoredRoom:
    return StoredRoom(id=f"RM_{name}", name=name, by="api", room_seq=room_seq)


def putting(*rooms: StoredRoom) -> Transaction:
    return Transaction(puts={("room", one.key): one for one in rooms})


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(tmp_path / "sfu.sqlite" if request.param == "sqlite" else None)
    opened.load()
    yield opened
    await opened.close()


async def commit(store: Store, transaction: Transaction) -> None:
    committed = asyncio.Event()
    store.commit(transaction, committed.set)
    await asyncio.wait_for(committed.wait(), PATIENCE_S)


async def test_what_is_committed_can_be_read(store: Store) -> None:
    await commit(store, putting(room("a"), room("b")))
    await commit(store, putting(room("a", 7)))
    await commit(store, Transaction((event(1),), drops=frozenset({("room", "RM_b"), ("room", "RM_unknown")})))
    assert store.load().values == (room("a", 7),)
    assert await store.events(0, None, 10) == [event(1)]


async def test_all_of_a_group_are_called_back_in_their_order_though_one_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(tmp_path / "sfu.sqlite")
    called: list[int] = []
    for number in range(5):
        store.commit(putting(room("a", number)), partial(called.append, number))
    store.commit(putting(room("a", 5)), lambda: [][0])
    await commit(store, putting(room("a", 6)))
    assert called == list(range(5)) and "IndexError" in caplog.text
    await store.close()


async def test_events_are_read_in_order_from_where_one_was(store: Store) -> None:
    await commit(store, Transaction(tuple(event(seq, "ab"[seq % 2]) for seq in range(1, 8))))
    assert store.load().last_seq == 7
    assert [one.seq for one in await store.events(2, None, 3)] == [3, 4, 5]
    assert [one.seq for one in await store.events(2, "a", 10)] == [4, 6]
    assert await store.events(7, None, 10) == []


def delivery(name: str, seq: int, **fields: Any) -> Delivery:
    made: dict[str, Any] = {"webhook": "WH_1", "lane": "RM_1", "created_at": float(seq)}
    return Delivery(id=name, event=seq, event_id=f"EV_{seq}", type="room.created", **made | fields)


async def test_deliveries_are_kept_until_the_last_word_on_them(store: Store) -> None:
    first, second, other = delivery("DL_z", 1), delivery("DL_a", 2), delivery("DL_b", 2, webhook="WH_2")
    await commit(store, Transaction((event(1), event(2)), (first, second, other)))
    assert {one.id for one in store.load().pending} == {"DL_z", "DL_a", "DL_b"}
    assert [one.event for one in store.load().pending] == [1, 2, 2]
    done = msgspec.structs.replace(first, state="delivered", attempts=2, status=204)
    await commit(store, Transaction(deliveries=(done,)))
    assert {one.id for one in store.load().pending} == {"DL_a", "DL_b"}
    assert await store.delivery("DL_z") == done and await store.delivery("DL_none") is None
    assert await store.deliveries("WH_1", None, None, 10) == [second, done]
    assert await store.deliveries("WH_1", "delivered", None, 10) == [done]
    assert await store.deliveries("WH_1", None, 2, 10) == [done]
    assert await store.deliveries("WH_1", None, None, 1) == [second]
    assert await store.event(2) == event(2) and await store.event(3) is None


async def test_what_is_old_and_done_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "sfu.sqlite"
    store = SqliteStore(path)
    old = [msgspec.structs.replace(event(seq), created_at=datetime(2020, 1, 1, tzinfo=UTC)) for seq in (1, 2, 3)]
    pending, done = delivery("DL_1", 1), delivery("DL_2", 2, state="delivered")
    await commit(store, Transaction(tuple(old), (pending, done)))
    await store.close()
    store = SqliteStore(path)  # begins by forgetting
    await commit(store, putting(room("a")))
    assert [one.seq for one in await store.events(0, None, 10)] == [1, 3], "what is pending, and the last one"
    assert [one.id for one in await store.deliveries("WH_1", None, None, 10)] == ["DL_1"]
    assert store.load().last_seq == 3
    await store.close()


async def test_transactions_are_confirmed_in_the_order_in_which_they_came(store: Store) -> None:
    confirmed: list[int] = []
    done = asyncio.Event()
    for number in range(200):
        store.commit(putting(room(str(number))), lambda number=number: confirmed.append(number))  # type: ignore[misc]
    store.commit(putting(room("last")), done.set)
    await asyncio.wait_for(done.wait(), PATIENCE_S)
    assert confirmed == list(range(200)) and len(store.load().values) == 201


async def test_of_what_is_committed_together_the_last_word_counts(store: Store) -> None:
    """However many they are: SQLite is given them by statements of many rows."""
    done = asyncio.Event()
    drop = Transaction(drops=frozenset({("room", "RM_1"), ("room", "RM_2")}))
    first = delivery("DL_1", 1, created_at=NOW.timestamp())
    last = msgspec.structs.replace(first, state="delivered")
    store.commit(putting(*(room(str(number)) for number in range(150))), lambda: None)
    store.commit(drop, lambda: None)
    store.commit(putting(room("1", 7), room("3", 8)), lambda: None)
    store.commit(Transaction(tuple(event(seq) for seq in range(1, 131)), (first,)), lambda: None)
    store.commit(Transaction(deliveries=(last,)), done.set)
    await asyncio.wait_for(done.wait(), PATIENCE_S)
    kept = {one.key: one for one in store.load().values if isinstance(one, StoredRoom)}
    assert len(kept) == 149 and "RM_2" not in kept
    assert (kept["RM_1"].room_seq, kept["RM_3"].room_seq, kept["RM_4"].room_seq) == (7, 8, 1)
    assert await store.events(0, None, 1000) == [event(seq) for seq in range(1, 131)]
    assert store.load().pending == () and await store.delivery("DL_1") == last


async def test_what_is_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "sfu.sqlite"
    first = open_store(path)
    await commit(first, Transaction((event(9),), puts={("room", "RM_a"): room("a")}))
    await first.close()
    second = open_store(path)
    assert (second.load().last_seq, second.load().values) == (9, (room("a"),))
    await second.close()
    assert path.stat().st_mode & 0o077 == 0, "there are secrets in it"


def rounds(log: Path) -> int:
    """How often the write-ahead log has begun anew (sqlite.org/walformat.html: the checkpoint sequence number)."""
    return int.from_bytes(log.read_bytes()[12:16])


async def test_the_log_is_brought_into_the_file_beside_commits_that_do_not_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "COMMITS", 10)
    monkeypatch.setattr(checkpoints, "LONGEST_PAGES", 20)
    path = tmp_path / "sfu.sqlite"
    log = path.with_name(path.name + "-wal")
    store = SqliteStore(path)
    await commit(store, putting(room("0")))
    first, last, done = rounds(log), 0, asyncio.Event()

    def go_on() -> None:
        nonlocal last
        last += 1
        more = rounds(log) < first + 3
        store.commit(Transaction((event(last),)), go_on if more else done.set)

    go_on()
    go_on()  # so that one is always waiting
    await asyncio.wait_for(done.wait(), 60)
    await store.close()
    assert not log.exists()
    again = SqliteStore(path)
    assert [one.seq for one in await again.events(0, None, 1_000_000)] == list(range(1, last + 1))
    await again.close()


async def test_closing_waits_for_what_was_to_be_committed(tmp_path: Path) -> None:
    store = open_store(tmp_path / "sfu.sqlite")
    confirmed: list[bool] = []
    store.commit(putting(room("a")), lambda: confirmed.append(True))
    await store.close()
    assert confirmed == [True]


async def test_a_file_is_one_servers_at_a_time(tmp_path: Path) -> None:
    store = open_store(tmp_path / "sfu.sqlite")
    with pytest.raises(CannotOpenStore, match="another server"):
        open_store(tmp_path / "sfu.sqlite")
    await store.close()
    await open_store(tmp_path / "sfu.sqlite").close()


async def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    foreign, newer, text = tmp_path / "foreign", tmp_path / "newer", tmp_path / "text"
    with contextlib.closing(sqlite3.connect(foreign)) as other:
        other.execute("CREATE TABLE theirs (x)")
    await open_store(newer).close()
    with contextlib.closing(sqlite3.connect(newer)) as store:
        store.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    text.write_text("not a database, but long enough to look like one to somebody in a hurry" * 10)
    problems = ((foreign, "another program"), (newer, "newer version"), (text, "not a database"))
    for path, said in (*problems, *problems):  # it is not locked by that
        with pytest.raises(CannotOpenStore, match=said):
            open_store(path)


async def test_while_it_cannot_write_it_says_so_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sfu.sqlite"
    store = SqliteStore(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")  # waited for during sqlite3's five seconds, then an error
    store._writer.execute("PRAGMA busy_timeout = 50")
    confirmed: list[int] = []
    done = asyncio.Event()
    store.commit(putting(room("a")), lambda: confirmed.append(1))
    await until(lambda: store.stalled)
    store.commit(putting(room("b")), done.set)
    assert confirmed == []
    blocker.execute("ROLLBACK")
    blocker.close()
    await asyncio.wait_for(done.wait(), PATIENCE_S)
    assert confirmed == [1] and not store.stalled and store.load().values == (room("a"), room("b"))
    await store.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.signaling.store.test_stores import event, room
from signaling.records import Transaction
from signaling.store import open_store

async def main():
    store = open_store(Path(sys.argv[1]))
    seq = store.load().last_seq
    while True:
        seq += 1
        transaction = Transaction((event(seq),), puts={("room", "RM_last"): room("last", seq)})
        store.commit(transaction, lambda seq=seq: print(seq, flush=True))
        if seq % 7 == 0:
            await asyncio.sleep(0)
        if seq % 400 == 0:
            await asyncio.sleep(0.05)

asyncio.run(main())
"""


async def test_a_kill_loses_nothing_that_was_confirmed_and_leaves_no_half_transaction(
    tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "sfu.sqlite"
    source = random.Random(seed)
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WRITER, str(path)),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        enough = source.randrange(1, 500)
        for _ in range(enough):
            assert await asyncio.wait_for(process.stdout.readline(), 60)
        process.send_signal(signal.SIGKILL)
        said = await process.stdout.read()
        await process.wait()
        store = open_store(path)
        kept = store.load()
        confirmed = int(said.split()[-1]) if said.split() and said.endswith(b"\n") else 0
        assert kept.last_seq >= max(confirmed, enough)
        assert kept.values == (room("last", kept.last_seq),), "the event and the change are one"
        events = await store.events(0, None, 1_000_000)
        assert [one.seq for one in events] == list(range(1, kept.last_seq + 1))
        await store.close()
