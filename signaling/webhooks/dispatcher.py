"""Sends what the outbox says is due, and tells it what came of it. The only part of webhooks that does I/O.

No redirects are followed (they would pass by the guard), no proxies taken from the environment, no cookies kept, and of
a response nothing but its status is used. A receiver that is slow or dead costs one task per room that waits for it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Iterable
from typing import Any, Final

import aiohttp
import msgspec

from sfu import __version__
from signaling.errors import Refused
from signaling.events import AnyEvent
from signaling.records import StoredWebhook, Transaction
from signaling.store import Store
from signaling.webhooks.delivery import Delivery
from signaling.webhooks.guard import Network, may_send_to
from signaling.webhooks.outbox import Outbox, Outcome
from signaling.webhooks.registry import Webhooks
from signaling.webhooks.signature import HEADER, sign

logger = logging.getLogger(__name__)

# A receiver should put the event away and answer; who needs longer is tried again.
ATTEMPT_TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 5.0
# All webhooks together: sockets, each for ten seconds at most.
MAX_CONNECTIONS: Final = 64
LONGEST_RETRY_AFTER_S: Final = 3600.0
# What is said of a failed attempt is shown to people.
MAX_ERROR_CHARACTERS: Final = 200

_AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


class NotAllowed(OSError):
    """The address is not public, and the operator does not allow it."""


class Dispatcher:
    """`allowed`: networks that are not public and may be called nevertheless."""

    def __init__(self, outbox: Outbox, store: Store, allowed: Iterable[Network]) -> None:
        self._outbox = outbox
        self._store = store
        self._allowed = tuple(allowed)
        self._wake = asyncio.Event()
        self._attempts: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None
        self._encoder = msgspec.json.Encoder()
        self.outcomes = {"delivered": 0, "failed": 0, "dead": 0}  # attempts, each counted once
        outbox.on_admitted = self._wake.set

    @property
    def pending(self) -> int:
        """Deliveries that are on their way, or wait for their time."""
        return self._outbox.pending

    @property
    def registry(self) -> Webhooks:
        return self._outbox.webhooks

    def start(self) -> None:
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def redeliver(self, name: str) -> Delivery:
        """Sends the event of this delivery once more. Raises Refused `unknown_delivery`."""
        delivery = await self._store.delivery(name)
        if delivery is None or self.registry.receiver_of(delivery) is None:
            raise Refused("unknown_delivery", f"there is no delivery {name[:64]} (any more), or not its webhook")
        again = self._outbox.readdress(delivery, time.time())
        committed = asyncio.Event()
        self._store.commit(Transaction(deliveries=(again,)), committed.set)
        await committed.wait()
        self._outbox.admit((again,))
        return again

    async def close(self) -> None:
        """What is under way is not waited for: it is sent again after the restart."""
        tasks = [*self._attempts, *([self._running] if self._running is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, socket_factory=self._socket, use_dns_cache=False)
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        ) as http:
            while True:
                self._wake.clear()
                while (delivery := self._outbox.poll(time.time())) is not None:
                    attempt = asyncio.get_running_loop().create_task(self._attempt(http, delivery))
                    self._attempts.add(attempt)
                    attempt.add_done_callback(self._attempts.discard)
                when = self._outbox.next_timeout()
                try:
                    async with asyncio.timeout(None if when is None else max(when - time.time(), 0.0)):
                        await self._wake.wait()
                except TimeoutError:
                    pass

    def _socket(self, info: _AddressInfo) -> socket.socket:
        """aiohttp asks for it with the very address that it connects to next."""
        family, kind, protocol, _, address = info
        if not may_send_to(str(address[0]), self._allowed):
            raise NotAllowed(errno.EACCES, f"{address[0]} is no public address, and none that --webhook-allow names")
        return socket.socket(family, kind, protocol)

    async def _attempt(self, http: aiohttp.ClientSession, delivery: Delivery) -> None:
        webhook = self.registry.receiver_of(delivery)
        event = await self._store.event(delivery.event)
        if webhook is None or event is None:
            outcome = Outcome(error="the webhook was deleted" if webhook is None else "the event is not kept any more")
        else:
            outcome = await self._send(http, webhook, delivery, event)
        became = self._outbox.on_outcome(delivery, outcome, time.time())
        self._count(became)
        self._store.commit(Transaction(deliveries=(became,)), lambda: None)
        self._wake.set()

    async def _send(
        self, http: aiohttp.ClientSession, webhook: StoredWebhook, delivery: Delivery, event: AnyEvent
    ) -> Outcome:
        body = self._encoder.encode(event)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"sfu/{__version__}",
            HEADER: sign(filter(None, (webhook.secret, webhook.previous_secret)), body, time.time()),
            "Sfu-Event": event.id,
            "Sfu-Delivery": delivery.id,
            "Sfu-Attempt": str(delivery.attempts + 1),
        }
        try:
            async with http.post(webhook.url, data=body, headers=headers, allow_redirects=False) as response:
                retry_after_s = _retry_after_s(response.headers.get("Retry-After", ""))
                error = "" if 200 <= response.status < 300 else f"HTTP {response.status}"
                return Outcome(response.status, error, retry_after_s)
        except TimeoutError:
            return Outcome(error=f"no answer within {ATTEMPT_TIMEOUT_S:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(error=(str(error) or type(error).__name__)[:MAX_ERROR_CHARACTERS])

    def _count(self, became: Delivery) -> None:
        self.outcomes["failed" if became.state == "pending" else became.state] += 1
        if became.state == "dead":
            logger.error("webhook=%s event=%s: given up: %s", became.webhook, became.event_id, became.error)
        elif became.state == "pending" and became.attempts == 1:
            logger.warning("webhook=%s event=%s: %s", became.webhook, became.event_id, became.error)


def _retry_after_s(text: str) -> float | None:
    """RFC 9110 §10.2.3, in its form of seconds."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    return min(float(text), LONGEST_RETRY_AFTER_S)
