"""What the API takes and gives, as models.py: of the server as a whole, and of what is sent by it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from signaling.auth import IDENTITY_PATTERN, MAX_TOKEN_ID_CHARACTERS, ROOM_PATTERN
from signaling.keyring import MAX_NAME_CHARACTERS
from signaling.limits import RoomLimits
from signaling.webhooks.delivery import DeliveryState
from signaling.webhooks.registry import MAX_SECRET_CHARACTERS, MAX_URL_CHARACTERS, MIN_SECRET_CHARACTERS

_LIMITS: Final = RoomLimits()
MAX_MESSAGE_CHARACTERS: Final = _LIMITS.message_bytes
# As much of Base64 as a body holds beside the rest: 45 kB.
MAX_DATA_CHARACTERS: Final = 60 * 1024
MAX_TOPIC_CHARACTERS: Final = _LIMITS.topic_characters
# Named one by one; to more people a message goes as one to all.
MAX_RECEIVERS: Final = 200
# There are some ten types.
MAX_TYPES: Final = 32
# Longer than any token lives: whatever was signed with the key has ended by then.
MAX_RETIREMENT_S: Final = 90 * 86400
_BASE64: Final = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

# --- webhooks ------------------------------------------------------------------------------------------------

Url = Annotated[str, Meta(max_length=MAX_URL_CHARACTERS, description="`http://…` or `https://…`")]
Types = Annotated[list[str], Meta(max_length=MAX_TYPES, description="Of events; none: all. As `type` in events.")]


class Webhook(Struct, frozen=True, kw_only=True):
    """Where events are sent. `configured`: by the server's configuration, so it cannot be changed here."""

    id: str
    url: str
    room: Annotated[str | None, Meta(description="Only of rooms of this name; null: of all.")]
    types: Types
    configured: bool
    version: Annotated[int, Meta(description="Grows with each change; also the ETag.")]


class WebhookSecret(Webhook, frozen=True, kw_only=True):
    """With what it signs. The secret is not shown again."""

    secret: str


class WebhookWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: Url
    room: Annotated[
        Annotated[str, Meta(pattern=f"^{ROOM_PATTERN.pattern}$")] | None,
        Meta(description="Only of rooms of this name; null: of all."),
    ] = None
    types: Types = []
    secret: Annotated[
        Annotated[str, Meta(min_length=MIN_SECRET_CHARACTERS, max_length=MAX_SECRET_CHARACTERS)] | None,
        Meta(description="What signs its requests; null: the server makes one."),
    ] = None


class WebhookChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is not named stays as it is."""

    url: Url | UnsetType = UNSET
    types: Types | UnsetType = UNSET


class WebhookPage(Struct, frozen=True, kw_only=True):
    """Webhooks by id."""

    items: list[Webhook]
    next_cursor: str | None


class DeliveryItem(Struct, frozen=True, kw_only=True):
    """One event on its way to one webhook, and what became of the last attempt."""

    id: str
    webhook: str
    event: Annotated[str, Meta(description="Its id.")]
    seq: Annotated[int, Meta(description="Of the event.")]
    type: str
    created_at: datetime
    state: DeliveryState
    attempts: int
    next_attempt_at: Annotated[
        datetime | None, Meta(description="Not before. Null: as soon as its turn comes, or over.")
    ]
    finished_at: datetime | None
    status: Annotated[int | None, Meta(description="What the receiver answered; null: nothing.")]
    error: str


class DeliveryPage(Struct, frozen=True, kw_only=True):
    """Deliveries, the latest event first. All of one event are on one page, which may so be longer than `limit`."""

    items: list[DeliveryItem]
    next_cursor: str | None


# --- keys ----------------------------------------------------------------------------------------------------


class Key(Struct, frozen=True, kw_only=True):
    """An API key made here."""

    id: str
    name: str
    created_at: datetime
    expires_at: Annotated[datetime | None, Meta(description="Null: good until it is retired.")]


class KeySecret(Key, frozen=True, kw_only=True):
    """`ID:SECRET` is the credential. The secret also signs tokens (HS256, with `kid` the id). It is not shown again."""

    secret: str


class KeyWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(max_length=MAX_NAME_CHARACTERS, description="For people: whose key it is.")] = ""


class Retirement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    in_s: Annotated[
        float, Meta(ge=0, le=MAX_RETIREMENT_S, description="Good for so long still; 0: it ends at once.")
    ] = 0.0


class KeyPage(Struct, frozen=True, kw_only=True):
    """Keys made here that are good, by id."""

    items: list[Key]
    next_cursor: str | None


# --- messages ------------------------------------------------------------------------------------------------


class MessageToSend(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`text`, or bytes as `data`."""

    text: Annotated[str, Meta(max_length=MAX_MESSAGE_CHARACTERS)] | UnsetType = UNSET
    data: Annotated[str, Meta(pattern=_BASE64, max_length=MAX_DATA_CHARACTERS, description="Base64.")] | UnsetType = (
        UNSET
    )
    topic: Annotated[str, Meta(max_length=MAX_TOPIC_CHARACTERS, description="Tells uses apart.")] = ""
    to: Annotated[
        Annotated[
            list[Annotated[str, Meta(pattern=f"^{IDENTITY_PATTERN.pattern}$")]],
            Meta(min_length=1, max_length=MAX_RECEIVERS),
        ]
        | None,
        Meta(description="Identities, all of whom are here; null: everybody."),
    ] = None
    reliable: Annotated[bool, Meta(description="False: it is lost rather than late, and is smaller.")] = True


# --- revoking ------------------------------------------------------------------------------------------------


class TokenToRevoke(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By its `jti`, which is `token_id` of what this API makes."""

    token_id: Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN_ID_CHARACTERS)]
