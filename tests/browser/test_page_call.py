"""What the page offers during a call: keys, push-to-talk, larger pictures, statistics, many people."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Page

from signaling.client import connect, development_token
from tests.support.chromium import eventually, screenshot
from tests.support.page import OpenLobby, enter, ready, says, shows
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

SEEN_AND_COUNTED = """
() => {
  const grid = document.querySelector('#grid').getBoundingClientRect();
  const tiles = [...document.querySelectorAll('#grid .tile')].map((tile) => tile.getBoundingClientRect());
  const seen = tiles.filter(({top, bottom}) => (top + bottom) / 2 < grid.bottom).length;
  return {all: tiles.length, seen, more: document.querySelector('#more-tiles:not([hidden])')?.innerText ?? ''};
}
"""


TOLD_AND_REAL = """
async () => {
  const camera = [...sfuRoom.participants.values()][0].track('camera');
  const {tracks} = await sfuRoom.view.explain();
  const {width, height} = document.querySelector('.tile[data-participant^=bob]').getBoundingClientRect();
  return [tracks.find(({track}) => track === camera.id)?.tile_pixels, Math.round(width) * Math.round(height)];
}
"""
VISIBILITY = """
(state) => {
  Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}
"""


async def set_options(page: Page, **boxes: bool) -> None:
    await page.click("#open-settings")
    for name, checked in boxes.items():
        await page.set_checked(f"#option-{name}", checked)
    await page.click("#settings .primary")


async def test_holding_space_talks_while_muted_unless_switched_off(server: RunningServer, lobby: OpenLobby) -> None:
    address = f"{server.url}/r/talk"
    ada = await enter(lobby, address, "Ada")
    bob = await enter(lobby, address, "Bob")
    await shows(bob, "ada", microphone="on", video="on")
    await ada.click("#toggle-microphone")  # by the mouse: it keeps the focus, and Space still talks
    await shows(bob, "ada", microphone="off")

    await ada.keyboard.down("Space")
    await shows(bob, "ada", microphone="on")
    await ada.wait_for_selector("#talking:not([hidden])")
    await ada.keyboard.up("Space")
    await shows(bob, "ada", microphone="off")
    assert not await ada.is_visible("#talking")

    await ada.keyboard.down("Space")
    await shows(bob, "ada", microphone="on")
    await ada.evaluate("dispatchEvent(new Event('blur'))")  # another window is in front: nobody is heard unawares
    await shows(bob, "ada", microphone="off")
    await ada.keyboard.up("Space")

    await ada.focus("#toggle-microphone")
    await ada.keyboard.press("Tab")
    await ada.keyboard.press("Shift+Tab")
    await ada.keyboard.press("Space")  # a button reached by the keyboard is pressed by it
    await shows(bob, "ada", microphone="on")
    await ready(ada, "#toggle-microphone")
    await ada.keyboard.press("Space")
    await shows(bob, "ada", microphone="off")

    await set_options(ada, talk=False)
    await ada.evaluate("document.activeElement.blur()")
    await ada.keyboard.down("Space")
    await ada.keyboard.press("v")
    await shows(bob, "ada", microphone="off", video="off")


async def test_letters_can_be_switched_off_and_stay_so(server: RunningServer, lobby: OpenLobby) -> None:
    page = await enter(lobby, f"{server.url}/r/keys", "Ada")
    await shows(page, "ada", microphone="on")
    assert await page.get_attribute("#toggle-microphone", "aria-keyshortcuts") == "m"
    await page.click("#open-settings")
    await page.wait_for_selector("#settings[open]")  # it asks for the devices first
    assert "Mute your microphone" in await page.inner_text("#settings-keys")
    await page.keyboard.press("m")  # a dialog is open: not for the call behind it
    await page.click("#settings .primary")
    await set_options(page, keys=False)
    await page.keyboard.press("m")
    await page.keyboard.press("i")
    assert await page.get_attribute("#toggle-microphone", "aria-keyshortcuts") is None
    assert await page.get_attribute("#toggle-microphone", "title") == "Mute your microphone"
    assert not await page.is_visible("#connection-figures")

    await page.click("#leave")
    await page.reload()
    await page.click("#lobby-join")
    await shows(page, "ada", microphone="on")
    await page.keyboard.press("m")
    await set_options(page, keys=True)
    await page.keyboard.press("i")
    await page.wait_for_selector("#connection-figures:not([hidden])")
    await shows(page, "ada", microphone="on")


async def test_a_tile_fills_the_screen_floats_and_tells_its_numbers(server: RunningServer, lobby: OpenLobby) -> None:
    address = f"{server.url}/r/tile"
    ada = await enter(lobby, address, "Ada")
    bob = await enter(lobby, address, "Bob")
    await shows(ada, "bob", video="on")
    tile = "#grid .tile[data-participant^=bob]"
    for tool, where in (("full-screen", "fullscreenElement"), ("picture", "pictureInPictureElement")):
        held = f"document.querySelector('{tile}').contains(document.{where})"
        for expected in (True, False):
            await ada.hover(tile)
            await ada.click(f"{tile} [data-tool={tool}]")

            async def so(held: str = held, expected: bool = expected) -> bool:
                return bool(await ada.evaluate(held)) is expected

            await eventually(so, f"{held} is {expected}")
    assert await ada.locator(".tile[data-participant^=ada] .tool:visible").count() == 0

    for whose in (tile, ".tile[data-participant^=ada]"):
        words = await ada.get_attribute(f"{whose}:not([data-quality='']) .tile-quality", "aria-label")
        assert words is not None and "connection" in words

    await ada.keyboard.press("i")
    for words in ("×", " fps", " kbit/s", "VP8", " % lost", "RTT ", "opus"):
        await says(ada, f"{tile} .tile-figures", words)
    await says(ada, "#connection-figures", "↓")
    await says(ada, ".tile[data-participant^=ada] .tile-figures", "f · 640×360")
    await screenshot(ada, "page-statistics")
    await ada.click("#toggle-statistics")
    await ada.wait_for_selector(f"{tile} .tile-figures", state="hidden")
    await bob.close()


async def test_the_server_is_told_what_is_really_seen(server: RunningServer, lobby: OpenLobby) -> None:
    address = f"{server.url}/r/seen"
    ada = await enter(lobby, address, "Ada")
    bob = await enter(lobby, address, "Bob")
    await shows(ada, "bob", video="on")

    async def as_large_as_the_tile() -> bool:
        told, real = await ada.evaluate(TOLD_AND_REAL)
        return bool(told == real)

    await eventually(as_large_as_the_tile, "the server knows the tile's size")
    await ada.set_viewport_size({"width": 600, "height": 500})
    await eventually(as_large_as_the_tile, "the server knows the tile's new size")
    await ada.evaluate(VISIBILITY, "hidden")

    async def not_sent() -> bool:
        return bool((await ada.evaluate(TOLD_AND_REAL))[0] == 0)

    await eventually(not_sent, "a hidden tab is sent nothing")
    await ada.evaluate(VISIBILITY, "visible")
    await eventually(as_large_as_the_tile, "and is again when it is seen")
    await bob.close()


async def test_nobody_is_out_of_sight_unnoticed(server: RunningServer, lobby: OpenLobby) -> None:
    page = await enter(lobby, f"{server.url}/r/many", "Ada", viewport={"width": 390, "height": 844})
    async with AsyncExitStack() as stack:
        for number in range(25):
            guest = await development_token(server.url, f"Guest {number}", "many")
            await stack.enter_async_context(connect(server.url, "many", guest.token))

        async def counted() -> bool:
            now = await page.evaluate(SEEN_AND_COUNTED)
            return bool(now["all"] == 26 and now["seen"] < 26 and now["more"] == f"{26 - now['seen']} more")

        await eventually(counted, "the button counts those that are not seen")
        await screenshot(page, "page-many-phone")
        await page.click("#more-tiles")  # how far that goes is the browser's to say

        async def at_the_end() -> bool:
            await page.evaluate("document.querySelector('#more-tiles:not([hidden])')?.click()")
            return await page.is_hidden("#more-tiles")

        await eventually(at_the_end, "going on leads to the last one")
