"""JWKS documents: the keys that can be used are found, all others passed over, and no document does harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm

from signaling.public_keys import MAX_DOCUMENT_BYTES, read_jwks

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, **fields: str) -> dict[str, Any]:
    algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey) else ECAlgorithm
    return {**algorithm.to_jwk(key, as_dict=True), "kid": "k", **fields}


def read(*keys: Any) -> dict[str, str]:
    """Algorithms by key id."""
    return {name: key.algorithm for name, key in read_jwks(json.dumps({"keys": keys}).encode()).items()}


def test_keys_that_can_be_used() -> None:
    keys = [jwk(RSA.public_key(), kid="r"), jwk(EC.public_key(), kid="e", use="sig", alg="ES256")]
    assert read(*keys) == {"r": "RS256", "e": "ES256"}


def test_of_a_private_key_that_somebody_published_only_what_is_public_is_taken() -> None:
    found = read_jwks(json.dumps({"keys": [jwk(RSA), jwk(EC, kid="e")]}).encode())
    assert not any(hasattr(one.key, "private_numbers") for one in found.values()) and set(found) == {"k", "e"}


@pytest.mark.parametrize(
    "key",
    [
        jwk(RSA.public_key(), use="enc"),
        jwk(RSA.public_key(), alg="RS512"),
        jwk(RSA.public_key(), kid=""),
        jwk(RSA.public_key(), kid="x" * 257),
        jwk(RSA.public_key(), n="AQAB"),
        jwk(RSA.public_key(), n="!"),
        jwk(rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()),
        jwk(ec.generate_private_key(ec.SECP384R1()).public_key()),
        jwk(EC.public_key(), x="AAAA"),
        {**HMACAlgorithm.to_jwk("s" * 32, as_dict=True), "kid": "k"},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "k"},
        {"kty": "RSA", "kid": "k"},
        {"kid": 5},
        {},
    ],
)
def test_keys_that_are_passed_over(key: dict[str, Any]) -> None:
    assert read(key, jwk(EC.public_key(), kid="good")) == {"good": "ES256"}


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys": 5}', b'{"keys": [5]}', b"\xff", b"[" * 9000])
def test_what_is_no_document(document: bytes) -> None:
    with pytest.raises(ValueError, match="JWKS"):
        read_jwks(document)
    with pytest.raises(ValueError, match="bytes"):
        read_jwks(b" " * (MAX_DOCUMENT_BYTES + 1))


@given(
    st.dictionaries(
        st.sampled_from(["kty", "kid", "use", "alg", "crv", "n", "e", "x", "y", "d"]),
        st.text(max_size=20) | st.integers() | st.none() | st.sampled_from(["RSA", "EC", "P-256", "sig", "AQAB"]),
    )
)
def test_whatever_stands_in_it_nothing_else_is_raised(key: dict[str, Any]) -> None:
    assert read(key) in ({}, {key.get("kid"): "RS256"}, {key.get("kid"): "ES256"})
