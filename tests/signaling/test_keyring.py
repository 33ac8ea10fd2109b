"""Keys: those made by API are derived and never kept, can be replaced without a pause, and end when told to."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from signaling.auth import MIN_SECRET_BYTES, Grant, mint, verify
from signaling.errors import ProtocolError, Refused
from signaling.keyring import OWN_KEY, Keyring
from signaling.messages import Grants
from signaling.public_keys import PublicKey
from signaling.records import Drop, Put, StoredKey

MASTER = b"m" * 32
NOW = 1_800_000_000.0
PUBLIC = PublicKey("ES256", ec.generate_private_key(ec.SECP256R1()).public_key())


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def keyring(clock: Clock, master: bytes = MASTER, first: int = 1) -> Keyring:
    numbers = count(first)
    return Keyring({"backend": "s" * 32}, master, lambda prefix: f"{prefix}_{next(numbers)}", clock)


def records(keys: Keyring) -> list[Any]:
    taken = []
    while (record := keys.poll_record()) is not None:
        taken.append(record)
    return taken


def code(operation: Any, *arguments: Any, **keywords: Any) -> str:
    with pytest.raises(Refused) as raised:
        operation(*arguments, **keywords)
    return raised.value.code


def test_the_secret_of_a_key_is_told_once_and_not_kept() -> None:
    keys = keyring(Clock())
    key, secret = keys.create("shop")
    assert keys[key.id] == secret and len(secret.encode()) >= MIN_SECRET_BYTES
    (record,) = records(keys)
    assert record == Put(StoredKey(id="KEY_1", name="shop", created_at=NOW)) and secret not in repr(record)


def test_after_a_restart_it_is_the_same_and_with_another_master_secret_it_is_not() -> None:
    clock = Clock()
    keys = keyring(clock)
    key, secret = keys.create("shop")
    for master, same in ((MASTER, True), (b"o" * 32, False)):
        again = keyring(clock, master)
        again.restore([key])
        assert (again[key.id] == secret) is same


def test_a_key_is_replaced_without_a_pause() -> None:
    clock = Clock()
    keys = keyring(clock)
    old, old_secret = keys.create("shop")
    new, new_secret = keys.create("shop")
    assert keys.retire(old.id, in_s=60).expires_at == NOW + 60
    grant = Grant("ada", "Ada", "demo", Grants(publish=True))
    by_old = mint(grant, key_id=old.id, secret=old_secret, now=NOW, valid_for_s=3600)
    by_new = mint(grant, key_id=new.id, secret=new_secret, now=NOW, valid_for_s=3600)
    assert verify(by_old, keys, "demo", NOW) == verify(by_new, keys, "demo", NOW) == grant
    clock.now = NOW + 60
    assert verify(by_new, keys, "demo", NOW) == grant and old.id not in keys
    with pytest.raises(ProtocolError, match="no key"):
        verify(by_old, keys, "demo", NOW)
    assert [one.id for one in keys.made()] == [new.id]
    records(keys)
    keys.create("other")
    assert Drop(StoredKey, old.id) in records(keys)


def test_what_cannot_be_retired() -> None:
    keys = keyring(Clock())
    assert code(keys.retire, "backend") == code(keys.retire, OWN_KEY) == "not_granted"
    assert code(keys.retire, "KEY_none") == "unknown_key"
    key, _ = keys.create("shop")
    keys.retire(key.id)
    assert code(keys.retire, key.id) == "unknown_key"
    assert code(keys.create, "x" * 129) == "out_of_range"


def test_public_keys_are_those_that_their_document_has_now() -> None:
    keys = keyring(Clock())
    keys.publish("a", {"p": PUBLIC, "backend": PUBLIC})
    keys.publish("b", {"q": PUBLIC})
    assert keys["p"] == keys["q"] == PUBLIC
    assert keys["backend"] == "s" * 32, "what is configured cannot be published away"
    keys.publish("a", {})
    assert "p" not in keys and "q" in keys
    assert set(keys) == {"backend", OWN_KEY, "q"} and len(keys) == 3
