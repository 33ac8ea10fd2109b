"""Which webhooks there are: those of the configuration, and those made by API, for all rooms or for one. Sans-IO."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from signaling.errors import Refused
from signaling.events import TYPES, AnyEvent, RoomReference, WebhookTest
from signaling.records import Drop, Put, Record, Stored, StoredWebhook
from signaling.webhooks.delivery import Delivery

# Each multiplies the work of every event.
MAX_WEBHOOKS: Final = 100
MAX_URL_CHARACTERS: Final = 2048
# As for keys of tokens: HMAC-SHA256 wants a key of the hash's size.
MIN_SECRET_CHARACTERS: Final = 32
MAX_SECRET_CHARACTERS: Final = 256


class Webhooks:
    """`configured`: cannot be changed by API. `new_id` makes of `WH` an id, `new_secret` a secret.
    `room_secret` signs what goes where rooms want it by their settings."""

    def __init__(
        self,
        configured: Iterable[StoredWebhook],
        new_id: Callable[[str], str],
        new_secret: Callable[[], str],
        room_secret: str = "",
    ) -> None:
        self._room_secret = room_secret
        self._configured = {one.id: one for one in configured}
        self._made: dict[str, StoredWebhook] = {}
        self._new_id = new_id
        self._new_secret = new_secret
        self._records: deque[Record] = deque()

    def restore(self, kept: Iterable[Stored]) -> None:
        self._made = {one.id: one for one in kept if isinstance(one, StoredWebhook)}

    def poll_record(self) -> Record | None:
        return self._records.popleft() if self._records else None

    def all(self) -> list[StoredWebhook]:
        return [*self._configured.values(), *self._made.values()]

    def get(self, name: str) -> StoredWebhook | None:
        return self._configured.get(name) or self._made.get(name)

    def is_configured(self, name: str) -> bool:
        return name in self._configured

    def receiver_of(self, delivery: Delivery) -> StoredWebhook | None:
        """None: there is no such webhook (any more)."""
        if delivery.url:
            return StoredWebhook(id=delivery.webhook, url=delivery.url, secret=self._room_secret)
        return self.get(delivery.webhook)

    def interested(self, event: AnyEvent) -> list[StoredWebhook]:
        if isinstance(event, WebhookTest):
            return [one for one in self.all() if one.id == event.webhook]
        tag = event.__struct_config__.tag
        return [
            one for one in self.all() if one.room in (None, event.room.name) and (not one.types or tag in one.types)
        ]

    def create(
        self, url: str, *, room: str | None = None, types: tuple[str, ...] = (), secret: str | None = None
    ) -> StoredWebhook:
        """`types`: which events; none: all. Raises Refused `out_of_range` or `limit`."""
        check(url, types, secret)
        if len(self._made) >= MAX_WEBHOOKS:
            raise Refused("limit", f"the server has its {MAX_WEBHOOKS} webhooks")
        webhook = StoredWebhook(
            id=self._new_id("WH"), url=url, room=room, types=types, secret=secret or self._new_secret()
        )
        self._made[webhook.id] = webhook
        self._records.append(Put(webhook))
        return webhook

    def update(
        self,
        name: str,
        *,
        url: str | UnsetType = UNSET,
        types: tuple[str, ...] | UnsetType = UNSET,
        secret: str | UnsetType = UNSET,
        version: int | None = None,
    ) -> StoredWebhook:
        """A secret that is replaced goes on signing beside the new one until it is replaced again, so that receivers
        can change over. `version`: which it must still have; None: any. Raises Refused `unknown_webhook`,
        `not_granted`, `version_mismatch` or `out_of_range`."""
        before = self._changeable(name)
        if version not in (None, before.version):
            raise Refused("version_mismatch", f"{name} is at version {before.version}, not {version}")
        after = replace(
            before,
            url=before.url if url is UNSET else url,
            types=before.types if types is UNSET else types,
        )
        if secret is not UNSET and secret != before.secret:
            after = replace(after, secret=secret, previous_secret=before.secret)
        check(after.url, after.types, after.secret)
        after = replace(after, version=before.version + 1)
        self._made[name] = after
        self._records.append(Put(after))
        return after

    def rotate(self, name: str) -> StoredWebhook:
        """With another secret, made here. Raises Refused `unknown_webhook` or `not_granted`."""
        return self.update(name, secret=self._new_secret())

    def delete(self, name: str) -> None:
        """Raises Refused `unknown_webhook` or `not_granted`."""
        self._changeable(name)
        del self._made[name]
        self._records.append(Drop(StoredWebhook, name))

    def test(self, name: str) -> None:
        """Sends it an event that says nothing. Raises Refused `unknown_webhook`."""
        if self.get(name) is None:
            raise Refused("unknown_webhook", f"there is no webhook {name[:64]}")
        # A room of its own, so that it waits behind nothing.
        room = RoomReference(id=self._new_id("RM"), name="test")
        self._records.append(WebhookTest(room=room, room_seq=1, webhook=name))

    def _changeable(self, name: str) -> StoredWebhook:
        if name in self._configured:
            raise Refused("not_granted", "this webhook is of the server's configuration")
        if name not in self._made:
            raise Refused("unknown_webhook", f"there is no webhook {name[:64]}")
        return self._made[name]


def check(url: str, types: tuple[str, ...], secret: str | None) -> None:
    """Raises Refused `out_of_range`. Whether the address may be called is seen when it is."""
    check_url(url)
    unknown = [one for one in types if one not in TYPES]
    if unknown:
        raise Refused("out_of_range", f"types: {unknown[0]!r} is not one of {', '.join(sorted(TYPES))}")
    if secret is not None and not MIN_SECRET_CHARACTERS <= len(secret) <= MAX_SECRET_CHARACTERS:
        raise Refused("out_of_range", f"secret: {MIN_SECRET_CHARACTERS} … {MAX_SECRET_CHARACTERS} characters")


def check_url(url: str) -> None:
    """Raises Refused `out_of_range`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Refused("out_of_range", "url: cannot be read") from None
    if len(url) > MAX_URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused("out_of_range", f"url: at most {MAX_URL_CHARACTERS} printable ASCII characters, without spaces")
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise Refused("out_of_range", "url: http://HOST… or https://HOST…")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused("out_of_range", "url: without user, password and fragment")
