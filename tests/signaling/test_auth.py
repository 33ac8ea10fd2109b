"""Tokens: what is minted is verified, and nothing else is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import random
import re
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from signaling.auth import LONGEST_LIFE_S, MAX_TOKEN_CHARACTERS, Grant, covers, mint, mint_again, verify
from signaling.errors import ProtocolError
from signaling.messages import Grants
from signaling.public_keys import PublicKey
from signaling.recordings.options import RecordingOptions

SECRET = "s" * 32
OTHER = "o" * 32
KEYS = {"a": SECRET, "b": OTHER}
NOW = 1_800_000_000.0
GRANT = Grant("ada", "Ada", "demo", Grants(create=True, publish=True))
RSA, RSA_OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
EC, EC_OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
CLAIMS: dict[str, Any] = {"sub": "ada", "room": "demo", "exp": NOW + 60}


def token(claims: dict[str, Any] | None = None, secret: str = SECRET, **header: Any) -> str:
    return jwt.encode(CLAIMS | (claims or {}), secret, algorithm="HS256", headers={"kid": "a"} | header)


def signed_by_hand(header: bytes, payload: bytes, secret: str = SECRET) -> str:
    """For what PyJWT would not write."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload)]
    signature = hmac.new(secret.encode(), b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def refusal(text: str, room: str = "demo", now: float = NOW) -> str:
    with pytest.raises(ProtocolError) as raised:
        verify(text, KEYS, room, now)
    return raised.value.code


def test_what_is_minted_is_verified() -> None:
    minted = mint(GRANT, key_id="b", secret=OTHER, now=NOW, valid_for_s=60)
    assert verify(minted, KEYS, "demo", NOW) == GRANT


def test_a_token_may_have_the_room_recorded() -> None:
    wish = RecordingOptions(mode="audio", sources=("microphone",))
    minted = mint(replace(GRANT, auto_record=wish), key_id="b", secret=OTHER, now=NOW, valid_for_s=60)
    grant = verify(minted, KEYS, "demo", NOW)
    assert grant.auto_record == wish
    assert verify(mint_again(grant, KEYS, NOW), KEYS, "demo", NOW).auto_record == wish
    for nonsense in ({"mode": "copy", "container": "mp4"}, {"mode": "vinyl"}, {"until": "noon"}, True):
        assert refusal(token({"auto_record": nonsense})) == "token_invalid"


def test_a_grant_that_is_not_mentioned_is_not_given() -> None:
    grant = verify(token({"grants": {"publish": True}}), KEYS, "demo", NOW)
    assert grant.grants == Grants(publish=True)
    assert verify(token(), KEYS, "demo", NOW).grants == Grants()


def test_without_a_name_the_identity_stands_in() -> None:
    assert verify(token(), KEYS, "demo", NOW).name == "ada"


@pytest.mark.parametrize(
    ("claims", "now", "code"),
    [
        ({}, NOW + 64, None),
        ({}, NOW + 65, "token_expired"),
        ({}, NOW + 1e9, "token_expired"),
        ({"nbf": NOW + 5}, NOW, None),
        ({"nbf": NOW + 6}, NOW, "token_invalid"),
        ({"exp": int(NOW) + 60}, NOW, None),
        ({"iat": NOW + 5}, NOW, None),
        ({"iat": NOW + 6}, NOW, "token_invalid"),
        ({"exp": NOW + LONGEST_LIFE_S}, NOW, None),
        ({"exp": NOW + LONGEST_LIFE_S + 1}, NOW, "token_invalid"),
    ],
)
def test_times_with_five_seconds_of_grace(claims: dict[str, Any], now: float, code: str | None) -> None:
    if code is None:
        assert verify(token(claims), KEYS, "demo", now)
    else:
        assert refusal(token(claims), now=now) == code


def test_another_room() -> None:
    assert refusal(token(), room="other") == "token_wrong_room"


@pytest.mark.parametrize(
    ("scope", "inside", "outside"),
    [
        ("*", ["a", "class-1", "x" * 64], []),
        ("class-*", ["class-1", "class-"], ["class", "my-class-1", "Class-1"]),
        ("*-public", ["a-public", "-public"], ["public", "a-public-b"]),
        ("a*b*c", ["abc", "axbxc", "abbcc"], ["ab", "acb", "abcd"]),
        ("a*a", ["aa", "aba"], ["a"]),
        ("**", ["a", "ab"], []),
        ("demo", ["demo"], ["demo1", "dem"]),
        ("de.o", ["de.o"], ["demo"]),
    ],
)
def test_a_token_for_several_rooms(scope: str, inside: list[str], outside: list[str]) -> None:
    several = token({"room": scope})
    for room in inside:
        assert verify(several, KEYS, room, NOW).room == room
    for room in outside:
        assert refusal(several, room=room) == "token_wrong_room"


@given(st.text("ab*", min_size=1, max_size=12), st.text("ab", max_size=12))
def test_patterns_mean_what_they_mean_elsewhere(scope: str, room: str) -> None:
    assert covers(scope, room) == bool(re.fullmatch(re.sub(r"\*+", ".*", scope), room))


def test_a_pattern_that_would_keep_others_busy_does_not() -> None:
    assert not covers("a*" * 31 + "b", "a" * 64)


def test_who_signs_by_rsa_or_elliptic_curves() -> None:
    for algorithm, private in (("RS256", RSA), ("ES256", EC)):
        public = PublicKey(algorithm, private.public_key())  # type: ignore[arg-type]
        signed = jwt.encode(CLAIMS, private, algorithm=algorithm, headers={"kid": "p"})
        assert verify(signed, {"p": public}, "demo", NOW).identity == "ada"
        for other in (RSA_OTHER, EC_OTHER):
            if type(other) is type(private):
                with pytest.raises(ProtocolError):
                    verify(
                        jwt.encode(CLAIMS, other, algorithm=algorithm, headers={"kid": "p"}), {"p": public}, "demo", NOW
                    )


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS512", "PS256", "ES256"])
def test_the_key_says_the_algorithm_and_not_the_token(algorithm: str) -> None:
    """Key confusion: what is public must not pass for a secret, nor one algorithm's key for another's."""
    pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header = json.dumps({"alg": algorithm, "kid": "p"}).encode()
    with pytest.raises(ProtocolError) as raised:
        forged = signed_by_hand(header, json.dumps(CLAIMS).encode(), pem.decode())
        verify(forged, {"p": PublicKey("RS256", RSA.public_key())}, "demo", NOW)
    assert raised.value.code == "token_invalid"


def test_what_a_token_says_of_itself() -> None:
    grant = verify(token({"jti": "T1", "iat": NOW - 1.5}), KEYS, "demo", NOW)
    assert (grant.token_id, grant.issued_at, grant.expires_at, grant.valid_for_s) == ("T1", NOW - 1.5, NOW + 60, 60)


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": None},
        {"sub": ""},
        {"sub": "a b"},
        {"sub": "a/b"},
        {"sub": "x" * 129},
        {"sub": "ada\n"},
        {"room": ""},
        {"room": ".."},
        {"room": ["demo"]},
        {"room": ".*"},
        {"room": "a/*"},
        {"room": "*" * 65},
        {"jti": 5},
        {"jti": "x" * 129},
        {"iat": "now"},
        {"grants": {"sources": ["window"]}},
        {"name": "x" * 65},
        {"name": "a\x00b"},
        {"name": "\u202egnp.exe"},
        {"name": 5},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": -1},
        {"exp": 1e300},
        {"nbf": "now"},
        {"grants": {"publish": "yes"}},
        {"grants": {"publish": 1}},
        {"grants": ["publish"]},
    ],
    ids=repr,
)
def test_claims_that_are_not_as_they_should_be(claims: dict[str, Any]) -> None:
    # By hand, as PyJWT checks some when encoding.
    payload = json.dumps(CLAIMS | claims).encode()
    assert refusal(signed_by_hand(b'{"alg":"HS256","kid":"a"}', payload)) == "token_invalid"


