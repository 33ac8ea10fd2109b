"""How often an address may come with credentials that are no good. Sans-IO.

A secret of 32 bytes is not guessed, and a signature is compared in constant time; this keeps whoever tries from costing
us a handshake and a digest each time, and makes him visible.
"""

from __future__ import annotations

from collections import OrderedDict

from signaling.limits import ConnectionLimits
from signaling.rate import Rate


class Attempts:
    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._failures: OrderedDict[str, Rate] = OrderedDict()

    def may_try(self, address: str, now: float) -> bool:
        failures = self._failures.get(address)
        return failures is None or failures.credit(now) >= 1.0

    def on_failure(self, address: str, now: float) -> None:
        limits = self._limits
        if address not in self._failures:
            self._failures[address] = Rate(limits.bad_tokens_per_s, limits.bad_tokens_burst, now)
            # Whoever has many addresses gets a few tries with each of them, and not our memory.
            while len(self._failures) > limits.max_remembered_addresses:
                self._failures.popitem(last=False)
        self._failures[address].allows(now)
