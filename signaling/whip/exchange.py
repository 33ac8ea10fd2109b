"""What passes between HTTP and a session: requests and responses as values, and the codes of refusals.

Codes are those of PROTOCOL.md, with a few that only HTTP has. Which status a code is, is the table here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

OFFER_TYPE: Final = "application/sdp"
FRAGMENT_TYPE: Final = "application/trickle-ice-sdpfrag"


# --- requests ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Post:
    """The first request of a session. `request` is a number for its response to come back with."""

    request: int
    token: str | None  # of `Authorization: Bearer`
    offer: str
    client: str  # what it says it is, for logs


@dataclass(frozen=True, slots=True)
class Patch:
    request: int
    token: str | None
    if_match: str | None
    fragment: str


@dataclass(frozen=True, slots=True)
class Delete:
    request: int
    token: str | None


Request = Post | Patch | Delete


# --- responses -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Created:
    """201: the answer. `entity_tag` names the ICE session, quotes included."""

    request: int
    answer: str
    entity_tag: str


@dataclass(frozen=True, slots=True)
class Taken:
    """204: candidates, of which there is nothing to say."""

    request: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """200: our new ICE credentials, as a fragment."""

    request: int
    fragment: str
    entity_tag: str


@dataclass(frozen=True, slots=True)
class Ended:
    """200: the session is no more."""

    request: int


@dataclass(frozen=True, slots=True)
class Declined:
    request: int
    code: str
    reason: str


Response = Created | Taken | Restarted | Ended | Declined

STATUSES: Final[Mapping[str, HTTPStatus]] = MappingProxyType(
    {
        "malformed": HTTPStatus.BAD_REQUEST,
        "sdp_malformed": HTTPStatus.BAD_REQUEST,
        "token_missing": HTTPStatus.UNAUTHORIZED,
        "token_invalid": HTTPStatus.UNAUTHORIZED,
        "token_expired": HTTPStatus.UNAUTHORIZED,
        "token_wrong_room": HTTPStatus.FORBIDDEN,
        "not_granted": HTTPStatus.FORBIDDEN,
        "banned": HTTPStatus.FORBIDDEN,
        "removed": HTTPStatus.FORBIDDEN,
        "token_revoked": HTTPStatus.UNAUTHORIZED,
        "lobby": HTTPStatus.FORBIDDEN,
        "room_locked": HTTPStatus.LOCKED,
        "room_not_found": HTTPStatus.NOT_FOUND,
        "room_deleted": HTTPStatus.NOT_FOUND,
        "unknown_session": HTTPStatus.NOT_FOUND,
        "timeout": HTTPStatus.REQUEST_TIMEOUT,
        "identity_in_use": HTTPStatus.CONFLICT,
        "replaced": HTTPStatus.CONFLICT,
        "moved": HTTPStatus.CONFLICT,
        "precondition_failed": HTTPStatus.PRECONDITION_FAILED,
        "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        # RFC 9725 §4.4: what is well formed, but cannot be had.
        "sdp_unsupported": HTTPStatus.UNPROCESSABLE_ENTITY,
        "precondition_required": HTTPStatus.PRECONDITION_REQUIRED,
        "rate": HTTPStatus.TOO_MANY_REQUESTS,
        "limit": HTTPStatus.SERVICE_UNAVAILABLE,
        "room_full": HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
        "draining": HTTPStatus.SERVICE_UNAVAILABLE,
        "transport_lost": HTTPStatus.SERVICE_UNAVAILABLE,
        "connection_reset": HTTPStatus.SERVICE_UNAVAILABLE,
        "server_shutdown": HTTPStatus.SERVICE_UNAVAILABLE,
        "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
    }
)