@pytest.mark.parametrize("missing", ["sub", "room", "exp"])
def test_claims_that_have_to_be_there(missing: str) -> None:
    payload = json.dumps({key: value for key, value in CLAIMS.items() if key != missing}).encode()
    assert refusal(signed_by_hand(b'{"alg":"HS256","kid":"a"}', payload)) == "token_invalid"


def test_unsigned_tokens() -> None:
    head, payload, _ = token().split(".")
    assert refusal(f"{head}.{payload}.") == "token_invalid"
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        header = json.dumps({"alg": algorithm, "kid": "a"}).encode()
        assert refusal(signed_by_hand(header, json.dumps(CLAIMS).encode())) == "token_invalid"


def test_a_token_signed_with_rsa_is_refused_even_if_the_public_key_is_our_secret() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    confused = jwt.encode(CLAIMS, private, algorithm="RS256", headers={"kid": "a"})
    with pytest.raises(ProtocolError):
        verify(confused, {"a": public.decode()}, "demo", NOW)


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_other_hashes_are_refused(algorithm: str) -> None:
    secret = "s" * 64
    with pytest.raises(ProtocolError):
        verify(jwt.encode(CLAIMS, secret, algorithm=algorithm, headers={"kid": "a"}), {"a": secret}, "demo", NOW)


