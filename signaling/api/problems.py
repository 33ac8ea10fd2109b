"""Every code that the API may answer, with its HTTP status and what it means. Codes are stable and for programs."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from msgspec import Struct

# code → (status, meaning). What stands in PROTOCOL.md as well means the same here.
PROBLEMS: Final = MappingProxyType(
    {
        "malformed": (400, "The body or an escape in the address cannot be read."),
        "token_missing": (401, "No `Authorization: Bearer` header came."),
        "key_invalid": (401, "There is no such API key, or its secret is another."),
        "token_invalid": (401, "The token is malformed, not signed by a key of this server, or not valid yet."),
        "token_expired": (401, "The token has expired."),
        "token_revoked": (401, "The token has been revoked."),
        "token_wrong_room": (403, "The token is for another room."),
        "not_granted": (403, "The caller may not do this."),
        "http": (404, "There is nothing at this address, or nothing by this method."),
        "room_not_found": (404, "There is no such room."),
        "unknown_participant": (404, "Nobody of this identity is in the room."),
        "unknown_track": (404, "The participant publishes no such track."),
        "unknown_subscription": (404, "The participant receives no such track."),
        "unknown_layer": (409, "The track has no layer of this rid."),
        "unknown_ban": (404, "There is no such ban."),
        "unknown_webhook": (404, "There is no such webhook."),
        "unknown_delivery": (404, "There is no such delivery to this webhook, or not any more."),
        "unknown_key": (404, "There is no such key, or it has ended."),
        "recording_not_found": (404, "There is no such recording."),
        "unknown_mix": (404, "The recording has no such mix."),
        "unknown_file": (404, "The recording has no such file, or not any more."),
        "room_exists": (409, "There is a room of this name already."),
        "room_full": (409, "All seats of the room are taken."),
        "banned": (409, "The participant is banned from that room."),
        "recording_disabled": (409, "This server does not record."),
        "recording_running": (409, "The recording runs, or its files are not made."),
        "mix_running": (409, "The mix is not made."),
        "upload_disabled": (409, "This server uploads no recordings."),
        "recording_ended": (409, "The recording has ended."),
        "end_to_end_encrypted": (409, "What passes through the room cannot be decoded here."),
        "out_of_range": (
            409,
            "A value is beyond what this server is set to; the detail says which.",
        ),
        "conflict": (409, "It cannot be done as things stand; the detail says why."),
        "idempotency_in_progress": (409, "A request with this Idempotency-Key is still being answered."),
        "link_expired": (410, "The address was good for a while, which is over."),
        "version_mismatch": (412, "It has changed since: the version is not the one in If-Match."),
        "too_large": (413, "The body is larger than the limit."),
        "media_type": (415, "The body is to be `application/json`."),
        "invalid": (422, "It can be read but breaks a rule; the detail says which, and where."),
        "idempotency_mismatch": (409, "This Idempotency-Key was used before, for another request."),
        "limit": (429, "A limit of the server or the room is reached; the detail names it."),
        "rate": (429, "Too many requests; try again after `Retry-After` seconds."),
        "internal": (500, "An error of the server, which is in its log."),
        "draining": (503, "The server is about to stop, and takes no new rooms."),
        "unavailable": (503, "The media worker does not answer; try again."),
        "timeout": (408, "The body did not come in time."),
    }
)

# What any operation may answer, whatever it does.
ALWAYS: Final = ("malformed", "invalid", "rate", "internal")
WITH_CREDENTIALS: Final = ("token_missing", "key_invalid", "token_invalid", "token_expired", "token_revoked")
WITH_BODY: Final = ("too_large", "media_type", "timeout")
WITH_IDEMPOTENCY: Final = ("idempotency_in_progress", "idempotency_mismatch")


class Problem(Struct, frozen=True, kw_only=True):
    """RFC 9457. `code` is stable and for programs, `detail` is a sentence for people and may change."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str


def status_of(code: str) -> int:
    """Codes of the room directory that stand in no table are refusals of a fair request."""
    return PROBLEMS[code][0] if code in PROBLEMS else 409
