"""Files as answers: whole, or the part that `Range` asks for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from aiohttp import web

from signaling.api.operations import Answer, Asked
from signaling.errors import Refused

# Bytes of a range, and one that there is not; as RFC 9110 has them.
RANGES: Final = {206: "The part that `Range` asks for.", 416: "The file has no such part."}


async def is_streamed(asked: Asked) -> Answer:
    """`run` of operations that have `stream` instead."""
    raise AssertionError("a file is no answer in JSON")


async def file_response(path: Path, headers: dict[str, str], *, as_file: str = "") -> web.FileResponse:
    """`as_file`: under this name browsers keep it. Raises Refused: `unknown_file`."""
    if not await asyncio.to_thread(path.is_file):
        raise Refused("unknown_file", "the file is not there any more")
    if as_file:
        headers = headers | {"Content-Disposition": f'attachment; filename="{as_file}"'}
    return web.FileResponse(path, headers=headers)
