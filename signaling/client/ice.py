"""The controlling ICE agent towards an ICE-lite server (RFC 8445 §2.5): decides what to check, and where media goes.

Every candidate gets a check at once, repeated with growing gaps. The one that answers first is nominated: checked again
with USE-CANDIDATE, and selected when that is answered. (To nominate all at once would let the server select another
one than we do.) From then on it is asked for consent (RFC 7675).

Sans I/O: `poll` hands out checks, `next_timeout` says when to come back. Does not gather: the server sees where checks
come from.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from aioice import stun

from sfu.control import Candidate, IceParameters

# A check is repeated after 50, 100, 200 … ms: on loopback the first is answered in less than one.
FIRST_REPEAT_S = 0.05
LONGEST_REPEAT_S = 1.6
CONSENT_INTERVAL_S = 2.5  # as Chromium; the RFC allows up to 5 s
CONSENT_EXPIRES_S = 30.0  # RFC 7675 §5.1
UNANSWERED_TRANSACTIONS = 16  # of consent; an answer later than that is no news
# A full agent that offered thinks that it controls, too. The higher number keeps the role (RFC 8445 §7.3.1.1).
HIGHEST_TIE_BREAKER = (1 << 64) - 1

_HOST_PRIORITY = 126 << 24 | 0xFFFF << 8 | 0xFF  # RFC 8445 §5.1.2.1: what a check says of the address it comes from
_ICE_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

Address = tuple[str, int]


@dataclass(slots=True)
class _Pair:
    """One remote candidate while it is being checked."""

    address: Address
    next_check_s: float
    gap_s: float = FIRST_REPEAT_S
    transactions: set[bytes] = field(default_factory=set)


def new_credentials(random: Random) -> IceParameters:
    """48 and 143 bits of `random`, which should be a SystemRandom outside tests (RFC 8445 §5.3 wants 24 and 128)."""
    fragment = "".join(random.choices(_ICE_CHARACTERS, k=8))
    return IceParameters(fragment, "".join(random.choices(_ICE_CHARACTERS, k=24)))


class ControllingAgent:
    """One connection. `selected` is where media goes, `None` until a nomination was answered."""

    def __init__(
        self,
        local: IceParameters,
        remote: IceParameters,
        candidates: Sequence[Candidate],
        random: Random,
        now: float,
        consent_interval_s: float = CONSENT_INTERVAL_S,
    ) -> None:
        self._local = local
        self._consent_interval_s = consent_interval_s
        self._remote = remote
        self._random = random
        ranked = sorted(candidates, key=lambda candidate: -candidate.priority)
        self._pairs = [_Pair((candidate.host, candidate.port), now) for candidate in ranked]
        self._candidates = frozenset(pair.address for pair in self._pairs)
        self._nominated = False
        self._out: list[tuple[bytes, Address]] = []
        self._consent_at_s = now
        self.selected: Address | None = None
        self.checks_answered = 0

    def expired(self, now: float) -> bool:
        """No valid answer for so long that sending must stop (RFC 7675 §5.1)."""
        return now - self._consent_at_s > CONSENT_EXPIRES_S

    def next_timeout(self) -> float:
        return min(pair.next_check_s for pair in self._pairs)

    def poll(self, now: float) -> list[tuple[bytes, Address]]:
        """The checks that are due, with their destinations."""
        for pair in self._pairs:
            if pair.next_check_s <= now:
                self._check(pair, now)
        out, self._out = self._out, []
        return out

    def on_stun(self, payload: bytes, source: Address, now: float) -> bool:
        """Whether this was a valid answer to one of our checks; anything else is ignored, whatever it holds."""
        try:
            message = stun.parse_message(payload)
        except (ValueError, struct.error):  # the latter for an attribute shorter than its type
            return False
        if message.message_class != stun.Class.RESPONSE or not message.check_message_integrity(
            self._remote.password.encode()
        ):
            return False
        pair = next((pair for pair in self._pairs if message.transaction_id in pair.transactions), None)
        if pair is None or pair.address != source:
            return False
        pair.transactions.clear()
        self._consent_at_s = now
        self.checks_answered += 1
        if not self._nominated:
            self._nominated = True
            self._pairs = [pair]
            pair.gap_s = FIRST_REPEAT_S
            pair.next_check_s = now
            return True
        self.selected = pair.address
        self._await_consent(pair, now)
        return True

    def knows(self, source: Address) -> bool:
        """Whether this is one of the server's candidates: it may send from any until it has seen our nomination."""
        return source in self._candidates

    def _check(self, pair: _Pair, now: float) -> None:
        request = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.REQUEST,
            transaction_id=self._random.randbytes(12),
            attributes={
                "USERNAME": f"{self._remote.username_fragment}:{self._local.username_fragment}",
                "PRIORITY": _HOST_PRIORITY,
                "ICE-CONTROLLING": HIGHEST_TIE_BREAKER,
                **({"USE-CANDIDATE": None} if self._nominated else {}),
            },
        )
        request.add_message_integrity(self._remote.password.encode())
        if len(pair.transactions) >= UNANSWERED_TRANSACTIONS:
            pair.transactions.clear()
        pair.transactions.add(request.transaction_id)
        self._out.append((bytes(request), pair.address))
        pair.next_check_s = now + pair.gap_s
        pair.gap_s = min(2 * pair.gap_s, LONGEST_REPEAT_S)

    def _await_consent(self, pair: _Pair, now: float) -> None:
        """The next check comes after 0.8 to 1.2 times the interval, so that many clients do not beat together."""
        pair.gap_s = FIRST_REPEAT_S
        pair.next_check_s = now + self._consent_interval_s * self._random.uniform(0.8, 1.2)
