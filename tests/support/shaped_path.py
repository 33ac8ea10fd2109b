"""Pages behind a thin path (`shaper.py`), which is a process of its own.

In the test's process, or the server's, packets would wait for Python as well, and that would be measured as the path.

    test ── rate_bps, a line ──► python -m tests.support.shaper ◄─ UDP ─► server
         ◄─ what was seen so far ─             ▲
                                               └─ UDP ─► the page, which was told its port (`join_behind`)
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Browser

from tests.sim.link import Conditions
from tests.support.call import BARE_PAGE, Participant, join_in
from tests.support.chromium import new_page
from tests.support.piped import Piped, piped

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

    def __init__(self, process: Piped, port: int) -> None:
        self.port = port
        self._process = process

    async def set_rate(self, rate_bps: float) -> Passed:
        """From now on. What was seen until then."""
        self._process.tell(str(rate_bps))
        return Passed(*json.loads(await self._process.hear()))


@asynccontextmanager
async def shaped(server_port: int, rate_bps: float, delay_s: float = Conditions().delay_s) -> AsyncIterator[ShapedPath]:
    """All who join behind it share the bottleneck."""
    async with piped("tests.support.shaper", str(server_port), str(rate_bps), str(delay_s)) as process:
        yield ShapedPath(process, int(await process.hear()))


async def join_behind(
    path: ShapedPath, server_port: int, browser: Browser, url: str, room: str, name: str
) -> Participant:
    page = await new_page(browser)
    await page.add_init_script(DETOUR % {"port": server_port, "other": path.port})
    await page.goto(url + BARE_PAGE)
    return await join_in(page, room, name)
