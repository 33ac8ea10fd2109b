"""Public keys that tokens are verified with, from JWKS documents (RFC 7517). Pure.

The key says by which algorithm it is used, never the token: so no public key is ever taken for a shared secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError
from msgspec import Struct

# A document of a large provider is some 10 kB with ten keys.
MAX_DOCUMENT_BYTES: Final = 64 * 1024
MAX_KEYS: Final = 64
MAX_KEY_ID_CHARACTERS: Final = 256
# RFC 7518 §3.3.
MIN_RSA_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class PublicKey:
    algorithm: Literal["RS256", "ES256"]
    key: Any  # of cryptography


class _Jwk(Struct, frozen=True):
    kty: str
    kid: str = ""
    use: str = "sig"
    alg: str = ""
    crv: str = ""
    n: str = ""
    e: str = ""
    x: str = ""
    y: str = ""


class _JwkSet(Struct, frozen=True):
    keys: list[dict[str, Any]]


def read_jwks(document: bytes) -> dict[str, PublicKey]:
    """The keys we can use, by key id; others (for encryption, of other kinds, shared ones) are passed over.

    Raises ValueError when it is no JWKS document.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"more than {MAX_DOCUMENT_BYTES} bytes")
    try:
        listed = msgspec.json.decode(document, type=_JwkSet).keys
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"not a JWKS document: {error}") from error
    found: dict[str, PublicKey] = {}
    for one in listed[:MAX_KEYS]:
        try:
            jwk = msgspec.convert(one, _Jwk)
            key = _read_key(jwk)
        except (msgspec.ValidationError, InvalidKeyError, ValueError):
            continue
        if key is not None and 0 < len(jwk.kid) <= MAX_KEY_ID_CHARACTERS:
            found.setdefault(jwk.kid, key)
    return found


def _read_key(jwk: _Jwk) -> PublicKey | None:
    if jwk.use != "sig":
        return None
    # Only what is public is handed on, should somebody have published his private key.
    if jwk.kty == "RSA" and jwk.alg in ("", "RS256"):
        key: Any = RSAAlgorithm.from_jwk({"kty": "RSA", "n": jwk.n, "e": jwk.e})
        return PublicKey("RS256", key) if key.key_size >= MIN_RSA_BITS else None
    if jwk.kty == "EC" and jwk.crv == "P-256" and jwk.alg in ("", "ES256"):
        return PublicKey("ES256", ECAlgorithm.from_jwk({"kty": "EC", "crv": "P-256", "x": jwk.x, "y": jwk.y}))
    return None
