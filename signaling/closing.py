"""Which codes of PROTOCOL.md end a connection, and with which WebSocket close code."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

NORMAL_CLOSE: Final = 1000
# To the socket that a session had before, should there be somebody to hear it.
RESUMED_ELSEWHERE: Final = 4409
# By clients: a page that is left, closed or reloaded. A socket that ends in any other way may be followed by another.
LEAVING: Final = frozenset({1000, 1001})

_ALWAYS: Final = MappingProxyType(
    {
        "malformed": 4400,
        "unknown_type": 4400,
        "unexpected": 4400,
        "too_large": 1009,
        "token_invalid": 4401,
        "token_expired": 4401,
        "token_wrong_room": 4401,
        "key_invalid": 4401,
        "banned": 4403,
        "removed": 4403,
        "token_revoked": 4401,
        "denied": 4403,
        "room_not_found": 4404,
        "room_deleted": 4404,
        "draining": 4503,
        "join_timeout": 4408,
        "identity_in_use": 4409,
        "replaced": 4409,
        "transport_lost": 4410,
        "moved": 4411,
        "room_locked": 4423,
        "rate": 4429,
        "server_shutdown": 1001,
        "internal": 1011,
    }
)
_AT_JOIN: Final = MappingProxyType({"not_granted": 4403, "room_full": 4429, "limit": 4429, "unavailable": 4429})


def close_code(code: str, *, joined: bool) -> int | None:
    """None: the session goes on after this error."""
    always = _ALWAYS.get(code)
    return always if always is not None or joined else _AT_JOIN.get(code)
