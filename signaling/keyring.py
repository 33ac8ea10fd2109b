"""The keys of the server: those of its configuration, those made by API, and public ones from JWKS. Sans-IO.

A key made by API is an id and a secret that is derived from the id with the server's master secret. So nothing that
opens a door is in the store: HS256 needs the secret itself to verify, and a hash of it would not do. Whoever reads the
store without the master secret can neither mint tokens nor ask for anything.

To replace a key without a pause: make another, give it to the backend, and retire the old one, now or at some time.
"""

from __future__ import annotations

import base64
import hmac
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final

from msgspec.structs import replace

from signaling.errors import Refused
from signaling.public_keys import PublicKey
from signaling.records import Drop, Put, Record, Stored, StoredKey

# Signs what the server itself makes, where no other key is there; nobody is told its secret.
OWN_KEY: Final = "KEY_server"
# One per backend and its successor. Each is looked through when keys are listed, no more.
MAX_KEYS: Final = 1000
MAX_NAME_CHARACTERS: Final = 128


class Keyring(Mapping[str, str | PublicKey]):
    """Secrets and public keys by key id, as `auth.verify` wants them. Times are Unix.

    `configured`: secrets by key id. `new_id` makes of `KEY` an id. `clock` says what time it is: keys end by
    themselves.
    """

    def __init__(
        self,
        configured: Mapping[str, str],
        master_secret: bytes,
        new_id: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        self._configured = dict(configured)
        self._master_secret = master_secret
        self._new_id = new_id
        self._clock = clock
        self._made: dict[str, StoredKey] = {}
        self._public: dict[str, Mapping[str, PublicKey]] = {}  # by where they are from
        self._records: deque[Record] = deque()
        # Who is in it is told which key was retired, in the turn in which it is.
        self.on_retired: list[Callable[[str], None]] = []

    def restore(self, kept: Iterable[Stored]) -> None:
        self._made = {one.id: one for one in kept if isinstance(one, StoredKey)}

    def poll_record(self) -> Record | None:
        return self._records.popleft() if self._records else None

    # --- the mapping ---

    def __getitem__(self, key_id: str) -> str | PublicKey:
        if key_id in self._configured:
            return self._configured[key_id]
        made = self._made.get(key_id)
        if key_id == OWN_KEY or (made is not None and not self._is_over(made)):
            return self._derive(key_id)
        for public in self._public.values():
            if key_id in public:
                return public[key_id]
        raise KeyError(key_id)

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys(
            [
                *self._configured,
                *(key_id for key_id, made in self._made.items() if not self._is_over(made)),
                OWN_KEY,
                *(key_id for public in self._public.values() for key_id in public),
            ]
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)

    # --- what is made and retired by API ---

    def made(self) -> list[StoredKey]:
        """Those that are good, the oldest first."""
        return sorted((one for one in self._made.values() if not self._is_over(one)), key=lambda one: one.created_at)

    def one_made(self, key_id: str) -> StoredKey:
        """That is good. Raises Refused `unknown_key`."""
        key = self._made.get(key_id)
        if key is None or self._is_over(key):
            raise Refused("unknown_key", f"there is no key {key_id[:64]}")
        return key

    def create(self, name: str) -> tuple[StoredKey, str]:
        """With its secret, which is not shown again. Raises Refused `out_of_range` or `limit`."""
        if len(name) > MAX_NAME_CHARACTERS:
            raise Refused("out_of_range", f"name: at most {MAX_NAME_CHARACTERS} characters")
        self._forget()
        if len(self._made) >= MAX_KEYS:
            raise Refused("limit", f"the server has its {MAX_KEYS} keys")
        key = StoredKey(id=self._new_id("KEY"), name=name, created_at=self._clock())
        self._made[key.id] = key
        self._records.append(Put(key))
        return key, self._derive(key.id)

    def retire(self, key_id: str, *, in_s: float = 0.0) -> StoredKey:
        """Good for so long still. Raises Refused `unknown_key`, or `not_granted` for those of the configuration."""
        if key_id in self._configured or key_id == OWN_KEY:
            raise Refused("not_granted", "this key is of the server's configuration")
        retired = replace(self.one_made(key_id), expires_at=self._clock() + in_s)
        self._made[key_id] = retired
        self._records.append(Put(retired))
        for tell in self.on_retired:
            tell(key_id)
        return retired

    def good_for_s(self, key_id: str) -> float:
        """From now on; infinite for one that nobody has retired, nothing for one that is over, or was never there."""
        if key_id not in self:
            return 0.0
        made = self._made.get(key_id)
        return math.inf if made is None or made.expires_at is None else made.expires_at - self._clock()

    # --- what is published elsewhere ---

    def publish(self, source: str, keys: Mapping[str, PublicKey]) -> None:
        """What a JWKS document has now; what it does not have any more is good for nothing from now on."""
        self._public[source] = dict(keys)

    def _derive(self, key_id: str) -> str:
        digest = hmac.new(self._master_secret, f"sfu key {key_id}".encode(), sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _is_over(self, key: StoredKey) -> bool:
        return key.expires_at is not None and key.expires_at <= self._clock()

    def _forget(self) -> None:
        for key in [key for key in self._made.values() if self._is_over(key)]:
            del self._made[key.id]
            self._records.append(Drop(StoredKey, key.id))
