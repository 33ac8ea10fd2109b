"""The body of an HTTP request: not more of it than somebody can mean, and not waited for for ever."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from signaling.errors import ProtocolError

# The largest honest ones: of the API, with metadata at its limit, below 20 KiB; of WHIP, an offer of four m-lines of a
# browser with all its codecs, some 25 kB.
MAX_BODY_BYTES: Final = 64 * 1024
# It is a few packets; who needs longer does not mean to finish.
BODY_TIMEOUT_S: Final = 10.0


async def read_body(request: web.Request) -> bytes:
    """Raises ProtocolError: too_large, timeout, malformed."""
    if request.content_length is not None and request.content_length > MAX_BODY_BYTES:
        raise ProtocolError("too_large", f"more than {MAX_BODY_BYTES} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise ProtocolError("too_large", f"more than {MAX_BODY_BYTES} bytes")
    except TimeoutError:
        raise ProtocolError("timeout", f"the body did not come within {BODY_TIMEOUT_S:g} s") from None
    except web.RequestPayloadError as error:
        raise ProtocolError("malformed", f"the body cannot be read: {type(error).__name__}") from error
    return bytes(body)
