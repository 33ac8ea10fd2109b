"""How often an address may come with credentials that are no good. Sans-IO.

A secret of 32 bytes is not guessed, and a signature is compared in constant time; this keeps whoever tries from costing
us a handshake and a digest each time, and makes him visible. In IPv6 a whole /64 counts as one, as everybody has one.
"""

from __future__ import annotations

from collections import OrderedDict

from sfu.wire.addresses import plain
from signaling.rate import Rate
from signaling.values import is_loopback
from signaling.visitors import household


class Attempts:
    """`burst` of them at once and then `per_s`, of each address; `max_addresses` are remembered."""

    def __init__(self, per_s: float, burst: int, max_addresses: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._max_addresses = max_addresses
        self._failures: OrderedDict[str, Rate] = OrderedDict()

    def may_try(self, peer: str, now: float) -> bool:
        failures = self._failures.get(household(peer))
        return failures is None or failures.credit(now) >= 1.0

    def on_failure(self, peer: str, now: float) -> None:
        # On loopback stands a proxy for many, or the owner.
        if is_loopback(plain(peer)):
            return
        address = household(peer)
        if address not in self._failures:
            self._failures[address] = Rate(self._per_s, self._burst, now)
            # Whoever has many addresses gets a few tries with each of them, and not our memory.
            while len(self._failures) > self._max_addresses:
                self._failures.popitem(last=False)
        self._failures[address].allows(now)
