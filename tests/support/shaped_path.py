"""Pages behind a thin path (`shaper.py`), which is a process of its own.

In the test's process, or the server's, packets would wait for Python as well, and that would be measured as the path.

    test ── rate_bps, a line ──► python -m tests.support.shaper ◄─ UDP ─► server
         ◄─ what was seen so far ─             ▲
                                               └─ UDP ─► the page, which was told its port (`join_behind`)
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Browser

from tests.support.call import BARE_PAGE, Participant, join_in
from tests.support.chromium import new_page
from tests.support.server import ROOT

ANSWERS_WITHIN_S = 60.0  # a loaded machine

# The server's candidates, with another port.
DETOUR = """
(() => {
  const setRemoteDescription = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({type, sdp}) {
    return setRemoteDescription.call(this, {type, sdp: sdp.replaceAll(' %(port)d typ host', ' %(other)d typ host')});
  };
})();
"""


@dataclass(frozen=True, slots=True)
class Passed:
    """Since the shaper began. What it did later than the path would have says how busy the machine was."""

    count: int
    dropped: int
    most_late_s: float
    mean_late_s: float


class ShapedPath:
    """The shaper, from outside."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.port = port
        self._process = process

    async def set_rate(self, rate_bps: float) -> Passed:
        """From now on. What was seen until then."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{rate_bps}\n".encode())
        return Passed(*json.loads(await asyncio.wait_for(self._process.stdout.readline(), ANSWERS_WITHIN_S)))


@asynccontextmanager
async def shaped(server_port: int, rate_bps: float) -> AsyncIterator[ShapedPath]:
    """All who join behind it share the bottleneck."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.shaper", str(server_port), str(rate_bps)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield ShapedPath(process, int(await asyncio.wait_for(process.stdout.readline(), ANSWERS_WITHIN_S)))
    finally:
        process.stdin.close()  # it ends then
        await process.wait()


async def join_behind(
    path: ShapedPath, server_port: int, browser: Browser, url: str, room: str, name: str
) -> Participant:
    page = await new_page(browser)
    await page.add_init_script(DETOUR % {"port": server_port, "other": path.port})
    await page.goto(url + BARE_PAGE)
    return await join_in(page, room, name)
