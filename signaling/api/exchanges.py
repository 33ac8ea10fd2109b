"""WHIP and WHEP, as rows of the document. They are served by `signaling/whip/endpoints.py`, and by tokens for joining.

Codes and statuses are those of `whip/exchange.py`; which of them a row may answer stands here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from signaling.api.operations import Operation
from signaling.api.problems import PROBLEMS
from signaling.auth import IDENTITY_PATTERN
from signaling.whip.exchange import FRAGMENT_TYPE, OFFER_TYPE, STATUSES

_TAG: Final = "whip and whep"
_SESSION: Final = "/{room}/{session}"
# What only these answer, or what means something else here.
_MEANINGS: Final = {
    "sdp_malformed": "The body is no session description.",
    "sdp_unsupported": "It can be read, but not be answered; the detail says which line.",
    "banned": "The participant is banned from the room.",
    "removed": "The token was made before somebody removed the participant.",
    "lobby": "The room has a lobby, where this way in cannot wait.",
    "room_locked": "Nobody new comes in.",
    "room_deleted": "The room was ended meanwhile.",
    "identity_in_use": "The room refuses a second connection of this identity.",
    "replaced": "Another connection of this identity came meanwhile.",
    "moved": "The participant was moved to another room meanwhile.",
    "transport_lost": "Nothing connected in time, or the connection was lost.",
    "connection_reset": "The media worker was lost meanwhile; begin anew.",
    "server_shutdown": "The server stops.",
    "unknown_session": "There is no such session, or not any more.",
    "precondition_failed": "That ICE session is over; `*` restarts it.",
    "precondition_required": "If-Match is missing.",
}
_ALWAYS: Final = ("malformed", "token_missing", "token_invalid", "token_expired", "token_wrong_room", "not_granted")
_WITH_BODY: Final = ("media_type", "too_large", "timeout", "sdp_malformed", "rate")
_ENTERING: Final = (
    *("token_revoked", "banned", "removed", "lobby", "room_locked", "room_not_found", "room_deleted"),
    *("identity_in_use", "replaced", "moved", "sdp_unsupported", "limit", "room_full", "draining", "unavailable"),
    *("transport_lost", "connection_reset", "server_shutdown"),
)
_IN_SESSION: Final = ("unknown_session",)
_RESTARTING: Final = ("precondition_failed", "precondition_required", "connection_reset", "unavailable")


class WatchQuery(Struct, frozen=True, kw_only=True):
    participant: Annotated[
        Annotated[str, Meta(pattern=f"^{IDENTITY_PATTERN.pattern}$")] | None,
        Meta(description="Whom to watch; left out: whoever published first."),
    ] = None


def exchanges() -> tuple[Operation, ...]:
    return (*_rows("whip", "publish"), *_rows("whep", "watch"))


def _rows(protocol: str, verb: str) -> tuple[Operation, ...]:
    return (
        _row(
            name=f"{protocol}_{verb}",
            method="POST",
            path=f"/{protocol}/{{room}}",
            summary="Publish by WHIP (RFC 9725)" if protocol == "whip" else "Watch by WHEP",
            description="An offer, answered. The room is joined, and left when the session ends.",
            query=WatchQuery if protocol == "whep" else None,
            takes=OFFER_TYPE,
            gives=OFFER_TYPE,
            status=201,
            headers={
                "Location": "The session's address.",
                "ETag": "Names the ICE session.",
                "Link": "STUN and TURN servers.",
                "Accept-Patch": "What PATCH takes.",
            },
            codes=(*_ALWAYS, *_WITH_BODY, *_ENTERING),
        ),
        _row(
            name=f"{protocol}_trickle",
            method="PATCH",
            path=f"/{protocol}{_SESSION}",
            summary=f"Candidates, or an ICE restart, of a {protocol.upper()} session",
            description="A restart is answered with the server's new credentials, candidates with 204. The token that "
            "began the session is good for it, also after it expired.",
            takes=FRAGMENT_TYPE,
            gives=FRAGMENT_TYPE,
            status=200,
            also={204: "Taken."},
            headers={"ETag": "Names the new ICE session."},
            needs_if_match="The ETag of the ICE session, or `*` to restart it.",
            codes=(*_ALWAYS, *_WITH_BODY, *_IN_SESSION, *_RESTARTING),
        ),
        _row(
            name=f"{protocol}_end",
            method="DELETE",
            path=f"/{protocol}{_SESSION}",
            summary=f"End a {protocol.upper()} session",
            status=200,
            codes=(*_ALWAYS, *_IN_SESSION),
        ),
    )


def _row(codes: tuple[str, ...], **columns: Any) -> Operation:
    refuses = {code: (int(STATUSES[code]), _MEANINGS.get(code) or PROBLEMS[code][1]) for code in (*codes, "internal")}
    return Operation(tag=_TAG, access="participant", refuses=refuses, **columns)
