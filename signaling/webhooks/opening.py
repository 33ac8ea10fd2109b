"""An outbox as a server has it: with the webhooks of its configuration, and names and secrets that nobody guesses."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable
from hashlib import sha256

from signaling.records import StoredWebhook
from signaling.webhooks.outbox import Outbox
from signaling.webhooks.registry import Webhooks

NAME_BYTES = 10
SECRET_BYTES = 32


def open_outbox(urls: Iterable[str], secret: str) -> Outbox:
    """`urls` and `secret` are of the configuration."""
    webhooks = Webhooks(
        (StoredWebhook(id=_configured_id(url), url=url, secret=secret) for url in urls),
        new_id=lambda prefix: f"{prefix}_{secrets.token_hex(NAME_BYTES)}",
        new_secret=lambda: secrets.token_urlsafe(SECRET_BYTES),
        # Without one of the configuration nobody could check the signature; but what is sent is never unsigned.
        room_secret=secret or secrets.token_urlsafe(SECRET_BYTES),
    )
    return Outbox(webhooks, lambda: f"DL_{secrets.token_hex(NAME_BYTES)}", random.random)


def _configured_id(url: str) -> str:
    """The same after a restart, as deliveries that are pending then are to go there."""
    return f"WH_{sha256(url.encode()).hexdigest()[: 2 * NAME_BYTES]}"
