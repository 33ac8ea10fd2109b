"""What an app backend and its users ask of a server, at a fixed rate, from a process of its own.

`python -m loadtest.backend URL ID:SECRET ROOM --reads R --joins J --seconds S` reads a room R times a second, and has J
people a second join other rooms and leave at once, by signaling alone. Prints what came of it as one line of JSON.

Requests begin when they are due, answered or not the ones before: a slow server meets more, not fewer. They are made by
hand (reads on kept connections), as this process shares its core with the one that receives the call's packets.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final
from urllib.parse import urlsplit

from loadtest.visits import Where, visit
from signaling.auth import Grant, mint
from signaling.errors import Refused
from signaling.messages import Grants

# How often what is due is begun: requests come in little groups, as they do from an event loop that serves many.
TICK_S: Final = 0.005
# More under way than this, and the server does not keep up: what is due then is not sent, and counted.
MOST_UNDER_WAY: Final = 400
# People come to many rooms: in one, everybody who is there would be told of each.
ROOMS: Final = 50
TOKEN_VALID_FOR_S: Final = 600.0


@dataclass(slots=True)
class Tally:
    """Of one kind of request."""

    times_s: list[float] = field(default_factory=list)
    failed: int = 0
    skipped: int = 0
    failures: set[str] = field(default_factory=set)

    def report(self, seconds: float) -> dict[str, float | str | None]:
        ordered = sorted(self.times_s)
        return {
            "per_s": len(ordered) / seconds,
            "p50_ms": 1000 * ordered[len(ordered) // 2] if ordered else None,
            "p99_ms": 1000 * ordered[len(ordered) * 99 // 100] if ordered else None,
            "failed": self.failed,
            "skipped": self.skipped,
            "failure": next(iter(self.failures), None),
        }


_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Asker:
    def __init__(self, url: str, key: tuple[str, str], room: str) -> None:
        self._key_id, self._secret = key
        where = urlsplit(url)
        tls = where.scheme == "https"
        self._where = Where(where.hostname or "", where.port or (443 if tls else 80), tls)
        self._request = (
            f"GET /v1/rooms/{room} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {':'.join(key)}\r\n\r\n"
        ).encode()
        self._idle: list[_Connection] = []
        self._people = count()

    async def read(self) -> None:
        reader, writer = await self._connection()
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        self._idle.append((reader, writer))
        if head.split(b" ", 2)[1] != b"200":
            raise Refused("http", body.decode(errors="replace")[:200])

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection[1].is_closing():
                return connection
        where = self._where
        return await asyncio.open_connection(where.host, where.port, ssl=where.tls or None)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()

    async def join(self) -> None:
        number = next(self._people)
        room = f"beside-{number % ROOMS}"
        grant = Grant(f"p{number}", "", room, Grants(create=True, publish=True, subscribe=True))
        token = mint(grant, key_id=self._key_id, secret=self._secret, now=time.time(), valid_for_s=TOKEN_VALID_FOR_S)
        await visit(self._where, room, token)


async def at_rate(ask: Callable[[], Awaitable[None]], per_s: float, seconds: float) -> Tally:
    """Begun so often for so long; returns when all have been answered."""
    tally, under_way = Tally(), set[asyncio.Task[None]]()
    loop = asyncio.get_running_loop()
    begin_s, begun = loop.time(), 0
    while (past_s := loop.time() - begin_s) < seconds:
        for _ in range(int(past_s * per_s) - begun):
            begun += 1
            if len(under_way) >= MOST_UNDER_WAY:
                tally.skipped += 1
                continue
            task = asyncio.create_task(_timed(ask, tally))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.sleep(TICK_S)
    if under_way:
        await asyncio.wait(under_way)
    return tally


async def _timed(ask: Callable[[], Awaitable[None]], tally: Tally) -> None:
    begin_s = time.perf_counter()
    try:
        await ask()
    except (Refused, OSError, EOFError, TimeoutError) as error:
        tally.failed += 1
        tally.failures.add(f"{type(error).__name__}: {error}")
    else:
        tally.times_s.append(time.perf_counter() - begin_s)


async def _run(parsed: argparse.Namespace) -> dict[str, object]:
    key_id, _, secret = parsed.key.partition(":")
    asker = Asker(parsed.url, (key_id, secret), parsed.room)
    reads, joins = await asyncio.gather(
        at_rate(asker.read, parsed.reads, parsed.seconds), at_rate(asker.join, parsed.joins, parsed.seconds)
    )
    asker.close()
    return {"reads": reads.report(parsed.seconds), "joins": joins.report(parsed.seconds)}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtest.backend")
    for name in ("url", "key", "room"):
        parser.add_argument(name)
    for name in ("--reads", "--joins", "--seconds"):
        parser.add_argument(name, type=float, default=0.0)
    print(json.dumps(asyncio.run(_run(parser.parse_args(arguments)))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
