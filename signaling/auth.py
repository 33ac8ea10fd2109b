"""Tokens: JWT (RFC 7519, 7515), minted by app backends, verified here. Pure: `now` is Unix time.

A token says who somebody is and what they may do in one room, or in those that a pattern covers. It is signed with a
secret that we share (HS256), or by who publishes a JWKS document (RS256, ES256): which of these is the key's to say.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import jwt
import msgspec
from msgspec import Meta, Struct

from signaling.errors import ProtocolError
from signaling.messages import Grants
from signaling.public_keys import PublicKey
from signaling.recordings.options import RecordingOptions

ALGORITHM: Final = "HS256"

# The largest honest token is below 1 kB; everything longer is refused unread.
MAX_TOKEN_CHARACTERS: Final = 8192
# RFC 7518 §3.2: a key of at least the hash's size.
MIN_SECRET_BYTES: Final = 32
# Clocks of backend and server differ a little. Higher: expired tokens live longer.
LEEWAY_S: Final = 5.0
# Revocations are kept for as long as a token that they are about may live.
LONGEST_LIFE_S: Final = 90 * 86400.0

# A session goes on when its token has expired, and so it does in the room it is moved to: time to join there.
SHORTEST_AGAIN_S: Final = 60.0
# Where the token had no end to speak of.
LONGEST_AGAIN_S: Final = 86400.0

# Identities and rooms stand in logs, paths and URLs, so they are plain ASCII; 128 holds a UUID or an e-mail address.
IDENTITY_PATTERN: Final = re.compile(r"[A-Za-z0-9_.@:+=~-]{1,128}")
# A room does not begin with a dot: `.` and `..` would change the path they stand in.
ROOM_PATTERN: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]{0,63}")
# Of tokens for several rooms: `*` stands for any characters, none too.
ROOM_SCOPE: Final = re.compile(r"[A-Za-z0-9_~*-][A-Za-z0-9_.~*-]{0,63}")
MAX_TOKEN_ID_CHARACTERS: Final = 128
# Names are shown to people in any script; longer ones fit on no tile.
MAX_NAME_CHARACTERS: Final = 64
# Neither controls and line ends, nor the marks that turn the direction of the text after the name.
NAME_PATTERN: Final = re.compile(r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]*")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token permits, to whom and where. Times are Unix; a token that does not say when it was made is old."""

    identity: str
    name: str
    room: str
    grants: Grants
    # When it was made says nothing of what it permits.
    issued_at: float = field(default=0.0, compare=False)
    expires_at: float = field(default=math.inf, compare=False)
    valid_for_s: float = field(default=math.inf, compare=False)  # from when it was verified
    token_id: str = field(default="", compare=False)
    auto_record: RecordingOptions | None = field(default=None, compare=False)  # how the room is, when its holder comes


class _Header(Struct, frozen=True):
    kid: str = ""


class _Claims(Struct, frozen=True, kw_only=True):
    sub: str
    room: str
    # Seconds since 1970; bounded, so that no arithmetic on them can fail.
    exp: Annotated[float, Meta(ge=0, le=1e12)]
    nbf: Annotated[float, Meta(ge=0, le=1e12)] = 0.0
    iat: Annotated[float, Meta(ge=0, le=1e12)] = 0.0
    jti: Annotated[str, Meta(max_length=MAX_TOKEN_ID_CHARACTERS)] = ""
    name: str = ""
    grants: Grants = Grants()
    auto_record: RecordingOptions | None = None


def verify(token: str, keys: Mapping[str, str | PublicKey], room: str, now: float) -> Grant:
    """The grant of a token for `room`. `keys`: by key id, secrets and public keys; `now` is Unix time.

    Raises ProtocolError with `token_invalid`, `token_expired` or `token_wrong_room`.
    """
    claims = _read_claims(_verified_payload(token, keys))
    if now >= claims.exp + LEEWAY_S:
        raise ProtocolError("token_expired", f"expired {now - claims.exp:.0f} s ago")
    if now < claims.nbf - LEEWAY_S:
        raise ProtocolError("token_invalid", f"not valid for another {claims.nbf - now:.0f} s")
    if now < claims.iat - LEEWAY_S:
        raise ProtocolError("token_invalid", f"made {claims.iat - now:.0f} s from now")
    if claims.exp - now > LONGEST_LIFE_S:
        raise ProtocolError("token_invalid", f"good for more than {LONGEST_LIFE_S / 86400:.0f} days")
    try:
        check_identity(claims.sub)
        if not ROOM_SCOPE.fullmatch(claims.room):
            raise ValueError("not a room, nor a pattern of rooms")
        check_name(claims.name)
        check_auto_record(claims.auto_record)
    except ValueError as error:
        raise ProtocolError("token_invalid", str(error)) from error
    if not covers(claims.room, room):
        raise ProtocolError("token_wrong_room", f"the token is for another room than {room}")
    return Grant(
        identity=claims.sub,
        name=claims.name or claims.sub,
        room=room,
        grants=claims.grants,
        issued_at=claims.iat,
        expires_at=claims.exp,
        valid_for_s=claims.exp - now,
        token_id=claims.jti,
        auto_record=claims.auto_record,
    )


