"""When the token of a session ends, and that its client is told of it in time. Sans-IO.

joined ── a minute before the end ──► told ── no other token ──► over
   ▲──────────── refreshed ──────────────┘
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from signaling.auth import Grant
from signaling.errors import ProtocolError, Refused
from signaling.messages import LeaveReason

# How long before the end a client is told: to ask its backend for another token, twice if need be.
WARNING_S: Final = 60.0
# Of tokens that live for a few minutes only: at most this part of them.
WARNING_PART: Final = 0.25


def another_grant(authenticate: Callable[[str, str], Grant], token: str, grant: Grant) -> Grant:
    """For who is here by `grant`. Raises Refused: a token that at `join` would end the session leaves it as it is."""
    try:
        another = authenticate(token, grant.room)
    except ProtocolError as error:
        raise not_refreshed(error) from error
    if another.identity != grant.identity:
        raise Refused("refresh_invalid", f"the token is {another.identity}'s")
    return another


def not_refreshed(error: ProtocolError | Refused) -> Refused:
    return Refused("refresh_invalid", f"{error.code}: {error.reason}")


def soonest(*whens: float | None) -> float | None:
    """None: never."""
    return min((when for when in whens if when is not None), default=None)


class Expiry:
    """`grace_s`: how long a session outlives its token; infinite where it is looked at once only, at `join`."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._warn_at = math.inf
        self._ends_at = math.inf

    def renew(self, now: float, valid_for_s: float) -> None:
        self._ends_at = now + valid_for_s
        self._warn_at = self._ends_at - min(WARNING_S, WARNING_PART * valid_for_s)
        if math.isinf(self._grace_s):
            self._warn_at = self._ends_at = math.inf

    def next_timeout(self) -> float | None:
        when = min(self._warn_at, self._ends_at + self._grace_s)
        return None if math.isinf(when) else when

    def take_warning(self, now: float) -> float | None:
        """To be told to the client, once: in how many seconds it ends."""
        if now < self._warn_at:
            return None
        self._warn_at = math.inf
        return max(self._ends_at - now, 0.0)

    def end(self, now: float) -> tuple[LeaveReason, tuple[str, str] | None] | None:
        """Why it cannot stay, and what its client is told; None: it can."""
        return ("timeout", ("token_expired", "no other token came in time")) if self.is_over(now) else None

    def is_over(self, now: float) -> bool:
        return now >= self._ends_at + self._grace_s
