"""A thin path as a process: what a server sends its clients passes a bottleneck first (`tests/sim/link.py`).

    python -m tests.support.shaper SERVER_PORT RATE_BPS DELAY_S

Prints its port. Each line it reads is the rate from then on, and is answered by what has passed: how many datagrams,
how many were dropped, and by how many seconds they left later than they should have, at most and on average.
"""

from __future__ import annotations

import asyncio
import json
import sys
from random import Random

from tests.sim.link import Conditions, Link, Passage
from tests.support.relay import Address, Relay


class Shaper(Relay):
    """All clients behind it share the bottleneck."""

    def __init__(self, server: Address, conditions: Conditions) -> None:
        super().__init__(server)
        self.link = Link(Random(1), conditions)
        self._count = 0
        self._most_late_s = self._all_late_s = 0.0

    def set_rate(self, rate_bps: float) -> None:
        self.link.change(asyncio.get_running_loop().time(), rate_bps=rate_bps)

    def passed(self) -> tuple[int, int, float, float]:
        return self._count, self.link.dropped, self._most_late_s, self._all_late_s / max(1, self._count)

    def _send(self, front: asyncio.DatagramTransport, datagram: bytes, client: Address) -> None:
        loop = asyncio.get_running_loop()
        passage = self.link.pass_on(len(datagram), loop.time())
        if passage is not None:
            loop.call_at(passage.arrives_at, self._pass, front, datagram, client, passage, passage.arrives_at)

    def _pass(
        self, front: asyncio.DatagramTransport, datagram: bytes, client: Address, passage: Passage, due_at: float
    ) -> None:
        loop = asyncio.get_running_loop()
        if passage.arrives_at > due_at:  # postponed
            loop.call_at(passage.arrives_at, self._pass, front, datagram, client, passage, passage.arrives_at)
            return
        late_s = loop.time() - due_at
        self._count += 1
        self._most_late_s = max(self._most_late_s, late_s)
        self._all_late_s += late_s
        if not front.is_closing():
            front.sendto(datagram, client)


async def _shape(server_port: int, rate_bps: float, delay_s: float) -> None:
    shaper = Shaper(("127.0.0.1", server_port), Conditions(rate_bps=rate_bps, delay_s=delay_s))
    await shaper.open()
    print(shaper.port, flush=True)
    loop, lines = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for line in lines:
        shaper.set_rate(float(line))
        print(json.dumps(shaper.passed()), flush=True)
    shaper.close()


if __name__ == "__main__":
    asyncio.run(_shape(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
