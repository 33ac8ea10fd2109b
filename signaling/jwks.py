"""Keeps the public keys of the keyring as their JWKS documents have them: files, and URLs of identity providers.

Documents are read at start and every minute after that, so a key is good a minute after it is published at the latest,
and for nothing a minute after it is withdrawn. One that cannot be had at the moment is taken to be as it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import aiohttp

from signaling.keyring import Keyring
from signaling.public_keys import MAX_DOCUMENT_BYTES, PublicKey, read_jwks

logger = logging.getLogger(__name__)

# Providers publish a key before they sign with it; and a document is a few kB.
REFRESH_EVERY_S: Final = 60.0
FETCH_TIMEOUT_S: Final = 5.0


class JwksDocuments:
    """`sources`: paths of files and https URLs; they are the operator's, so any address may be asked."""

    def __init__(self, sources: Iterable[str], keyring: Keyring, refresh_every_s: float = REFRESH_EVERY_S) -> None:
        self._sources = tuple(sources)
        self._keyring = keyring
        self._refresh_every_s = refresh_every_s
        self._running: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Reads all of them once. One that cannot be had is no reason not to start: it may be back in a minute."""
        if self._sources:
            await self._refresh()
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_every_s)
            await self._refresh()

    async def _refresh(self) -> None:
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http:
            await asyncio.gather(*(self._refresh_one(http, source) for source in self._sources))

    async def _refresh_one(self, http: aiohttp.ClientSession, source: str) -> None:
        try:
            keys = await _read(http, source)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            logger.error("jwks=%s: %s", source, str(error) or type(error).__name__)
            return
        if not keys:
            logger.warning("jwks=%s: no key in it that we can use (RS256 from 2048 bits, ES256)", source)
        self._keyring.publish(source, keys)


async def _read(http: aiohttp.ClientSession, source: str) -> dict[str, PublicKey]:
    if "://" not in source:
        return read_jwks(await asyncio.to_thread(Path(source).read_bytes))
    async with http.get(source, allow_redirects=False) as response:
        if response.status != 200:
            raise ValueError(f"HTTP {response.status}")
        return read_jwks(await response.content.read(MAX_DOCUMENT_BYTES + 1))
