"""Resume tokens: who comes back on a new socket, and to which session.

A token is random, good for one use, and replaced by each. It stands for one session, and so for one identity in one
room. What is kept is a digest, found by its value: how long that takes tells nothing about any token, and the
comparison that decides takes the same time for all. Sessions in whose place somebody joined are remembered for a while,
so that a client that comes too late learns why.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

from signaling.errors import ProtocolError, Refused

TOKEN_BYTES = 32
# Replaced sessions to remember: each took somebody a valid token and a join.
MAX_REPLACED = 1000


@dataclass(frozen=True, slots=True)
class _Claim:
    digest: bytes
    session: int
    room: str


class ResumeTokens:
    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._claims: dict[bytes, _Claim] = {}  # by digest
        self._of_session: dict[int, bytes] = {}
        self._replaced: OrderedDict[bytes, float] = OrderedDict()  # until when to remember

    def __len__(self) -> int:
        return len(self._claims)

    def issue(self, session: int, room: str) -> str:
        """A new token; the session's last one is good for nothing from now on."""
        self.withdraw(session)
        token = base64.urlsafe_b64encode(self._random_bytes(TOKEN_BYTES)).decode().rstrip("=")
        digest = _digest(token)
        self._claims[digest] = _Claim(digest, session, room)
        self._of_session[session] = digest
        return token

    def withdraw(self, session: int) -> None:
        """The session is no more, or gets another token."""
        digest = self._of_session.pop(session, None)
        if digest is not None:
            del self._claims[digest]

    def remember_replaced(self, session: int, until: float) -> None:
        """Somebody joined in its place; then as `withdraw`."""
        digest = self._of_session.get(session)
        if digest is not None:
            self._replaced[digest] = until
            while len(self._replaced) > MAX_REPLACED:
                self._replaced.popitem(last=False)
        self.withdraw(session)

    def session_of(self, token: str, room: str, now: float) -> int:
        """Whose it is; it stays good until `issue`. Raises Refused `resume_invalid`, or ProtocolError `replaced`."""
        digest = _digest(token)
        claim = self._claims.get(digest)
        if claim is not None and compare_digest(claim.digest, digest) and claim.room == room:
            return claim.session
        while self._replaced and next(iter(self._replaced.values())) <= now:
            self._replaced.popitem(last=False)
        if digest in self._replaced:
            raise ProtocolError("replaced", "joined again with the same identity")
        raise Refused("resume_invalid", "this session is no more, or has been resumed already: join again")


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="surrogatepass")).digest()
