"""Addresses under which one recording is played for a while: signed, so that nothing of them is kept. Pure.

A browser's media elements send no `Authorization`, so what they may fetch is in the address. It opens nothing else, and
ends with what its maker came by: the API key signs it, and of a token it says enough to see whether it was revoked.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from signaling.api.access import Caller
from signaling.auth import Grant
from signaling.errors import Refused
from signaling.keyring import OWN_KEY
from signaling.messages import Grants
from signaling.public_keys import PublicKey

_MAC_BYTES: Final = 16  # 128 bits: who guesses has an hour or a day for it, over the network
MOST_CHARACTERS: Final = 2048  # of an identity and two ids, with room


class _Pass(Struct, frozen=True, array_like=True):
    """`until`: Unix time. The rest of it is of the token that it was made by; empty: it was a key."""

    key: str
    until: int
    identity: str = ""
    issued_at: float = 0.0
    token: str = ""


def make(recording: str, caller: Caller, until: int, keys: Mapping[str, str | PublicKey]) -> str:
    """One segment of a path. `until`: Unix time. Raises KeyError when the caller's key is over."""
    made = _Pass(caller.key or OWN_KEY, until)
    if caller.grant is not None:
        grant = caller.grant
        made = _Pass(OWN_KEY, until, grant.identity, grant.issued_at, grant.token_id)
    content = msgspec.json.encode(made)
    return f"{_encoded(content)}.{_encoded(_mac(recording, content, keys[made.key]))}"


def check(link: str, recording: str, room: str, now: float, keys: Mapping[str, str | PublicKey]) -> Grant | None:
    """What the token permits that it was made by, to see whether its holder is welcome still; None: a key made it.

    `now`: Unix time. Raises Refused: `recording_not_found`, as for a recording that there is not, or `link_expired`."""
    unknown = Refused("recording_not_found", f"there is no recording {recording[:64]}")
    content, _, mac = link.partition(".")
    try:
        decoded = _decoded(content)
        made = msgspec.json.decode(decoded, type=_Pass)
        if not hmac.compare_digest(_mac(recording, decoded, keys[made.key]), _decoded(mac)):
            raise unknown
    except (KeyError, ValueError, binascii.Error) as error:
        raise unknown from error
    if made.until <= now:
        raise Refused("link_expired", "ask for another address")
    if not made.identity:
        return None
    grants = Grants(record=True)
    return Grant(made.identity, "", room, grants, issued_at=made.issued_at, token_id=made.token)


def _mac(recording: str, content: bytes, secret: str | PublicKey) -> bytes:
    """Raises KeyError for a key that signs nothing here."""
    if not isinstance(secret, str):
        raise KeyError(recording)
    said = b"sfu playback " + recording.encode() + b" " + content
    return hmac.digest(secret.encode(), said, "sha256")[:_MAC_BYTES]


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """Raises ValueError."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError("too long")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
