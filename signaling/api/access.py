"""Who asks: an app backend with an API key, or somebody whose token lets him administer or record one room."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from signaling.attempts import Attempts
from signaling.auth import Grant, verify
from signaling.errors import ProtocolError, Refused
from signaling.public_keys import PublicKey

# Wrong credentials from one address. A backend with a wrong key asks again and again; a guesser does not get far with
# secrets of 32 bytes anyway.
FAILURES_PER_S: Final = 0.2
FAILURES_BURST: Final = 20
# Addresses that are remembered for it; beyond it the one that failed first is forgotten.
MAX_ADDRESSES: Final = 4096

_BY_KEY: Final = "key:"


@dataclass(frozen=True, slots=True)
class Caller:
    """`id` names whom rates and Idempotency-Keys belong to. `room`: the only one that is open to him; None: all.
    `grant`: of his token; None: he has a key."""

    id: str
    room: str | None = None
    grant: Grant | None = None

    @property
    def key(self) -> str | None:
        """The id of his API key."""
        return self.id.removeprefix(_BY_KEY) if self.id.startswith(_BY_KEY) else None


NOBODY: Final = Caller("nobody")


class Doorkeeper:
    """`keys`: secrets by id, which open the API, and public ones, which only verify tokens. `check_welcome` raises
    Refused for a token that is good by itself but was revoked, or whose owner is banned."""

    def __init__(self, keys: Mapping[str, str | PublicKey], check_welcome: Callable[[Grant, float], None]) -> None:
        self._keys = keys
        self._check_welcome = check_welcome
        self._attempts = Attempts(FAILURES_PER_S, FAILURES_BURST, MAX_ADDRESSES)

    def admit(
        self,
        authorization: str,
        room: str | None,
        address: str,
        now: float,
        needed: Literal["administer", "record"] = "administer",
    ) -> Caller:
        """`room`: which is asked about; None: the server as a whole. `needed`: the grant that a token must have. Raises
        ProtocolError and Refused."""
        scheme, _, credentials = authorization.partition(" ")
        credentials = credentials.strip()
        if scheme.lower() != "bearer" or not credentials:
            raise ProtocolError("token_missing", "send `Authorization: Bearer ID:SECRET`")
        if not self._attempts.may_try(address, now):
            raise Refused("rate", "too many wrong credentials from this address")
        try:
            if ":" in credentials:
                return self._check_key(credentials)
            return self._check_token(credentials, room, now, needed)
        except ProtocolError:
            self._attempts.on_failure(address, now)
            raise

    def _check_key(self, credentials: str) -> Caller:
        key_id, _, secret = credentials.partition(":")
        key = self._keys.get(key_id)
        known = key if isinstance(key, str) else None
        # The comparison takes as long for a key that is not there, so that ids cannot be found by the clock.
        same = hmac.compare_digest(secret.encode(errors="replace"), (known or "-" * len(secret)).encode())
        if known is None or not same:
            raise ProtocolError("key_invalid", "there is no such API key, or its secret is another")
        return Caller(f"{_BY_KEY}{key_id}")

    def _check_token(self, token: str, room: str | None, now: float, needed: Literal["administer", "record"]) -> Caller:
        if room is None:
            raise Refused("not_granted", "this asks for an API key: a token is for one room")
        grant = verify(token, self._keys, room, time.time())
        try:
            self._check_welcome(grant, now)
        except Refused as error:
            raise ProtocolError("token_revoked", error.reason) from error
        if not getattr(grant.grants, needed):
            raise Refused("not_granted", f"the token does not permit to {needed}")
        return Caller(f"token:{room}:{grant.identity}", room, grant)
