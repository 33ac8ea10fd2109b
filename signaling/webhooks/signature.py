"""Signatures of webhooks, and how their receivers check them: `Sfu-Signature: t=UNIX_SECONDS,v1=HEX`.

`v1` is HMAC-SHA256 of `t`, a dot and the body as it came, with the webhook's secret. Receivers in Python call `verify`:

    verify(secret, request.headers["Sfu-Signature"], await request.read(), now=time.time())

Others do the same in four steps: take `t` and every `v1` from the header; compute the HMAC of `t.body`; compare it with
each `v1` in constant time; refuse when `t` is more than five minutes away, or somebody sends an old request again.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

HEADER: Final = "Sfu-Signature"
# Clocks differ, and a request may be under way for a while.
TOLERANCE_S: Final = 300.0
# A header with more is not ours.
_MAX_PARTS: Final = 10


class InvalidSignature(Exception):
    """The request is not from who knows the secret, is an old one, or was changed on the way."""


def sign(secrets: Iterable[str], body: bytes, now: float) -> str:
    """The header's value: one `v1` for each secret, while one is replaced by another. `now`: Unix time."""
    at = int(now)
    return ",".join([f"t={at}", *(f"v1={_digest(secret, at, body)}" for secret in secrets)])


def verify(secret: str, header: str, body: bytes, *, now: float, tolerance_s: float = TOLERANCE_S) -> None:
    """Raises InvalidSignature. `body` is as it came, before any parsing; `now` is Unix time."""
    parts = [part.strip().partition("=") for part in header.split(",")[:_MAX_PARTS]]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12) or not signatures:
        raise InvalidSignature(f"{HEADER} is t=…,v1=…")
    at = int(times[0])
    expected = _digest(secret, at, body).encode()
    # All are compared, so that how long it takes tells nothing.
    matches = [hmac.compare_digest(expected, given.encode(errors="replace")) for given in signatures]
    if not any(matches):
        raise InvalidSignature("the signature does not fit the body and the secret")
    if abs(now - at) > tolerance_s:
        raise InvalidSignature(f"made {now - at:.0f} s ago")


def _digest(secret: str, at: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, sha256).hexdigest()
