"""A thin path in this process: what a server sends its clients passes a bottleneck first (`tests/sim/link.py`)."""

from __future__ import annotations

import asyncio
from random import Random

from tests.sim.link import Conditions, Link
from tests.support.relay import Address, Relay


class Shaper(Relay):
    """All clients behind it share the bottleneck."""

    def __init__(self, server: Address, conditions: Conditions) -> None:
        super().__init__(server)
        self.link = Link(Random(1), conditions)

    def narrow(self, rate_bps: float) -> None:
        self.link.change(asyncio.get_running_loop().time(), rate_bps=rate_bps)

    def _send(self, front: asyncio.DatagramTransport, datagram: bytes, client: Address) -> None:
        loop = asyncio.get_running_loop()
        arrives_at = self.link.pass_on(len(datagram), loop.time())
        if arrives_at is not None:
            loop.call_at(arrives_at, self._pass, front, datagram, client)

    def _pass(self, front: asyncio.DatagramTransport, datagram: bytes, client: Address) -> None:
        if not front.is_closing():
            front.sendto(datagram, client)
