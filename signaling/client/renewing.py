"""Another token before the present one expires, of whoever uses the client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp

from signaling.client.channel import RoomClosed
from signaling.errors import Refused

logger = logging.getLogger(__name__)

# A backend that fails is asked again, at the pace of one that is being restarted.
RETRY_S: Final = 5.0

FreshToken = Callable[[], Awaitable[str]]


async def renew(fresh_token: FreshToken, refresh: Callable[[str], Awaitable[None]], in_s: float) -> None:
    """Asks until there is one that the server takes, or no time for another try; then the session ends."""
    end = asyncio.get_running_loop().time() + in_s
    while True:
        try:
            await refresh(await fresh_token())
            return
        except RoomClosed:
            return
        except (Refused, aiohttp.ClientError, OSError, TimeoutError) as error:
            logger.warning("no other token: %s", error)
        if asyncio.get_running_loop().time() + RETRY_S > end:
            return
        await asyncio.sleep(RETRY_S)
