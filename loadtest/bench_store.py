"""How long it takes until something that was done is kept: `python -m loadtest.bench_store`.

A participant's coming, as one transaction of the SQLite store, so many times a second; the time from `commit` until it
is called back. Also while the event loop has much else to do, and many at once: those wait for two syncs at most,
whatever their number.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

from signaling import events
from signaling.cli import SWITCH_INTERVAL_S
from signaling.records import StoredParticipant, Transaction
from signaling.store.sqlite import SqliteStore

RATES_PER_S: Final = (20, 200, 2000)
BURSTS: Final = (10, 100, 1000)
WINDOW_S: Final = 3.0
BUSY_AT_PER_S: Final = 200
BUSY_S: Final = 0.004  # of each five milliseconds, the interpreter is the event loop's
WANTED_MS: Final = 20.0  # of 99 in 100; what everybody waits for who is answered


def main() -> None:
    parser = argparse.ArgumentParser(description="ms until a transaction is kept")
    parser.add_argument("--folder", type=Path, help="on the disk that is meant (default: the temporary folder)")
    parser.add_argument("--window", type=float, default=WINDOW_S, metavar="S", help=f"of a rate (default {WINDOW_S:g})")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sfu-bench-", dir=options.folder) as folder:
        sys.setswitchinterval(SWITCH_INTERVAL_S)  # as the server does
        print(asyncio.run(report(Path(folder) / "sfu.sqlite", options.window)))


async def report(path: Path, window_s: float) -> str:
    store = SqliteStore(path)
    lines = [f"{'':<16}{'p50 ms':>10}{'p99 ms':>10}{'longest':>10}   of {path.parent.parent}"]
    try:
        for rate in RATES_PER_S:
            lines.append(_row(f"{rate}/s", await at_rate(store, rate, window_s)))
        async with _busy():
            lines.append(_row(f"{BUSY_AT_PER_S}/s, busy", await at_rate(store, BUSY_AT_PER_S, window_s)))
        for size in BURSTS:
            lines.append(_row(f"{size} at once", await at_once(store, size)))
    finally:
        await store.close()
    return "\n".join(lines)


async def at_rate(store: SqliteStore, per_s: float, window_s: float) -> list[float]:
    """Seconds each took."""
    waiting: list[asyncio.Future[float]] = []
    begin_s = time.monotonic()
    while (past_s := time.monotonic() - begin_s) < window_s:
        waiting += [_commit(store) for _ in range(int(past_s * per_s) - len(waiting))]
        await asyncio.sleep(1 / per_s)
    return list(await asyncio.gather(*waiting))


@contextlib.asynccontextmanager
async def _busy() -> AsyncIterator[None]:
    """The event loop hardly ever waits."""

    async def work() -> None:
        while True:
            until_s = time.perf_counter() + BUSY_S
            while time.perf_counter() < until_s:
                pass
            await asyncio.sleep(BUSY_S / 4)

    working = asyncio.create_task(work())
    try:
        yield
    finally:
        working.cancel()


async def at_once(store: SqliteStore, size: int) -> list[float]:
    return list(await asyncio.gather(*(_commit(store) for _ in range(size))))


_numbers = count(1)


def _commit(store: SqliteStore) -> asyncio.Future[float]:
    number = next(_numbers)
    room = events.RoomReference(id="RM_1", name="demo")
    who = events.ParticipantReference(id=f"PA_{number}", identity=f"p{number}", name="Somebody")
    now = datetime.now(UTC)
    joined = events.ParticipantJoined(
        id=f"EV_{number}", seq=number, created_at=now, room=room, room_seq=number, participant=who
    )
    kept = StoredParticipant(id=who.id, room=room.id, identity=who.identity, name=who.name, tracks=())
    done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    since_s = time.monotonic()
    transaction = Transaction((joined,), puts={("participant", kept.key): kept})
    store.commit(transaction, lambda: done.set_result(time.monotonic() - since_s))
    return done


def _row(name: str, times_s: list[float]) -> str:
    ordered = sorted(times_s)
    p50, p99, longest = (1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99, 1.0))
    missed = "" if p99 <= WANTED_MS else f"   more than {WANTED_MS:g} ms"
    return f"{name:<16}{p50:>10.2f}{p99:>10.2f}{longest:>10.2f}{missed}"


if __name__ == "__main__":
    main()
