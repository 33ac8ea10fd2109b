"""25 in a call, seen by one Chromium: whatever is on its screen is alive, for less than 4 Mbit/s."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.test_page_view import DESK, PHONE, stages
from tests.support.chromium import eventually, screenshot
from tests.support.meeting import metrics
from tests.support.page import OpenLobby, enter, says, shows
from tests.support.reels import actors
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

OTHERS = 24
MOST_BPS = 4e6  # what a call takes of somebody's connection, whatever its size
FOR_S = 3.0
MORE_FRAMES = 10  # of fifteen a second
PATIENCE_S = 60.0

TILES = """
() => {
  const board = document.getElementById('board').getBoundingClientRect();
  const isSeen = ({left, right, top, bottom}) =>
    right > board.left + 1 && left < board.right - 1 && bottom > board.top + 1 && top < board.bottom - 1;
  return Object.fromEntries([...document.querySelectorAll('.tile')].map((tile) => [tile.dataset.participant, {
    isSeen: isSeen(tile.getBoundingClientRect()),
    frames: tile.querySelector('video').getVideoPlaybackQuality().totalVideoFrames,
  }]));
}
"""
RECEIVED = """
async () => {
  let bytes = 0;
  for (const connection of window.peerConnections) {
    for (const row of (await connection.getStats()).values()) if (row.type === 'transport') bytes += row.bytesReceived;
  }
  return bytes;
}
"""


async def all_move(
    page: Page, by_frames: int = MORE_FRAMES, counts: Callable[[str], bool] = lambda who: True
) -> set[str]:
    """Whoever is in sight and counts, in the end. Returns who that is."""
    before: dict[str, Any] = await page.evaluate(TILES)
    seen: dict[str, int] = {}

    async def so() -> bool:
        nonlocal seen
        tiles = await page.evaluate(TILES)
        seen = {
            who: t["frames"] - before.get(who, t)["frames"] for who, t in tiles.items() if t["isSeen"] and counts(who)
        }
        return all(frames >= by_frames for frames in seen.values())

    try:
        await eventually(so, f"all that is in sight moves by {by_frames} frames", PATIENCE_S)
    except AssertionError as error:
        raise AssertionError(f"{error}: {json.dumps(seen)}") from None
    return set(seen)


async def all_move_page_by_page(page: Page) -> int:
    """How many there were on all pages."""
    seen = await all_move(page)
    while await page.is_visible("#more-tiles"):
        await page.click("#more-tiles")
        seen |= await all_move(page)
    return len(seen)


async def takes_little(page: Page, server: RunningServer) -> str:
    """Of the connection, and of the server's, which sends reports to all others, too. In words."""
    began_s, received, sent = time.monotonic(), await page.evaluate(RECEIVED), await _sent(server)
    await asyncio.sleep(FOR_S)  # the measurement itself
    took_s = time.monotonic() - began_s
    received_bps = 8 * (await page.evaluate(RECEIVED) - received) / took_s
    sent_bps = 8 * (await _sent(server) - sent) / took_s
    assert received_bps < MOST_BPS and sent_bps < MOST_BPS, (received_bps, sent_bps)
    return f"{received_bps / 1e6:.2f} Mbit/s received, {sent_bps / 1e6:.2f} sent"


async def _sent(server: RunningServer) -> float:
    return (await metrics(server.url))["sfu_sent_bytes_total"]


async def test_25_are_alive_in_the_grid_and_around_a_speaker(
    server: RunningServer, lobby: OpenLobby, capsys: pytest.CaptureFixture[str]
) -> None:
    async with actors(server.url, "crowd", OTHERS) as crowd:
        address = f"{server.url}/r/crowd?video=640x360@10"
        ada = await enter(lobby, address, "Ada", viewport=DESK, reduced_motion="reduce")
        await shows(ada, "ada", microphone="on")
        await ada.click("#toggle-microphone")
        await ada.wait_for_function(f"document.querySelectorAll('.tile').length === {OTHERS + 1}")
        assert len(await all_move(ada)) == OTHERS + 1
        grid = await takes_little(ada, server)
        await screenshot(ada, "page-crowd-grid")

        await ada.keyboard.press("l")
        for number in (3, 20):
            crowd.speaks(number)
            await stages(ada, f"actor{number}")
        speaker = await takes_little(ada, server)
        await screenshot(ada, "page-crowd-speaker")
        assert await all_move_page_by_page(ada) == OTHERS + 1

        await ada.set_viewport_size(PHONE)
        await all_move(ada)
        await says(ada, "#more-words", "22 more")  # who was above the strip's edge is beyond it now
        await screenshot(ada, "page-crowd-speaker-phone")
        await ada.keyboard.press("l")
        assert await all_move_page_by_page(ada) == OTHERS + 1
        await screenshot(ada, "page-crowd-grid-phone")
    with capsys.disabled():
        print(f"\ngrid: {grid}; speaker view: {speaker}")
