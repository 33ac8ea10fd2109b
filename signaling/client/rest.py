"""The server's REST calls that a client makes for itself: tokens, in development mode."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
import msgspec

from signaling.errors import Refused


@dataclass(frozen=True, slots=True)
class DevelopmentToken:
    token: str
    identity: str
    room: str


async def development_token(url: str, name: str, room: str) -> DevelopmentToken:
    """A token for a fresh identity. Raises Refused when the server is not in development mode or declines."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url.rstrip('/')}/v1/dev/tokens", json={"name": name, "room": room}) as response,
    ):
        text = await response.read()
        if response.status != 201:
            raise Refused("not_granted", f"HTTP {response.status}: {text[:200].decode(errors='replace')}")
        return msgspec.json.decode(text, type=DevelopmentToken)
