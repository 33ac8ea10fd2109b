"""A server whose event loop is kept busy: `python -m loadtest.busy serve …`, as `sfu serve …`.

Every 40 ms it computes for 20 ms without a pause, as a page full of joins or a slow hook would. Packets are not to wait
for that.
"""

from __future__ import annotations

import asyncio
import sys
import time

from signaling import cli, server
from signaling.config import ServerConfig

BUSY_S = 0.02

_open_server = server.open_server


async def _open_busy_server(config: ServerConfig) -> server.Server:
    opened = await _open_server(config)
    loop = asyncio.get_running_loop()

    def compute() -> None:
        until = time.monotonic() + BUSY_S
        while time.monotonic() < until:
            sum(range(1000))
        loop.call_later(BUSY_S, compute)

    loop.call_soon(compute)
    return opened


if __name__ == "__main__":
    server.open_server = _open_busy_server
    sys.exit(cli.main())
