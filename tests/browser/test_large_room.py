"""A room of 500, a hundred of them with cameras, seen by one Chromium: 49 tiles, pages turned, who speaks changed.

Each camera shows colours that say whose it is, and every frame that is shown is compared with the name of its tile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.async_api import Page, ViewportSize

from loadtest.usage import cpu_s, tree
from signaling.limits import SessionLimits
from signaling.messages import Grants
from tests.browser.test_crowd import all_move
from tests.browser.test_page_view import stages
from tests.support.chromium import eventually, screenshot
from tests.support.hall import NUMBER_IN_PICTURE, hall
from tests.support.page import OpenLobby, token
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

PAINTED = 100
SEVEN_BY_SEVEN: ViewportSize = {"width": 1190, "height": 800}
IN_SIGHT = 45  # of others, at least: 49 tiles, less one's own and what the edge cuts
MOVING_FRAMES = 3
LIMITS = SessionLimits()
PAIRED = 2 * LIMITS.max_pairs  # m-lines
MORE_OFFERS = 3  # for who is heard and not seen

# `offers`: m-lines of each, and how long the browser took. `shown`: frames that were compared, and those that were
# under another name. A picture counts as shown from when its tile says so: that is what makes it visible.
WATCH = """
(() => {
  window.offers = [];
  const set = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
    const began = performance.now();
    await set.call(this, description);
    if (description.type !== 'offer') return;
    window.offers.push({lines: description.sdp.split('\\nm=').length - 1, ms: Math.round(performance.now() - began)});
  };
  window.shown = {frames: 0, wrong: []};
  const numberIn = NUMBER_IN_PICTURE;
  const compare = (video) => {
    const {participant, video: isOn} = video.closest('.tile')?.dataset ?? {};
    const expected = /^actor([0-9]+)/.exec(participant ?? '');
    if (!expected || isOn !== 'on') return;
    shown.frames += 1;
    const number = numberIn(video);
    if (number !== Number(expected[1])) shown.wrong.push([participant, number, Math.round(performance.now())]);
  };
  const watch = (video) => {
    const onFrame = () => {
      compare(video);
      video.requestVideoFrameCallback(onFrame);
    };
    onFrame();
    new MutationObserver(() => compare(video)).observe(video.closest('.tile'), {attributeFilter: ['data-video']});
  };
  addEventListener('DOMContentLoaded', () => {
    const known = new WeakSet();
    const look = () => document.querySelectorAll('.tile video').forEach((video) => {
      if (known.has(video)) return;
      known.add(video);
      watch(video);
    });
    new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
  });
})();
""".replace("NUMBER_IN_PICTURE", NUMBER_IN_PICTURE)


async def sit_down(lobby: OpenLobby, server: RunningServer, room: str, people: int) -> Page:
    grants = Grants(subscribe=True)
    address = f"{server.url}/r/{room}#token={token(room, grants=grants)}"
    page = await lobby(address, prepare=WATCH, viewport=SEVEN_BY_SEVEN, reduced_motion="reduce")
    await page.click("#lobby-join")

    async def all_there() -> bool:
        return bool(await page.evaluate("document.querySelectorAll('.tile').length") == people)

    await eventually(all_there, f"{people} have a tile")
    return page


async def turns_pages(page: Page) -> set[str]:
    """To the last of who has a camera, and back. Returns whose pictures moved."""
    seen = await moving(page)
    assert len(seen) >= IN_SIGHT
    while len(seen) < PAINTED:
        await page.click("#more-tiles")
        seen |= await moving(page)
    await page.evaluate("document.getElementById('grid').scrollTo(0, 0)")
    return seen | await moving(page)


async def moving(page: Page) -> set[str]:
    return await all_move(page, MOVING_FRAMES, lambda who: who.startswith("actor"))


async def agree(page: Page) -> int:
    """Every frame was shown under the name of whose it is. Returns how many there were."""
    shown: dict[str, Any] = await page.evaluate("shown")
    assert shown["wrong"] == []
    assert shown["frames"] > 0
    return int(shown["frames"])


@contextmanager
def spending(process: int, spent: dict[str, float], what: str) -> Iterator[None]:
    """Cores that it and all below it take meanwhile."""
    began_s, before_s = time.monotonic(), sum(map(cpu_s, tree(process)))
    yield
    spent[what] = (sum(map(cpu_s, tree(process))) - before_s) / (time.monotonic() - began_s)


@pytest.mark.parametrize("silent", [0, pytest.param(399, marks=pytest.mark.long)])
async def test_49_are_alive_and_under_their_names_while_pages_turn_and_speakers_change(
    server: RunningServer, lobby: OpenLobby, silent: int, capsys: pytest.CaptureFixture[str]
) -> None:
    room = f"hall-{silent}"
    spent: dict[str, float] = {}
    async with hall(server.url, room, PAINTED, silent) as people:
        with spending(server.process.pid, spent, "joining"):
            page = await sit_down(lobby, server, room, PAINTED + silent + 1)
            await moving(page)
        with spending(server.process.pid, spent, "turning pages"):
            assert len(await turns_pages(page)) == PAINTED
        await screenshot(page, f"page-hall-{silent}")
        await page.keyboard.press("l")
        for number in (3, 90, 55, 3):
            people.speaks(number)
            await stages(page, f"actor{number}")
            await moving(page)
        frames = await agree(page)
        made = await page.evaluate("offers")
        assert made[0]["lines"] == PAIRED, "the first offer brings all pairs: whoever is seen later is a message"
        assert len(made) <= 1 + MORE_OFFERS and made[-1]["lines"] <= PAIRED + LIMITS.max_voices
    with capsys.disabled():
        cores = ", ".join(f"{what} {share:.2f}" for what, share in spent.items())
        print(f"\n{PAINTED + silent + 1} in the room: {frames} frames, offers {json.dumps(made)}; cores: {cores}")