def test_keys_are_found_by_their_id() -> None:
    assert refusal(token(secret=OTHER)) == "token_invalid"
    assert refusal(token(kid="c")) == "token_invalid"
    assert refusal(jwt.encode(CLAIMS, SECRET, algorithm="HS256")) == "token_invalid"
    assert refusal(signed_by_hand(b'{"alg":"HS256","kid":["a"]}', json.dumps(CLAIMS).encode())) == "token_invalid"
    with pytest.raises(ProtocolError):
        verify(token(), {}, "demo", NOW)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b.c", "é.é.é", "e30.e30.", "x" * (MAX_TOKEN_CHARACTERS + 1), "\ud800.a.b", "W10.e30.AA", "null"],
)
def test_what_is_no_token(text: str) -> None:
    assert refusal(text) == "token_invalid"


def test_claims_nested_without_end() -> None:
    assert refusal(signed_by_hand(b'{"alg":"HS256","kid":"a"}', b"[" * 5000)) == "token_invalid"
    assert refusal(signed_by_hand(b'{"alg":"HS256","kid":"a","x":' + b"[" * 5000, b"{}")) == "token_invalid"


def test_whatever_is_changed_in_a_token_it_is_refused(seed: int) -> None:
    """A token with some characters changed never gives a grant, and raises nothing but ProtocolError."""
    source = random.Random(seed)
    original = token()
    for _ in range(500):
        changed = list(original)
        for _ in range(source.randrange(1, 4)):
            changed[source.randrange(len(changed))] = chr(
                source.choice([source.randrange(128), source.randrange(0xD000)])
            )
        text = "".join(changed)
        # The last character of a signature has bits to spare: another may mean the same bytes.
        if text[:-1] != original[:-1]:
            assert refusal(text) == "token_invalid"


NAMES = st.text(max_size=70) | st.text("aZ09_.@:+=~-", max_size=70)


@given(NAMES, NAMES, NAMES)
def test_mint_writes_nothing_that_verify_refuses(identity: str, name: str, room: str) -> None:
    try:
        minted = mint(Grant(identity, name, room, Grants()), key_id="a", secret=SECRET, now=NOW, valid_for_s=60)
    except ValueError:
        return
    assert verify(minted, KEYS, room, NOW).identity == identity


@pytest.mark.parametrize("name", ["Ada Lovelace", "Ада", "エイダ", "آدا", "👩‍💻", ""])
def test_names_of_people(name: str) -> None:
    minted = mint(Grant("ada", name, "demo", Grants()), key_id="a", secret=SECRET, now=NOW, valid_for_s=60)
    assert verify(minted, KEYS, "demo", NOW).name == (name or "ada")


def test_who_is_moved_gets_a_token_as_good_as_the_one_before() -> None:
    keys = {"a": SECRET, "b": "t" * 32}
    for expires_at, ends_at in ((NOW + 600, NOW + 600), (NOW - 5, NOW + 60), (math.inf, NOW + 86400)):
        token = mint_again(replace(GRANT, room="red", expires_at=expires_at), keys, NOW)
        again = verify(token, {"a": SECRET}, "red", NOW)
        assert again.expires_at == ends_at and again.grants == GRANT.grants