def covers(scope: str, room: str) -> bool:
    """Whether this room, or pattern of rooms, is also about that one. Takes time in proportion to their lengths."""
    first, *others = scope.split("*")
    if not others:
        return scope == room
    if not room.startswith(first):
        return False
    *middle, last = others
    position = len(first)
    for part in middle:
        found = room.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return room.endswith(last) and position <= len(room) - len(last)


def mint(grant: Grant, *, key_id: str, secret: str, now: float, valid_for_s: float) -> str:
    """A token for `grant`, whose room may be a pattern. Raises ValueError for what `verify` would not take."""
    check_identity(grant.identity)
    if not ROOM_SCOPE.fullmatch(grant.room):
        check_room(grant.room)
    check_name(grant.name)
    check_auto_record(grant.auto_record)
    if valid_for_s > LONGEST_LIFE_S:
        raise ValueError(f"a token is good for at most {LONGEST_LIFE_S / 86400:.0f} days")
    claims = {
        "sub": grant.identity,
        "name": grant.name,
        "room": grant.room,
        # To the millisecond: one made right after a revocation is good, and none made before is, by rounding.
        "iat": math.floor(now * 1000) / 1000,
        "exp": int(now + valid_for_s),
        "grants": msgspec.to_builtins(grant.grants),
    }
    if grant.token_id:
        claims["jti"] = grant.token_id
    if grant.auto_record is not None:
        claims["auto_record"] = msgspec.to_builtins(grant.auto_record)
    return jwt.encode(claims, secret, algorithm=ALGORITHM, headers={"kid": key_id})


def mint_again(grant: Grant, keys: Mapping[str, str | PublicKey], now: float) -> str:
    """For who is moved to another room, by our first secret: good for as long as the token that it came with."""
    key_id, secret = next((name, key) for name, key in keys.items() if isinstance(key, str))
    left_s = min(max(grant.expires_at - now, SHORTEST_AGAIN_S), LONGEST_AGAIN_S)
    return mint(grant, key_id=key_id, secret=secret, now=now, valid_for_s=left_s)


def check_identity(identity: str) -> None:
    """Raises ValueError that says what an identity may be."""
    if not IDENTITY_PATTERN.fullmatch(identity):
        raise ValueError("an identity has 1 … 128 of the characters A-Z a-z 0-9 _ . @ : + = ~ -")


def check_room(room: str) -> None:
    """Raises ValueError that says what a room may be called."""
    if not ROOM_PATTERN.fullmatch(room):
        raise ValueError("a room has 1 … 64 of the characters A-Z a-z 0-9 _ . ~ - and does not begin with a dot")


def check_name(name: str) -> None:
    """Raises ValueError that says what a display name may be. May be empty: the identity stands in for it."""
    if len(name) > MAX_NAME_CHARACTERS:
        raise ValueError(f"a name has at most {MAX_NAME_CHARACTERS} characters")
    if not NAME_PATTERN.fullmatch(name) or _SURROGATES.search(name):
        raise ValueError("a name has no control characters")


def check_auto_record(options: RecordingOptions | None) -> None:
    """Raises ValueError that says what contradicts itself."""
    if options is not None and (contradiction := options.contradiction()):
        raise ValueError(f"auto_record: {contradiction}")


def _verified_payload(token: str, keys: Mapping[str, str | PublicKey]) -> bytes:
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise ProtocolError("token_invalid", f"more than {MAX_TOKEN_CHARACTERS} characters")
    try:
        found = keys.get(_key_id(token))
        if found is None:
            raise ProtocolError("token_invalid", "the header's kid names no key of this server")
        # One algorithm, and the key's own: neither `none`, nor a public key taken for a secret, comes in question.
        key, algorithm = (found, ALGORITHM) if isinstance(found, str) else (found.key, found.algorithm)
        complete: dict[str, Any] = jwt.PyJWS().decode_complete(token, key, algorithms=[algorithm])
    # PyJWT lets some malformed headers through to json and base64, whose errors are ValueErrors.
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise ProtocolError("token_invalid", str(error)) from error
    payload: bytes = complete["payload"]
    return payload


def _key_id(token: str) -> str:
    """As the header says it, of which nothing is verified yet; empty if it does not. Raises ValueError."""
    header = token.partition(".")[0]
    return msgspec.json.decode(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)), type=_Header).kid


def _read_claims(payload: bytes) -> _Claims:
    try:
        return msgspec.json.decode(payload, type=_Claims)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ProtocolError("token_invalid", f"claims: {error}") from error
