"""A file on its way from the API to the disk: what is lost on the way is asked for from where it broke off."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp

_CHUNK_BYTES: Final = 1 << 18


class Fetching:
    """Until it is whole, it lies beside its place, as `NAME.part`."""

    def __init__(self, into: Path) -> None:
        self._into = into
        self._part = into.with_name(f"{into.name}.part")
        self.bytes = 0
        self._modified = ""  # when: a file that has changed since is fetched anew (RFC 9110 §13.1.5)

    @property
    def headers(self) -> dict[str, str]:
        """To ask with, for what is missing."""
        if not (self.bytes and self._modified):
            return {}
        return {"Range": f"bytes={self.bytes}-", "If-Range": self._modified}

    async def take(self, response: aiohttp.ClientResponse) -> int:
        """What comes, to the end; returns the size of all in bytes. Raises aiohttp.ClientError and TimeoutError, after
        which the rest may be asked for; and OSError of the disk."""
        goes_on = response.status == HTTPStatus.PARTIAL_CONTENT
        if not goes_on:
            self.bytes = 0
        self._modified = response.headers.get("Last-Modified", "")
        with await asyncio.to_thread(self._part.open, "ab" if goes_on else "wb") as file:
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                await asyncio.to_thread(file.write, chunk)
                self.bytes += len(chunk)
        await asyncio.to_thread(self._part.replace, self._into)
        return self.bytes
