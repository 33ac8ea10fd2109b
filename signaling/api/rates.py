"""How often one caller may ask, and the headers that tell it how much is left."""

from __future__ import annotations

from collections import OrderedDict
from math import ceil
from typing import Final

from signaling.errors import Refused
from signaling.rate import Rate

# A backend that polls a thousand rooms a second is served; one in an endless loop leaves the event loop, which takes
# some 0.2 ms per request, time for the calls.
REQUESTS_PER_S: Final = 2000.0
BURST: Final = 4000
# Callers that are remembered. There are a few keys; tokens of moderators may be many.
MAX_CALLERS: Final = 10_000


class RateExceeded(Refused):
    """`headers` say when to try again."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("rate", f"more than {REQUESTS_PER_S:g} requests per second")
        self.headers = headers


class Rates:
    def __init__(self, per_s: float = REQUESTS_PER_S, burst: int = BURST) -> None:
        self._per_s = per_s
        self._burst = burst
        self._rates: OrderedDict[str, Rate] = OrderedDict()

    def count(self, caller: str, now: float) -> dict[str, str]:
        """One more request. Returns headers for the response; raises RateExceeded."""
        rate = self._rates.get(caller)
        if rate is None:
            if len(self._rates) >= MAX_CALLERS:
                self._rates.popitem(last=False)
            rate = self._rates[caller] = Rate(self._per_s, self._burst, now)
        self._rates.move_to_end(caller)
        allowed = rate.allows(now)
        remaining = int(rate.credit(now))
        headers = {
            "RateLimit-Limit": str(self._burst),
            "RateLimit-Remaining": str(remaining),
            "RateLimit-Reset": str(ceil((self._burst - remaining) / self._per_s)),
        }
        if not allowed:
            raise RateExceeded(headers | {"Retry-After": "1"})
        return headers
